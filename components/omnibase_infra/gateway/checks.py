"""What is refused, all of it together, before any resource exists."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from omnibase_infra.gateway.args import GatewayArgs, GatewayControllerArgs, GatewayCors, RouteArgs
from omnibase_infra.gateway.policy_spec import MOST_CORS_SECONDS, STRICT_HEADERS
from omnibase_infra.naming import dns_label
from omnibase_infra.network import party_problems

MOST_CLIENTS = 15  # Envoy Gateway takes 16 rules of a local rate limit; each client is one
MOST_WEIGHT = 1_000_000
_DIGEST = re.compile(r"^[^@\s]+@sha256:[0-9a-f]{64}$")
_HOST = re.compile(r"^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]([a-z0-9-]{0,61}[a-z0-9])?$")
_CLIENT = re.compile(r"^[a-z0-9]([a-z0-9.-]{0,61}[a-z0-9])?$")
_ORIGIN = re.compile(r"^(\*|https?://[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?(:[0-9]{1,5})?)$")
_HEADER_TEXT = re.compile(r"^[\x20-\x7e]{1,1000}$")
_PATH = re.compile(r"^/[A-Za-z0-9._~/-]*$")
_PORTS = range(1, 65536)


def controller_problems(args: GatewayControllerArgs) -> list[str]:
    """Every reason why a controller cannot be made from these arguments."""
    found = [*_image(args["image"]), *_range("replicas", args["replicas"], 1, 5)]
    found += _range("cpu_request_millis", args["cpu_request_millis"], 1, 64_000)
    found += _range("memory_mib", args["memory_mib"], 64, 65_536)
    found += _range("proxies", args["proxies"], 1, 1000)
    if not args["namespaces"]:
        found.append("namespaces is empty: it would serve, and read the secrets of, nobody or everybody; name each one")
    found += _doubles("namespaces", args["namespaces"])
    if not args["api_server_cidrs"] or not args["api_server_ports"]:
        found.append("api_server_cidrs and api_server_ports are required: everything it knows comes from there")
    return found


def gateway_problems(name: str, args: GatewayArgs) -> list[str]:
    """Every reason why a gateway cannot be made from these arguments."""
    found = [*_label(name), *_image(args["image"]), *_hosts("hosts", args["hosts"])]
    found += [
        f"host {host!r} is not under the certificate, which is for {', '.join(args['certificate_hosts']) or 'nothing'}"
        for host in args["hosts"]
        if not any(covers(known, host) for known in args["certificate_hosts"])
    ]
    found += _clients(args)
    found += _range("replicas", args["replicas"], 1, 100)
    found += _range("cpu_request_millis", args["cpu_request_millis"], 1, 64_000)
    found += _range("memory_mib", args["memory_mib"], 64, 65_536)
    found += _range("connections", args["connections"], 1, 1_000_000)
    found += _range("trusted_hops", args.get("trusted_hops", 0), 0, 5)
    found += _range("hsts_seconds", args.get("hsts_seconds", 300), 300, 63_072_000)
    found += _range("max_body_kib", args.get("max_body_kib", 1024), 1, 65_536)
    if args.get("tls_min_version", "1.2") not in ("1.2", "1.3"):
        found.append(f"tls_min_version={args.get('tls_min_version')!r} must be '1.2' or '1.3'; older ones are broken")
    found += _reply_headers(args.get("reply_headers", {}))
    if "cors" in args:
        found += _cors(args["cors"])
    for number, party in enumerate(args["accepts_from"]):
        found += party_problems(f"accepts_from[{number}]", party)
    return found


def route_problems(name: str, args: RouteArgs) -> list[str]:
    """Every reason why a route cannot be made from these arguments."""
    found = [*_label(name), *_hosts("hosts", args["hosts"])]
    path = args.get("path", "/")
    if not _PATH.match(path):
        found.append(f"path={path!r} must start with '/' and have letters, digits, '.', '_', '~', '-' only")
    found += _range("timeout_seconds", args.get("timeout_seconds", 15), 1, 300)
    found += _range("retries", args.get("retries", 2), 0, 5)
    if not args["backends"]:
        found.append("backends is empty; name at least one Service")
    elif not any(backend.get("weight", 1) > 0 for backend in args["backends"]):
        found.append("all weights are 0, so every call would fail; give one backend a weight above 0")
    limits = args.get("limits", {})
    if len(limits) > MOST_CLIENTS:
        found.append(f"limits of {len(limits)} clients; at most {MOST_CLIENTS} are possible")
    for client, requests in limits.items():
        found += _range(f"limit of client {client!r}", requests, 1, 600_000)
    found += _doubles("backends", [backend["service"] for backend in args["backends"]])
    for backend in args["backends"]:
        service = backend["service"]
        found += _range(f"weight of backend {service!r}", backend.get("weight", 1), 0, MOST_WEIGHT)
        if backend["port"] not in _PORTS:
            found.append(f"port of backend {service!r}: {backend['port']} is outside 1..65535")
        if not backend["pods"]:
            found.append(f"pods of backend {service!r} are without labels: the flow would reach every pod")
    return found


def covers(certificate_host: str, host: str) -> bool:
    """Whether a certificate's name is good for a host; `*` stands for exactly one label."""
    if certificate_host.startswith("*."):
        return host.partition(".")[2] == certificate_host[2:]
    return certificate_host == host


def _clients(args: GatewayArgs) -> list[str]:
    found = []
    clients = args["clients"]
    if not 1 <= len(clients) <= MOST_CLIENTS:
        found.append(f"{len(clients)} clients; 1 to {MOST_CLIENTS} are possible, as each is a rule of the rate limit")
    for client, limits in clients.items():
        if not _CLIENT.match(client):
            found.append(
                f"client {client!r} must be lower-case letters, digits, '.' and '-'; services see it in a header"
            )
        found += _range(f"requests_per_minute of client {client!r}", limits["requests_per_minute"], 1, 600_000)
    if set(args["keys"]) != set(clients):
        found.append(
            f"keys are for {', '.join(sorted(args['keys'])) or 'nobody'}, clients are {', '.join(sorted(clients))}"
        )
    return found


def _reply_headers(headers: Mapping[str, str]) -> list[str]:
    found = [
        f"reply_headers: {name!r} cannot be changed; {', '.join(STRICT_HEADERS)} can"
        for name in headers
        if name not in STRICT_HEADERS
    ]
    bad = [name for name, value in headers.items() if not _HEADER_TEXT.match(value)]
    return [*found, *(f"reply_headers: the value of {name!r} is empty or no plain ASCII text" for name in bad)]


def _cors(cors: GatewayCors) -> list[str]:
    found = []
    if not cors["origins"] or not cors["methods"]:
        found.append("cors needs at least one origin and one method; leave it out to allow none")
    found += [
        f"cors: {origin!r} is no origin; use scheme, host and port, for example https://app.example.test"
        for origin in cors["origins"]
        if not _ORIGIN.match(origin)
    ]
    if "*" in cors["origins"] and cors.get("credentials"):
        found.append("cors: credentials cannot go together with the origin '*'; name the origins")
    return [*found, *_range("cors.max_age_seconds", cors.get("max_age_seconds", 1), 1, MOST_CORS_SECONDS)]


def _image(image: str) -> list[str]:
    return (
        [] if _DIGEST.match(image) else [f"image={image!r} has no digest; use registry/name:tag@sha256:<64 hex digits>"]
    )


def _hosts(field: str, hosts: Sequence[str]) -> list[str]:
    if not hosts:
        return [f"{field} is empty: every name would be allowed; list each one"]
    found = [
        f"{field}: {host!r} is no full DNS name (and wildcards are refused)" for host in hosts if not _HOST.match(host)
    ]
    return [*found, *_doubles(field, hosts)]


def _doubles(field: str, values: Iterable[str]) -> list[str]:
    return [f"{field}: {value!r} is there more than once" for value, count in Counter(values).items() if count > 1]


def _range(field: str, value: float, low: int, high: int) -> list[str]:
    return [] if low <= value <= high else [f"{field}={value:g} is outside {low}..{high}"]


def _label(name: str) -> list[str]:
    try:
        return [] if dns_label(name) == name else [f"name {name!r} is longer than 63 characters"]
    except ValueError as error:
        return [str(error)]
