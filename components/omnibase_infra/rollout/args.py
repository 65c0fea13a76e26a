"""What may be asked of a rollout."""

from typing import NotRequired, TypedDict

import pulumi

from omnibase_infra.waiver import Waiver
from omnibase_infra.workload import HardenedWorkloadArgs


class RolloutArgs(TypedDict):
    """Plain values, but for images and what the workload itself takes from elsewhere."""

    workload: HardenedWorkloadArgs
    """What the stable workload gets, the same: a Deployment with a port."""
    canary_env: NotRequired[dict[str, str]]
    """Variables that only the canary gets, for instance to leave work in the background to the stable pods."""
    analysis_image: pulumi.Input[str]
    """The analysis, reference with digest."""
    analysis_memory_mib: int
    """Memory request and limit of the analysis, MiB."""
    analysis_cpu_request_millis: int
    """CPU request of the analysis, thousandths of a core."""
    routes: list[str]
    """HTTPRoutes of the same namespace, with the stable Service and the canary's among their backends."""
    steps: list[int]
    """Per cent of the calls that the canary gets, 1..100, ascending."""
    interval_seconds: int
    """How long each step is watched at least, 2..3600."""
    step_deadline_seconds: int
    """How long a step may wait for metrics, above the interval, at most 7200."""
    max_error_percent: int
    """Calls that may end with 5xx, in per cent of each step's, 0..100."""
    max_latency_ms: int
    """How long 95 % of the calls may take, 1..300000."""
    min_requests: int
    """Calls of a step below which their rates say nothing: then the analysis' own calls decide."""
    probe_path: NotRequired[str]
    """What the analysis calls beside the readiness path, by GET; default nothing else."""
    prometheus_url: str
    """http address inside the cluster. The way there is MonitoringStack's: `metrics_readers` names the analysis."""
    api_server_cidrs: list[str]
    """Networks under which pods see the API server, before and after translation."""
    api_server_ports: list[int]
    """Its ports, before and after translation."""
    waiver: Waiver
    """Permission for `service-account-token`: without a token the analysis could not move a weight."""
