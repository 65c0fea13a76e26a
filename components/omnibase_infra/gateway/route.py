"""Route: one way from the gateway to Services."""

import json
from typing import Any

import pulumi

from omnibase_infra.errors import refuse
from omnibase_infra.gateway import names, policy_spec
from omnibase_infra.gateway.args import RouteArgs, RouteBackend
from omnibase_infra.gateway.checks import route_problems
from omnibase_infra.gateway.proxy_spec import API_GROUP, head, waiting
from omnibase_infra.network import NetworkFlow, Party
from omnibase_infra.objects import Manifest, child


class Route(pulumi.ComponentResource):
    """An HTTPRoute of one rule: hosts and a path prefix to weighted Services.

    The service gets the gateway's request id as `X-Correlation-ID` and the caller's name as `X-Client-ID`, never the
    API key. Makes: HTTPRoute, one NetworkFlow proxies -> pods per backend, and a BackendTrafficPolicy where the number
    of tries or the limits are not the gateway's. The engine waits until the controller has accepted the route and found
    its Services.

    Raises:
        ArgsError: no host, no backend with a weight above 0, a port or weight out of range; all problems together.
    """

    route: pulumi.Output[str]
    """Name of the HTTPRoute, known once it is in force."""

    def __init__(self, name: str, args: RouteArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        refuse("Route", name, route_problems(name, args))
        inputs: dict[str, Any] = {**args}
        super().__init__("omnibase-infra:index:Route", name, inputs, opts)
        flows = [self._flow(name, args, backend) for backend in args["backends"]]
        made = child(self, f"{name}-http", http_route(name, args), depends_on=flows)
        own = policy(name, args)
        if own:
            child(self, f"{name}-policy", own, depends_on=[made])
        self.route = made.urn.apply(lambda _: name)
        self.register_outputs({"route": self.route})

    def _flow(self, name: str, args: RouteArgs, backend: RouteBackend) -> NetworkFlow:
        destination: Party = {
            "name": backend["service"],
            "namespace": args["namespace"],
            "labels": dict(backend["pods"]),
        }
        source = names.proxies(args["gateway"], args["namespace"])
        flow = f"{name}-to-{backend['service']}"
        return NetworkFlow(
            flow,
            {"source": source, "destination": destination, "ports": [int(backend["port"])]},
            pulumi.ResourceOptions(parent=self),
        )


def http_route(name: str, args: RouteArgs) -> Manifest:
    """The HTTPRoute, pure."""
    correlation = {"name": names.CORRELATION_HEADER, "value": policy_spec.REQUEST_ID}
    rule = {
        "name": "all",
        "matches": [{"path": {"type": "PathPrefix", "value": args.get("path", "/")}}],
        "filters": [{"type": "RequestHeaderModifier", "requestHeaderModifier": {"set": [correlation]}}],
        "backendRefs": [_reference(backend) for backend in args["backends"]],
        "timeouts": {"request": f"{int(args.get('timeout_seconds', 15))}s"},
    }
    spec = {
        "parentRefs": [
            {"group": API_GROUP, "kind": "Gateway", "name": args["gateway"], "sectionName": names.LISTENER},
        ],
        "hostnames": list(args["hosts"]),
        "rules": [rule],
    }
    found = head(f"{API_GROUP}/v1", "HTTPRoute", name, args["namespace"], args["environment"])
    conditions = [
        f"jsonpath={{.status.parents[0].conditions[?(@.type=='{kind}')].status}}=True"
        for kind in ("Accepted", "ResolvedRefs")
    ]
    found["metadata"]["annotations"] = waiting(json.dumps(conditions))
    if args.get("moving_weights"):
        # The rules are one list to the API server: whoever moved a weight owns all of them, also at the old weights.
        found["metadata"]["annotations"]["pulumi.com/patchForce"] = "true"
    return {**found, "spec": spec}


def policy(name: str, args: RouteArgs) -> Manifest | None:
    """The route's own number of tries and limits, laid over the gateway's policy; None where it has none."""
    own: dict[str, Any] = {}
    if args.get("retries", policy_spec.DEFAULT_RETRIES) != policy_spec.DEFAULT_RETRIES:
        own["retry"] = policy_spec.retry(int(args.get("retries", policy_spec.DEFAULT_RETRIES)))
    if args.get("limits"):
        own["rateLimit"] = policy_spec.rate_limit(args["limits"])
    if not own:
        return None
    found = head("gateway.envoyproxy.io/v1alpha1", "BackendTrafficPolicy", name, args["namespace"], args["environment"])
    found["metadata"]["annotations"] = waiting(json.dumps([policy_spec.accepted()]))
    target = {"group": API_GROUP, "kind": "HTTPRoute", "name": name}
    # A list is replaced as a whole: the route's limits are all that it has.
    return {**found, "spec": {"targetRefs": [target], "mergeType": "StrategicMerge", **own}}


def _reference(backend: RouteBackend) -> Manifest:
    return {
        "group": "",
        "kind": "Service",
        "name": backend["service"],
        "port": int(backend["port"]),
        "weight": int(backend.get("weight", 1)),
    }
