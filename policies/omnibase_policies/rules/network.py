"""Who reaches a service, and what it reaches: Services, Ingresses, NetworkPolicies."""

from __future__ import annotations

import ipaddress
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence

from omnibase_policies.addresses import Range, are_open, everybody, of_state, range_of, reach
from omnibase_policies.checks import any_of, if_set, required
from omnibase_policies.images import reference
from omnibase_policies.model import (
    REMOVED,
    Level,
    Problem,
    Severity,
    State,
    missing,
    object_rule,
    pod_rule,
    undecided,
    violated,
)
from omnibase_policies.objects import Object, Pod
from omnibase_policies.parameters import Parameters
from omnibase_policies.texts import as_text
from omnibase_policies.values import View

_SERVICE, _INGRESS, _POLICY = ("Service",), ("Ingress",), ("NetworkPolicy",)
_HTTPS = 443
_NGINX = re.compile(r"^nginx\.(ingress\.kubernetes\.io|org|com)/")
_BREAKS_OUT = re.compile(
    r"[{};\n]|\b(alias|root)\s|load_module|lua_package|_by_lua|/etc/(passwd|shadow|kubernetes)|/var/run/secrets"
)
_SECRET_PATH = re.compile(r"^/?(etc|var/run/secrets|run/secrets|root|proc|sys)(/|$)", re.IGNORECASE)
_TLS_CERTIFICATE = "service.beta.kubernetes.io/aws-load-balancer-ssl-cert"
_INTERNAL = (
    "service.beta.kubernetes.io/azure-load-balancer-internal",
    "service.beta.kubernetes.io/aws-load-balancer-internal",
    "networking.gke.io/load-balancer-type",
)


@object_rule(
    "no-nodeport",
    "No port of every node is opened",
    kinds=_SERVICE,
    severity=Severity.HIGH,
    frameworks=("Gatekeeper block-nodeport-services", "Kyverno restrict-node-port", "kube-linter exposed-services"),
    rationale="A node port is open on every node's addresses, past the gateway and its certificates.",
    remedy="Use type ClusterIP and a route of the gateway.",
    bad={"kind": "Service", "spec.type": "NodePort"},
    good={"kind": "Service", "spec.type": "ClusterIP"},
)
def no_nodeport(found: Object, parameters: Parameters) -> Iterator[Problem]:
    """`spec.type` is not NodePort."""
    yield from if_set(found.view.at("spec", "type"), lambda value: value != "NodePort", "must not be NodePort")


@object_rule(
    "loadbalancer-needs-approval",
    "A load balancer says who may reach it",
    kinds=_SERVICE,
    severity=Severity.HIGH,
    frameworks=("Kyverno restrict-loadbalancer", "kubescape C-0256", "Pulumi disallowLoadBalancer"),
    rationale="A load balancer is open to the whole internet until it is told otherwise, and each one costs.",
    remedy="Set `loadBalancerSourceRanges`, make it internal, or use the gateway that is there.",
    bad={"kind": "Service", "spec.type": "LoadBalancer"},
    good={"kind": "Service", "spec.type": "LoadBalancer", "spec.loadBalancerSourceRanges": ["203.0.113.0/24"]},
)
def loadbalancer_needs_approval(found: Object, parameters: Parameters) -> Iterator[Problem]:
    """A Service of type LoadBalancer has source ranges that are not everybody."""
    kind, ranges = found.view.at("spec", "type"), found.view.at("spec", "loadBalancerSourceRanges")
    message = "must not be LoadBalancer without source ranges"
    if kind.value != "LoadBalancer":
        yield from if_set(kind, lambda value: True, message)
    elif ranges.is_unknown:
        yield undecided(ranges, message)
    elif not ranges.items() and not _is_internal(found):
        yield violated(kind, message)
    yield from everybody([Range(each, each) for each in ranges.items()], ranges, "must not be everybody")


def _is_internal(found: Object) -> bool:
    values = {found.metadata["annotations"][name].text().lower() for name in _INTERNAL}
    return not values.isdisjoint({"true", "internal"})


@object_rule(
    "no-external-ips",
    "No Service takes an address for itself",
    kinds=_SERVICE,
    severity=Severity.HIGH,
    frameworks=("CVE-2020-8554", "Gatekeeper externalip", "Kyverno restrict-service-external-ips", "Trivy KSV-0108"),
    rationale="With `externalIPs` whoever may make a Service reads the traffic of any address that it names.",
    remedy="Remove `externalIPs`, or list the address in allowed_external_ips.",
    right=REMOVED,
    bad={"kind": "Service", "spec.externalIPs": ["203.0.113.7"]},
    good={"kind": "Service", "spec.externalIPs": []},
)
def no_external_ips(found: Object, parameters: Parameters) -> Iterator[Problem]:
    """`externalIPs` is empty but for `allowed_external_ips`."""
    allowed = parameters.allowed_external_ips
    yield from any_of(found.view.at("spec", "externalIPs"), lambda value: value not in allowed, "must not be set")


@object_rule(
    "no-localhost-service",
    "No Service stands for this machine",
    kinds=_SERVICE,
    severity=Severity.MEDIUM,
    frameworks=("Kyverno disallow-localhost-services", "CVE-2021-25740"),
    rationale="A name that leads to localhost is a way around the policies of whoever asks for it.",
    remedy="Name the service that is meant in `externalName`.",
    bad={"kind": "Service", "spec.externalName": "localhost"},
    good={"kind": "Service", "spec.externalName": "orders.example"},
)
def no_localhost_service(found: Object, parameters: Parameters) -> Iterator[Problem]:
    """`externalName` is no name or address of the local machine."""
    field = found.view.at("spec", "externalName")
    yield from if_set(field, lambda value: not _is_local(as_text(value)), "must not be the local machine")


def _is_local(name: str) -> bool:
    bare = name.lower().rstrip(".")
    if bare == "localhost" or bare.endswith((".localhost", ".localdomain")):
        return True
    try:
        address = ipaddress.ip_address(bare)
    except ValueError:
        return False
    return address.is_loopback or address.is_link_local or address.is_unspecified


@object_rule(
    "service-tls-at-load-balancer",
    "A load balancer for port 443 has a certificate",
    kinds=_SERVICE,
    severity=Severity.MEDIUM,
    level=Level.ADVISORY,
    frameworks=("kubescape C-0263",),
    rationale="Port 443 without a certificate at the balancer is plain HTTP under another number.",
    remedy="Name the certificate in the annotation of the cloud, or pass TLS through with protocol TCP or ssl.",
    bad={
        "kind": "Service", "spec.ports.0.port": 443,
        "metadata.annotations.service.beta.kubernetes.io/aws-load-balancer-backend-protocol": "http",
    },
    good={
        "kind": "Service", "spec.ports.0.port": 443,
        "metadata.annotations.service.beta.kubernetes.io/aws-load-balancer-backend-protocol": "http",
        f"metadata.annotations.{_TLS_CERTIFICATE}": "arn:aws:acm:example",
    },
)  # fmt: skip
def service_tls_at_load_balancer(found: Object, parameters: Parameters) -> Iterator[Problem]:
    """Where the balancer speaks HTTP behind port 443, it is told its certificate."""
    notes = found.metadata["annotations"]
    protocol = notes["service.beta.kubernetes.io/aws-load-balancer-backend-protocol"].text().lower()
    encrypted = any(port["port"].value == _HTTPS for port in found.view.at("spec", "ports").items())
    if protocol in ("http", "https") and encrypted and not notes[_TLS_CERTIFICATE].text():
        yield missing(notes[_TLS_CERTIFICATE], "should name the certificate")


@object_rule(
    "ingress-tls",
    "Ingresses have a certificate",
    kinds=_INGRESS,
    severity=Severity.HIGH,
    frameworks=("kubescape C-0263", "Polaris tlsSettingsMissing", "Gatekeeper httpsonly"),
    rationale="Passwords and sessions cross the network as anybody on the way can read them.",
    remedy="Set `spec.tls` with the hosts and the secret of the certificate.",
    bad={"kind": "Ingress", "spec.tls": None},
    good={"kind": "Ingress", "spec.tls": [{"hosts": ["orders.example"], "secretName": "orders-tls"}]},
)
def ingress_tls(found: Object, parameters: Parameters) -> Iterator[Problem]:
    """`spec.tls` has an entry."""
    if not parameters.tls_optional:
        yield from required(
            found.view.at("spec", "tls"), lambda value: isinstance(value, list) and value != [], "must have an entry"
        )


@object_rule(
    "ingress-tls-hosts",
    "Each host of an Ingress is in its certificate",
    kinds=_INGRESS,
    severity=Severity.MEDIUM,
    level=Level.ADVISORY,
    frameworks=("Kyverno ingress-host-match-tls",),
    rationale="A host that the certificate does not name is served without TLS, or with a warning.",
    remedy="List every host of the rules in `spec.tls[*].hosts`.",
    bad={"kind": "Ingress", "spec.rules.0.host": "others.example"},
    good={"kind": "Ingress", "spec.tls": [{"hosts": ["*.example"], "secretName": "orders-tls"}]},
)
def ingress_tls_hosts(found: Object, parameters: Parameters) -> Iterator[Problem]:
    """Every host of a rule is one of `spec.tls[*].hosts`, or under a wildcard of them."""
    entries = found.view.at("spec", "tls").items()
    named = [host.value for entry in entries for host in entry["hosts"].items()]
    if not named or any(not isinstance(each, str) for each in named):
        return  # no TLS is another rule's; the certificate of an entry without hosts is the controller's
    for rule in found.view.at("spec", "rules").items():
        host = rule["host"].text()
        if host and host not in named and f"*.{host.partition('.')[2]}" not in named:
            yield violated(rule["host"], "should be a host of the certificate")


@object_rule(
    "ingress-no-http",
    "Ingresses answer by TLS only",
    kinds=_INGRESS,
    severity=Severity.MEDIUM,
    level=Level.ADVISORY,
    frameworks=("Gatekeeper httpsonly", "Kyverno require-ingress-https"),
    rationale="A certificate does not help whom the plain port still answers.",
    remedy='Set the annotation kubernetes.io/ingress.allow-http: "false".',
    bad={"kind": "Ingress", "metadata.annotations.kubernetes.io/ingress.allow-http": None},
    good={"kind": "Ingress", "metadata.annotations.kubernetes.io/ingress.allow-http": "false"},
)
def ingress_no_http(found: Object, parameters: Parameters) -> Iterator[Problem]:
    """The annotation that switches the plain port off is `false`."""
    note = found.metadata["annotations"]["kubernetes.io/ingress.allow-http"]
    yield from required(note, lambda value: value == "false", 'must be "false"')


@object_rule(
    "no-wildcard-or-empty-host",
    "Ingresses name their hosts",
    kinds=_INGRESS,
    severity=Severity.MEDIUM,
    frameworks=("Gatekeeper block-wildcard-ingress", "Kyverno restrict-ingress-wildcard"),
    rationale="Without a host, or with a wildcard, an Ingress takes requests that are another one's.",
    remedy="Set `host` of every rule to one full name.",
    bad={"kind": "Ingress", "spec.rules.0.host": "*.orders.example"},
    good={"kind": "Ingress", "spec.rules.0.host": "orders.example"},
)
def no_wildcard_or_empty_host(found: Object, parameters: Parameters) -> Iterator[Problem]:
    """Every rule has a host without `*`."""
    for rule in found.view.at("spec", "rules").items():
        yield from required(
            rule["host"], lambda value: value != "" and "*" not in as_text(value), "must be one full name"
        )


@object_rule(
    "ingress-no-default-backend",
    "No Ingress catches what no rule names",
    kinds=_INGRESS,
    severity=Severity.LOW,
    level=Level.ADVISORY,
    frameworks=("Kyverno restrict-ingress-defaultbackend",),
    rationale="A default backend answers for every host that leads to the controller, also for foreign ones.",
    remedy="Write a rule for the host and path that are meant.",
    bad={"kind": "Ingress", "spec.defaultBackend": {"service": {"name": "orders", "port": {"number": 80}}}},
    good={"kind": "Ingress", "spec.defaultBackend": None},
)
def ingress_no_default_backend(found: Object, parameters: Parameters) -> Iterator[Problem]:
    """`defaultBackend`, before v1 `backend`, is not set."""
    for name in ("defaultBackend", "backend"):
        yield from if_set(found.view.at("spec", name), lambda value: False, "should not be set")


@object_rule(
    "ingress-no-snippets",
    "No configuration of nginx in an Ingress",
    kinds=_INGRESS,
    severity=Severity.CRITICAL,
    frameworks=("CVE-2021-25742", "Kyverno restrict-annotations", "checkov CKV_K8S_152, 153, 154"),
    rationale="A snippet runs inside the controller, which reads the secrets of every namespace.",
    remedy="Remove the annotation; use a filter of the gateway.",
    right=REMOVED,
    bad={"kind": "Ingress", "metadata.annotations.nginx.ingress.kubernetes.io/server-snippet": "return 200;"},
    good={"kind": "Ingress", "metadata.annotations.nginx.ingress.kubernetes.io/rewrite-target": "/"},
)
def ingress_no_snippets(found: Object, parameters: Parameters) -> Iterator[Problem]:
    """No annotation of ingress-nginx is a snippet, or breaks out of its place in the configuration."""
    for name, note in found.metadata["annotations"].fields():
        if not _NGINX.match(name):
            continue
        if "snippet" in name:
            yield from if_set(note, lambda value: False, "must not be set")
        else:
            yield from if_set(note, lambda value: not _BREAKS_OUT.search(as_text(value)), "must not hold configuration")


@object_rule(
    "ingress-path-safe",
    "Paths of an Ingress stay paths",
    kinds=_INGRESS,
    severity=Severity.HIGH,
    frameworks=("CVE-2021-25745", "Kyverno restrict-ingress-paths"),
    rationale="ingress-nginx wrote paths into its configuration: one with a directory of secrets served them.",
    remedy="Use a path of the service's own, without quotes, braces and semicolons.",
    bad={"kind": "Ingress", "spec.rules.0.http.paths.0.path": "/etc/passwd"},
    good={"kind": "Ingress", "spec.rules.0.http.paths.0.path": "/orders"},
)
def ingress_path_safe(found: Object, parameters: Parameters) -> Iterator[Problem]:
    """No path is a directory of the controller's secrets or holds signs of a configuration."""
    for rule in found.view.at("spec", "rules").items():
        for path in rule.at("http", "paths").items():
            yield from if_set(
                path["path"], lambda value: not _is_unsafe(as_text(value)), "must be a path of the service"
            )


def _is_unsafe(path: str) -> bool:
    return _SECRET_PATH.match(path) is not None or any(sign in path for sign in "{};\n\"'")


@pod_rule(
    "no-ingress-nginx",
    "No ingress-nginx, which has come to its end",
    severity=Severity.MEDIUM,
    level=Level.ADVISORY,
    frameworks=("kubescape C-0292", "CVE-2025-1974"),
    rationale="The project ended in March 2026: holes that are found now stay.",
    remedy="Use a controller of the Gateway API, for example Envoy Gateway.",
    bad={"spec.containers.0.image": f"registry.k8s.io/ingress-nginx/controller:v1.11.0@sha256:{'4' * 64}"},
    good={"spec.containers.0.image": f"docker.io/library/nginx:1.29@sha256:{'4' * 64}"},
)
def no_ingress_nginx(pod: Pod, parameters: Parameters) -> Iterator[Problem]:
    """No image is that of the controller."""
    for container in pod.containers:
        yield from if_set(container["image"], lambda value: not _is_controller(as_text(value)), "should be another one")


def _is_controller(image: str) -> bool:
    name = reference(image).repository
    ours = ("ingress-nginx", "nginx-ingress-controller", "nginx-controller")
    return any(part in ours or part.startswith("nginx-ingress-controller") for part in name.split("/"))


@object_rule(
    "netpol-no-allow-all",
    "No NetworkPolicy lets everybody in or everything out",
    kinds=_POLICY,
    severity=Severity.HIGH,
    frameworks=("Trivy KSV-0038", "CIS Kubernetes 5.3.2"),
    rationale="A rule without a peer, or with nearly all public addresses, takes back what the policy is there for.",
    remedy="Name the peers: podSelector, namespaceSelector, or the ranges that are meant; `except` makes no name.",
    bad={"kind": "NetworkPolicy", "spec.egress.0.to": [{"ipBlock": {"cidr": "0.0.0.0/0"}}]},
    good={"kind": "NetworkPolicy", "spec.egress.0.to": [{"ipBlock": {"cidr": "203.0.113.0/24"}}]},
)
def netpol_no_allow_all(found: Object, parameters: Parameters) -> Iterator[Problem]:
    """Every rule names peers; neither one of them is everybody, nor all ranges for the same ports together."""
    for direction, peers in (("ingress", "from"), ("egress", "to")):
        rules = found.view.at("spec", direction).items()
        for rule in rules:
            yield from _all_peers(rule[peers])
        yield from _wide_ranges(rules, peers)


_NOT_EVERYBODY = "must name peers, and not everybody"


def _all_peers(peers: View) -> Iterator[Problem]:
    if peers.is_unknown:
        yield undecided(peers, _NOT_EVERYBODY)
    elif not peers.items():
        yield violated(peers, _NOT_EVERYBODY)
    for peer in peers.items():
        spaces, pods = peer["namespaceSelector"], peer["podSelector"]
        if peer["ipBlock"].is_absent and _selects_all(spaces) and (pods.is_absent or _selects_all(pods)):
            yield violated(peer, _NOT_EVERYBODY)


def _wide_ranges(rules: Sequence[View], peers: str) -> Iterator[Problem]:
    """Rules that open the same ports count together, and with them those that open every port."""
    groups: dict[frozenset[tuple[str, ...]], list[Range]] = defaultdict(list)
    for rule in rules:
        groups[_ports(rule)] += _ranges(rule[peers])
    for_every_port = groups[_ANY_PORT]
    reached = {ports: reach([*ranges, *(for_every_port if ports else ())]) for ports, ranges in groups.items()}
    for rule in rules:
        own = _ranges(rule[peers])
        state = reached[_ports(rule)] if own else None
        if state is State.UNKNOWN and not are_open(own):  # another rule's, which says so
            state = None
        alone = [*everybody(own, rule[peers], _NOT_EVERYBODY)]
        yield from alone or of_state(rule[peers], state, _NOT_EVERYBODY)


_ANY_PORT: frozenset[tuple[str, ...]] = frozenset()


def _ports(rule: View) -> frozenset[tuple[str, ...]]:
    """What tells rules for some ports from those for others; nothing for every port."""
    return frozenset(
        (as_text(port["protocol"].value) or "TCP", as_text(port["port"].value), as_text(port["endPort"].value))
        for port in rule["ports"].items()
    )


def _ranges(peers: View) -> list[Range]:
    return [range_of(peer) for peer in peers.items() if not peer["ipBlock"].is_absent and not peers.is_unknown]


def _selects_all(selector: View) -> bool:
    if selector.is_absent or selector.is_unknown:
        return False
    return not selector["matchLabels"].fields() and not selector["matchExpressions"].items()


@object_rule(
    "no-imds-egress",
    "No way to the address where clouds keep the machine's credentials",
    kinds=_POLICY,
    severity=Severity.HIGH,
    frameworks=("kubescape C-0052", "OWASP K08"),
    rationale="Who reaches 169.254.169.254 is given the credentials of the node.",
    remedy="Add 169.254.169.254/32 to `except` of the range.",
    bad={"kind": "NetworkPolicy", "spec.egress.0.to": [{"ipBlock": {"cidr": "169.254.0.0/16"}}]},
    good={
        "kind": "NetworkPolicy",
        "spec.egress.0.to": [{"ipBlock": {"cidr": "169.254.0.0/16", "except": ["169.254.169.254/32"]}}],
    },
)
def no_imds_egress(found: Object, parameters: Parameters) -> Iterator[Problem]:
    """No range of egress holds the address, unless it is excepted."""
    for rule in found.view.at("spec", "egress").items():
        for peer in rule["to"].items():
            block = peer["ipBlock"]
            message = "must except 169.254.169.254/32"
            if block.is_unknown or block["cidr"].is_unknown:
                yield undecided(block, message)
            elif _holds_imds(block["cidr"]) and not any(_holds_imds(each) for each in block["except"].items()):
                yield violated(block, message)


def _holds_imds(cidr: View) -> bool:
    try:
        return ipaddress.ip_address("169.254.169.254") in ipaddress.ip_network(cidr.text(), strict=False)
    except ValueError:
        return False


@object_rule(
    "sandbox-egress-bounded",
    "A sandbox for agents' code reaches only what it is told",
    kinds=("SandboxTemplate",),
    severity=Severity.HIGH,
    frameworks=("kubescape agent-sandbox-egress-policy",),
    rationale="Code that a model wrote sends what it finds wherever it likes; the default lets it reach the internet.",
    remedy="Set `networkPolicy.egress` to named peers, or to an empty list, and leave the management to Managed.",
    bad={"kind": "SandboxTemplate", "spec.networkPolicy": None},
    good={"kind": "SandboxTemplate", "spec.networkPolicy": {"egress": []}},
)
def sandbox_egress_bounded(found: Object, parameters: Parameters) -> Iterator[Problem]:
    """The policy is managed and set, and each of its rules names peers that are not everybody."""
    spec = found.view["spec"]
    yield from if_set(spec["networkPolicyManagement"], lambda value: value == "Managed", "must be Managed")
    policy = spec["networkPolicy"]
    yield from required(policy, lambda value: isinstance(value, dict), "must be set")
    if policy.is_unknown or policy.is_absent or not isinstance(policy.value, dict):
        return
    egress = policy["egress"]
    if egress.is_absent:
        yield from () if "Egress" in policy["policyTypes"].texts() else [missing(egress, "must be set")]
        return
    yield from if_set(egress, lambda value: isinstance(value, list), "must be a list")
    for rule in egress.items():
        peers = rule["to"].items()
        ranges = [range_of(peer) for peer in peers if peer.at("ipBlock", "cidr").text()]
        if not peers or not all(map(_is_bounded, peers)) or reach(ranges) is State.VIOLATED:
            yield violated(rule, "must name peers, and not everybody")


def _is_bounded(peer: View) -> bool:
    """A range, or labels that something must have."""
    selectors = (peer["podSelector"], peer["namespaceSelector"])
    return bool(peer.at("ipBlock", "cidr").text()) or any(
        not each.is_absent and not _selects_all(each) for each in selectors
    )
