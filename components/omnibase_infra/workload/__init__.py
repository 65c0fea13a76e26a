"""Services and jobs of ours."""

from omnibase_infra.workload.args import (
    LIVE,
    READY,
    SETTINGS_DIRECTORY,
    Call,
    ConfigMount,
    HardenedWorkloadArgs,
    Probe,
    SecretMount,
    Volume,
)
from omnibase_infra.workload.component import HardenedWorkload
from omnibase_infra.workload.pod import pod_template

__all__ = [
    "LIVE",
    "READY",
    "SETTINGS_DIRECTORY",
    "Call",
    "ConfigMount",
    "HardenedWorkload",
    "HardenedWorkloadArgs",
    "Probe",
    "SecretMount",
    "Volume",
    "pod_template",
]
