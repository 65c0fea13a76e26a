"""The objects around the pod, pure."""

from typing import Any

from omnibase_infra.naming import labels
from omnibase_infra.objects import Manifest
from omnibase_infra.workload.args import (
    DEFAULT_DEADLINE_SECONDS,
    DEFAULT_START_SECONDS,
    HardenedWorkloadArgs,
    Volume,
)
from omnibase_infra.workload.pod import pod_template, ports, settings_name

_ROLL_MARGIN_SECONDS = 120  # image pull, scheduling and the first readiness probe, on top of the start budget
_CPU_TARGET_PERCENT = 70
_JOB_MARGIN_SECONDS = 60  # between the Job's own deadline and the engine's: the Job's says more


def workload(name: str, args: HardenedWorkloadArgs) -> Manifest:
    """The Deployment, StatefulSet, Job or CronJob."""
    kind = args.get("kind", "Deployment")
    found = labels(name, "service", args["environment"])
    if "layer" in args:
        found["omnibase.io/layer"] = args["layer"]
    template = pod_template(name, args, found)
    spec: Manifest
    if kind == "Deployment":
        spec = _deployment(name, args, template)
    elif kind == "StatefulSet":
        spec = _stateful_set(name, args, template)
    elif kind == "Job":
        spec = _job(name, args, template)
    else:
        spec = _cron_job(name, args, template)
    version = "apps/v1" if kind in ("Deployment", "StatefulSet") else "batch/v1"
    metadata: Manifest = {"name": name, "namespace": args["namespace"], "labels": found}
    if kind == "Job":
        metadata["annotations"] = _awaited(args)
    return {"apiVersion": version, "kind": kind, "metadata": metadata, "spec": spec}


def _deployment(name: str, args: HardenedWorkloadArgs, template: Manifest) -> Manifest:
    start = int(args.get("start_seconds", DEFAULT_START_SECONDS))
    spec: Manifest = {
        "selector": {"matchLabels": {"app.kubernetes.io/name": name}},
        "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}},
        "revisionHistoryLimit": 5,
        "progressDeadlineSeconds": start + _ROLL_MARGIN_SECONDS,
        "template": template,
    }
    if "max_replicas" not in args:  # an autoscaler owns the number otherwise
        spec["replicas"] = int(args.get("replicas", 1))
    return spec


def _stateful_set(name: str, args: HardenedWorkloadArgs, template: Manifest) -> Manifest:
    return {
        "serviceName": name,
        "replicas": int(args.get("replicas", 1)),
        "selector": {"matchLabels": {"app.kubernetes.io/name": name}},
        "podManagementPolicy": "OrderedReady",
        "updateStrategy": {"type": "RollingUpdate"},
        "persistentVolumeClaimRetentionPolicy": {"whenDeleted": "Retain", "whenScaled": "Retain"},
        "volumeClaimTemplates": [_claim(key, volume, args) for key, volume in args["volumes"].items()],
        "template": template,
    }


def _claim(key: str, volume: Volume, args: HardenedWorkloadArgs) -> Manifest:
    spec: Manifest = {
        "accessModes": ["ReadWriteOnce"],
        "resources": {"requests": {"storage": f"{int(volume['size_gib'])}Gi"}},
    }
    if "storage_class" in args:
        spec["storageClassName"] = args["storage_class"]
    return {"metadata": {"name": key}, "spec": spec}


def _job(name: str, args: HardenedWorkloadArgs, template: Manifest) -> Manifest:
    deadline = int(args.get("deadline_seconds", DEFAULT_DEADLINE_SECONDS))
    spec: Manifest = {"backoffLimit": 3, "activeDeadlineSeconds": deadline, "template": template}
    if args.get("final_exit_codes"):
        codes = sorted({int(code) for code in args["final_exit_codes"]})
        final = {"action": "FailJob", "onExitCodes": {"containerName": name, "operator": "In", "values": codes}}
        spec["podFailurePolicy"] = {"rules": [final]}
    return spec


def _awaited(args: HardenedWorkloadArgs) -> dict[str, str]:
    """The engine waits for a Job for as long as the Job itself may take, and makes a failed one anew."""
    deadline = int(args.get("deadline_seconds", DEFAULT_DEADLINE_SECONDS))
    return {
        "pulumi.com/replaceUnready": "true",
        "pulumi.com/timeoutSeconds": str(deadline + _JOB_MARGIN_SECONDS),
    }


def _cron_job(name: str, args: HardenedWorkloadArgs, template: Manifest) -> Manifest:
    return {
        "schedule": args["schedule"],
        "timeZone": "Etc/UTC",
        "concurrencyPolicy": "Forbid",
        "startingDeadlineSeconds": 300,
        "successfulJobsHistoryLimit": 1,
        "failedJobsHistoryLimit": 3,
        "jobTemplate": {"spec": _job(name, args, template)},
    }


def service_account(name: str, args: HardenedWorkloadArgs) -> Manifest:
    """An own account, so that rights can be given to this workload alone."""
    return _object("v1", "ServiceAccount", name, args, {"automountServiceAccountToken": False})


def settings(name: str, args: HardenedWorkloadArgs) -> Manifest:
    """The files of the settings, which never change under a running pod."""
    found = _object("v1", "ConfigMap", name, args, {"immutable": True, "data": dict(args["settings"])})
    return {**found, "metadata": {**found["metadata"], "name": settings_name(name, args)}}


def service(name: str, args: HardenedWorkloadArgs) -> Manifest:
    """The stable address; only ready pods are behind it."""
    spec = {
        "type": "ClusterIP",
        "selector": {"app.kubernetes.io/name": name},
        "ports": [
            {"name": key, "port": port, "targetPort": key, "protocol": "TCP"} for key, port in ports(args).items()
        ],
    }
    return _object("v1", "Service", name, args, {"spec": spec})


def disruption_budget(name: str, args: HardenedWorkloadArgs) -> Manifest:
    """A drain takes one pod at a time; pods that are not ready do not block it."""
    spec = {
        "maxUnavailable": 1,
        "selector": {"matchLabels": {"app.kubernetes.io/name": name}},
        "unhealthyPodEvictionPolicy": "AlwaysAllow",
    }
    return _object("policy/v1", "PodDisruptionBudget", name, args, {"spec": spec})


def autoscaler(name: str, args: HardenedWorkloadArgs) -> Manifest:
    """CPU-driven number of pods between replicas and max_replicas."""
    metric = {
        "type": "Resource",
        "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": _CPU_TARGET_PERCENT}},
    }
    spec = {
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": name},
        "minReplicas": int(args.get("replicas", 1)),
        "maxReplicas": int(args["max_replicas"]),
        "metrics": [metric],
    }
    return _object("autoscaling/v2", "HorizontalPodAutoscaler", name, args, {"spec": spec})


def _object(version: str, kind: str, name: str, args: HardenedWorkloadArgs, rest: dict[str, Any]) -> Manifest:
    metadata = {
        "name": name,
        "namespace": args["namespace"],
        "labels": labels(name, "service", args["environment"]),
    }
    return {"apiVersion": version, "kind": kind, "metadata": metadata, **rest}
