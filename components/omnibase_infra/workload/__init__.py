"""Services and jobs of ours."""

from omnibase_infra.workload.args import ConfigMount, HardenedWorkloadArgs, SecretMount
from omnibase_infra.workload.component import HardenedWorkload
from omnibase_infra.workload.pod import pod_template

__all__ = ["ConfigMount", "HardenedWorkload", "HardenedWorkloadArgs", "SecretMount", "pod_template"]
