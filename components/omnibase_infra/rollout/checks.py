"""What is refused, all of it together, before any resource exists."""

from itertools import pairwise

from omnibase_infra.naming import DNS_LABEL
from omnibase_infra.rollout.args import RolloutArgs
from omnibase_infra.rollout.names import analysis
from omnibase_infra.workload import READY

_BOUNDS = {
    "interval_seconds": (2, 3600),
    "step_deadline_seconds": (10, 7200),
    "max_error_percent": (0, 100),
    "max_latency_ms": (1, 300_000),
    "min_requests": (1, 1_000_000),
}


def problems(name: str, args: RolloutArgs) -> list[str]:
    """Every reason why these arguments cannot be used; those of the workload are found by HardenedWorkload."""
    values = {field: int(args[field]) for field in _BOUNDS}  # type: ignore[literal-required]  # keys of RolloutArgs
    found = [
        f"{field}={values[field]} is outside {low}..{high}"
        for field, (low, high) in _BOUNDS.items()
        if not low <= values[field] <= high
    ]
    if values["step_deadline_seconds"] <= values["interval_seconds"]:
        found.append(
            f"step_deadline_seconds={values['step_deadline_seconds']} must be above "
            f"interval_seconds={values['interval_seconds']}: no step could end in time"
        )
    return [*found, *_name(name), *_steps(args), *_workload(args), *_surroundings(args)]


def _name(name: str) -> list[str]:
    longest = DNS_LABEL - len(analysis(""))
    return [f"name {name!r} is longer than {longest} characters"] if len(name) > longest else []


def _steps(args: RolloutArgs) -> list[str]:
    steps = [int(step) for step in args["steps"]]
    if not steps:
        return ["steps is empty, so the canary would prove nothing; for example [5, 25, 50]"]
    found = [f"step {step} is outside 1..100" for step in steps if not 1 <= step <= 100]  # noqa: PLR2004 -- per cent
    if any(later <= earlier for earlier, later in pairwise(steps)):
        found.append(f"steps={steps} must ascend")
    return found


def _workload(args: RolloutArgs) -> list[str]:
    workload = args["workload"]
    kind = workload.get("kind", "Deployment")
    found = []
    if kind != "Deployment":
        found.append(
            f"workload.kind={kind!r} must be Deployment: only pods without a state of their own can be doubled"
        )
    if "port" not in workload:
        found.append("workload.port is required: the canary is called on it")
    if "path" not in workload.get("ready", READY):
        found.append("workload.ready must be a path: the analysis calls it")
    if "tls_secret" in workload:
        found.append("workload.tls_secret: the analysis speaks plain HTTP with the canary; leave TLS to the gateway")
    twice = sorted(set(args.get("canary_env", {})) & set(workload.get("env", {})))
    if twice:
        found.append(f"canary_env would change {', '.join(twice)}, so that something else is proven than what follows")
    return found


def _surroundings(args: RolloutArgs) -> list[str]:
    found = []
    if not args["routes"]:
        found.append("routes is empty: without a route the canary gets no calls")
    if not args["api_server_cidrs"] or not args["api_server_ports"]:
        found.append("api_server_cidrs and api_server_ports are required: the weights are moved there")
    if not args["prometheus_url"].startswith(("http://", "https://")):
        found.append(f"prometheus_url={args['prometheus_url']!r} must be an http address")
    if args.get("probe_path") is not None and not str(args.get("probe_path")).startswith("/"):
        found.append(f"probe_path={args.get('probe_path')!r} must start with '/'")
    return found
