"""What the analysis is told, and what it may do; pure."""

import pulumi

from omnibase_infra.naming import labels, service_host
from omnibase_infra.objects import Manifest
from omnibase_infra.rollout.args import RolloutArgs
from omnibase_infra.rollout.names import analysis, canary
from omnibase_infra.workload import LIVE, READY, HardenedWorkloadArgs

REFUSED, WRONG_SETTINGS = 1, 2
"""Exit codes of the analysis that another try would not change."""
_START_SECONDS = 180  # image pull, scheduling, answers of canary, Prometheus and API server, and the way back
_METRICS_PATH = "/metrics"


def canary_args(name: str, args: RolloutArgs) -> HardenedWorkloadArgs:
    """The canary: the stable workload with one pod, reached by the analysis too."""
    found: HardenedWorkloadArgs = {**args["workload"], "replicas": 1}
    found.pop("max_replicas", None)
    space = found["namespace"]
    caller = analysis(name)
    found["env"] = {**found.get("env", {}), **args.get("canary_env", {})}
    found["accepts_from"] = [
        *found.get("accepts_from", []),
        {"name": caller, "namespace": space, "labels": {"app.kubernetes.io/name": caller}},
    ]
    return found


def analysis_args(name: str, args: RolloutArgs) -> HardenedWorkloadArgs:
    """The Job. It gets its restart value (what is proven) from the component."""
    workload = args["workload"]
    steps = [int(step) for step in args["steps"]]
    found: HardenedWorkloadArgs = {
        "kind": "Job",
        "namespace": workload["namespace"],
        "environment": workload["environment"],
        "image": args["analysis_image"],
        "memory_mib": int(args["analysis_memory_mib"]),
        "cpu_request_millis": int(args["analysis_cpu_request_millis"]),
        "scratch_mib": {},
        "env": _environment(name, args, steps),
        "deadline_seconds": _START_SECONDS + len(steps) * int(args["step_deadline_seconds"]),
        "final_exit_codes": [REFUSED, WRONG_SETTINGS],
        "service_account_token": True,
        "waivers": [args["waiver"]],
    }
    if "priority_class" in workload:
        found["priority_class"] = workload["priority_class"]
    return found


def _environment(name: str, args: RolloutArgs, steps: list[int]) -> dict[str, pulumi.Input[str]]:
    workload = args["workload"]
    space = workload["namespace"]
    ready = workload.get("ready", READY)["path"]
    quiet = dict.fromkeys([workload.get("live", LIVE).get("path", ready), ready, _METRICS_PATH])
    return {
        "NAMESPACE": space,
        "SERVICE": name,
        "CANARY": canary(name),
        "ROUTES": ",".join(args["routes"]),
        "STEPS": ",".join(map(str, steps)),
        "INTERVAL_SECONDS": str(int(args["interval_seconds"])),
        "STEP_DEADLINE_SECONDS": str(int(args["step_deadline_seconds"])),
        "MAX_ERROR_PERCENT": str(int(args["max_error_percent"])),
        "MAX_LATENCY_MS": str(int(args["max_latency_ms"])),
        "MIN_REQUESTS": str(int(args["min_requests"])),
        "CANARY_URL": f"http://{service_host(canary(name), space)}:{int(workload['port'])}",
        "READY_PATH": ready,
        "PROBE_PATH": args.get("probe_path", ""),
        "QUIET_PATHS": ",".join(quiet),
        "PROMETHEUS_URL": args["prometheus_url"],
    }


def role(name: str, args: RolloutArgs) -> Manifest:
    """Read and change the named routes; see whether the stable Deployment is there. Nothing else, in this namespace."""
    routes = {
        "apiGroups": ["gateway.networking.k8s.io"],
        "resources": ["httproutes"],
        "resourceNames": sorted(args["routes"]),
        "verbs": ["get", "patch"],
    }
    stable = {"apiGroups": ["apps"], "resources": ["deployments"], "resourceNames": [name], "verbs": ["get"]}
    return _object("Role", name, args, {"rules": [routes, stable]})


def binding(name: str, args: RolloutArgs) -> Manifest:
    """The role for the analysis' account."""
    reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": analysis(name)}
    subject = {"kind": "ServiceAccount", "name": analysis(name), "namespace": args["workload"]["namespace"]}
    return _object("RoleBinding", name, args, {"roleRef": reference, "subjects": [subject]})


def _object(kind: str, name: str, args: RolloutArgs, rest: Manifest) -> Manifest:
    metadata = {
        "name": analysis(name),
        "namespace": args["workload"]["namespace"],
        "labels": labels(analysis(name), "delivery", args["workload"]["environment"]),
    }
    return {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": kind, "metadata": metadata, **rest}
