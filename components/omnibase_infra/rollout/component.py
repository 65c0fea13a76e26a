"""Rollout: a canary of a service, and the Job that proves it before the stable pods change."""

import hashlib
from typing import Any

import pulumi

from omnibase_infra.errors import refuse
from omnibase_infra.network import NetworkFlow, Party
from omnibase_infra.objects import child
from omnibase_infra.rollout import manifests, names
from omnibase_infra.rollout.args import RolloutArgs
from omnibase_infra.rollout.checks import problems
from omnibase_infra.workload import HardenedWorkload, HardenedWorkloadArgs, pod_template

_DIGEST = 16  # hexadecimal digits


class Rollout(pulumi.ComponentResource):
    """A weighted canary with an automatic way back. The component is called like the service.

    Makes: HardenedWorkload `<service>-canary` (one pod of the new version), then a Job `<service>-analysis` with an
    account, a role for the named routes only, and the flow to the API server. The Job gives the canary the steps'
    shares of the calls, watches its errors and latency in Prometheus and by calls of its own, gives all calls back to
    the stable pods, and fails where the canary is worse than allowed, says nothing, or cannot be watched. The engine
    waits for it: make the stable workload depend on this component, and a refused version never reaches it. The Job
    runs again when the canary's pod template, a limit or the analysis changes, and after a failure; a first deployment
    passes at once.

    Raises:
        ArgsError: no or falling steps, a value out of its range, no route, no way to the API server, a workload that is
            no Deployment with a port, a waiver that is missing or expired; all problems together.
    """

    canary: pulumi.Output[str]
    """Name of the canary's Service, known when the canary is ready."""
    proven: pulumi.Output[str]
    """Digest of the pod template that was proven, known when the analysis has passed."""

    def __init__(self, name: str, args: RolloutArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        refuse("Rollout", name, problems(name, args))
        inputs: dict[str, Any] = {**args}
        super().__init__("omnibase-infra:index:Rollout", name, inputs, opts)
        own = manifests.canary_args(name, args)
        below = pulumi.ResourceOptions(parent=self)
        canary = HardenedWorkload(names.canary(name), own, below)
        digest = _digest(names.canary(name), own)
        rights = self._rights(name, args)
        flow = self._flow(name, args)
        job = manifests.analysis_args(name, args)
        job["restart_on"] = {"proves": digest}
        made = HardenedWorkload(
            names.analysis(name), job, pulumi.ResourceOptions(parent=self, depends_on=[canary, flow, *rights])
        )
        self.canary = canary.workload
        self.proven = pulumi.Output.all(digest, made.workload).apply(lambda both: str(both[0]))
        self.register_outputs({"canary": self.canary, "proven": self.proven})

    def _rights(self, name: str, args: RolloutArgs) -> list[pulumi.Resource]:
        role = child(self, f"{name}-analysis-role", manifests.role(name, args))
        return [role, child(self, f"{name}-analysis-binding", manifests.binding(name, args), depends_on=[role])]

    def _flow(self, name: str, args: RolloutArgs) -> NetworkFlow:
        """To the API server. The one to the canary is the canary's, the one to Prometheus that of monitoring."""
        api: Party = {"name": "API server", "cidrs": list(args["api_server_cidrs"])}
        source = names.party(names.analysis(name), args["workload"]["namespace"])
        ports = [int(port) for port in args["api_server_ports"]]
        return NetworkFlow(
            f"{name}-analysis-api",
            {"source": source, "destination": api, "ports": ports},
            pulumi.ResourceOptions(parent=self),
        )


def _digest(name: str, args: HardenedWorkloadArgs) -> pulumi.Output[str]:
    """What is proven: another template is another pod, everything else of a workload is not."""
    text = pulumi.Output.json_dumps(pod_template(name, args, {}), sort_keys=True)
    return text.apply(lambda known: hashlib.sha256(known.encode()).hexdigest()[:_DIGEST])
