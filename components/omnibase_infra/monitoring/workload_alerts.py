"""Alerts on everything that runs, pure: from what the API server knows. Thresholds: docs/architecture/monitoring.md."""

from omnibase_infra.alert import Alert


def workload_alerts(job: str) -> list[Alert]:
    """Alerts on pods, copies, jobs and volume claims of the watched namespaces.

    Args:
        job: of the WorkloadExporter's series.
    """
    return [*_pods(job), _copies(job), *_others(job)]


def _pods(job: str) -> list[Alert]:
    alive = f'max by (namespace, pod) (kube_pod_status_phase{{job="{job}",phase=~"Pending|Running|Unknown"}}) == 1'
    ready = f'max by (namespace, pod) (kube_pod_status_ready{{job="{job}",condition="true"}})'
    restarts = f'kube_pod_container_status_restarts_total{{job="{job}"}}'
    exit_code = f'kube_pod_container_status_last_terminated_exitcode{{job="{job}"}}'
    return [
        {
            "name": "PodCrashLooping",
            "expr": f"sum by (namespace, pod, container) (increase({restarts}[10m])) >= 3",
            "for_seconds": 30,
            "severity": "warning",
            "summary": "{{ $labels.container }} of {{ $labels.namespace }}/{{ $labels.pod }} restarts again and again.",
            "runbook": "pod-crash-looping",
        },
        {
            "name": "ContainerKilled",
            # 128 + SIGKILL: no program ends so by itself, and one that is asked to end does not either
            "expr": (
                f"max by (namespace, pod, container) ({exit_code}) == 137 "
                f"and sum by (namespace, pod, container) (increase({restarts}[5m])) > 0"
            ),
            "for_seconds": 10,
            "severity": "warning",
            "summary": "{{ $labels.container }} of {{ $labels.namespace }}/{{ $labels.pod }} was killed and restarted.",
            "runbook": "container-killed",
        },
        {
            "name": "PodNotReady",
            # not `ready == 0`: a pod that no node takes has no such condition at all
            "expr": f"{alive} unless on (namespace, pod) {ready} == 1",
            "for_seconds": 300,
            "severity": "warning",
            "summary": "{{ $labels.namespace }}/{{ $labels.pod }} is not ready.",
            "runbook": "pod-not-ready",
        },
    ]


def _copies(job: str) -> Alert:
    kinds = {
        "deployment": ("spec_replicas", "status_replicas_available"),
        "statefulset": ("replicas", "status_replicas_ready"),
        "daemonset": ("status_desired_number_scheduled", "status_number_available"),
    }
    missing = [
        f'max by (namespace, {kind}) (kube_{kind}_{wanted}{{job="{job}"}} - kube_{kind}_{there}{{job="{job}"}}) > 0'
        for kind, (wanted, there) in kinds.items()
    ]
    who = "{{ $labels.namespace }}/{{ $labels.deployment }}{{ $labels.statefulset }}{{ $labels.daemonset }}"
    return {
        "name": "CopiesMissing",
        "expr": " or ".join(missing),
        "for_seconds": 300,
        "severity": "warning",
        "summary": f"{who} lacks {{{{ $value }}}} of its copies.",
        "runbook": "copies-missing",
    }


def _others(job: str) -> list[Alert]:
    failed, active, done = (
        f'max by (namespace, job_name) (kube_job_status_{state}{{job="{job}"}})'
        for state in ("failed", "active", "succeeded")
    )
    claims = f'kube_persistentvolumeclaim_status_phase{{job="{job}",phase="Pending"}}'
    return [
        {
            "name": "JobFailed",
            # All three have the same labels, so that no `on` is needed.
            "expr": f"({failed} > 0 and {active} == 0) unless {done} > 0",
            "for_seconds": 30,
            "severity": "warning",
            "summary": "Job {{ $labels.namespace }}/{{ $labels.job_name }} failed and is not tried again.",
            "runbook": "job-failed",
        },
        {
            "name": "VolumeClaimPending",
            "expr": f"max by (namespace, persistentvolumeclaim) ({claims}) == 1",
            "for_seconds": 300,
            "severity": "warning",
            "summary": "Claim {{ $labels.namespace }}/{{ $labels.persistentvolumeclaim }} gets no volume.",
            "runbook": "volume-claim-pending",
        },
    ]
