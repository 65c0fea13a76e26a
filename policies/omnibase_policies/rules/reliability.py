"""Whether a service stays up: probes, replicas, rollouts, budgets, jobs."""

from __future__ import annotations

from collections.abc import Iterator

from omnibase_policies.checks import at_least, at_most, if_set, is_number, required
from omnibase_policies.images import reference
from omnibase_policies.model import Level, Problem, Severity, missing, object_rule, pod_rule, undecided, violated
from omnibase_policies.objects import Object, Pod
from omnibase_policies.parameters import Parameters
from omnibase_policies.selectors import Selector, labels_of
from omnibase_policies.texts import as_text
from omnibase_policies.values import View

_JOBS = ("Job", "CronJob")
_PROBES = ("livenessProbe", "readinessProbe", "startupProbe")
_ACTIONS = ("httpGet", "tcpSocket", "exec", "grpc")
_CONTAINER = "spec.containers.0"
_HEALTH = {"httpGet": {"path": "/healthz", "port": 8080}}
_CONTROLLERS = ("Deployment", "ReplicaSet", "StatefulSet", "DaemonSet", "Job", "ReplicationController", "CronJob")


def _serves(pod: Pod) -> bool:
    """A job ends by itself: nobody asks whether it is alive or ready."""
    return pod.kind not in _JOBS


def _is_probe(value: object) -> bool:
    return isinstance(value, dict) and any(value.get(action) is not None for action in _ACTIONS)


@pod_rule(
    "liveness-and-readiness",
    "Containers say whether they live and whether they are ready",
    severity=Severity.MEDIUM,
    frameworks=("kubescape C-0018, C-0056", "Polaris livenessProbeMissing", "Gatekeeper requiredprobes"),
    rationale="A process that hangs is never restarted, and gets requests before it can answer them.",
    remedy="Set `livenessProbe` and `readinessProbe` on every container of a service.",
    bad={f"{_CONTAINER}.readinessProbe": None},
    good={f"{_CONTAINER}.readinessProbe": {"exec": {"command": ["ready"]}}},
)
def liveness_and_readiness(pod: Pod, parameters: Parameters) -> Iterator[Problem]:
    """Both probes are set and do something, on containers that run as long as the pod; not for jobs."""
    for container in pod.running if _serves(pod) else ():
        for name in parameters.required_probes:
            yield from required(container[name], _is_probe, "must be set")


@pod_rule(
    "probes-differ",
    "Liveness is not asked in the words of readiness",
    severity=Severity.LOW,
    level=Level.ADVISORY,
    frameworks=("kube-score", "Kyverno ensure-probes-different"),
    rationale="With one question for both, a service that is only busy is restarted, again and again.",
    remedy="Let readiness ask for what the service needs, and liveness only for the process itself.",
    bad={f"{_CONTAINER}.readinessProbe": _HEALTH},
    good={f"{_CONTAINER}.readinessProbe": {"httpGet": {"path": "/readyz", "port": 8080}}},
)
def probes_differ(pod: Pod, parameters: Parameters) -> Iterator[Problem]:
    """The two probes are not the same."""
    for container in pod.running:
        live, ready = container["livenessProbe"], container["readinessProbe"]
        if live.is_unknown or ready.is_unknown:
            yield undecided(live, "should differ from readinessProbe")
        elif not live.is_absent and _asks(live) == _asks(ready):
            yield violated(live, "should differ from readinessProbe")


def _asks(probe: View) -> list[tuple[str, str, str]]:
    """What a probe asks for, and how often: its fields, those of its action, and the words of its command."""
    fields = [(name, "", as_text(field.value)) for name, field in probe.fields() if name not in _ACTIONS]
    for action in _ACTIONS:
        fields += [(action, name, as_text(field.value)) for name, field in probe[action].fields()]
        fields += [(action, "command", word) for word in probe[action]["command"].texts()]
    return sorted(fields)


@pod_rule(
    "probe-port-exists",
    "Probes ask a port that the container has",
    severity=Severity.MEDIUM,
    level=Level.ADVISORY,
    frameworks=("kube-linter liveness-port, readiness-port, startup-port",),
    rationale="A probe of a port that nobody listens on restarts a healthy service for ever.",
    remedy="Declare the port in `ports`, or mend the probe.",
    bad={f"{_CONTAINER}.livenessProbe.httpGet.port": "admin"},
    good={f"{_CONTAINER}.livenessProbe.httpGet.port": "http"},
)
def probe_port_exists(pod: Pod, parameters: Parameters) -> Iterator[Problem]:
    """The port of a probe is one of the container's; a number passes where the container declares no ports."""
    for container in pod.running:
        own = [port[name] for port in container["ports"].items() for name in ("name", "containerPort")]
        for probe in (container[name] for name in _PROBES):
            for port in (probe.at(action, "port") for action in ("httpGet", "tcpSocket", "grpc")):
                if _is_foreign(port, own):
                    yield violated(port, "should be a port of the container")


def _is_foreign(port: View, own: list[View]) -> bool:
    """Whether a container has ports, or the probe asks one by name, and none of them is the probe's."""
    if port.is_absent or port.is_unknown or any(each.is_unknown for each in own):
        return False
    by_name = isinstance(port.value, str) and not port.value.isdigit()
    return bool(own or by_name) and as_text(port.value) not in {as_text(each.value) for each in own}


@object_rule(
    "min-replicas",
    "Services run more than once",
    kinds=("Deployment", "StatefulSet"),
    severity=Severity.MEDIUM,
    only_in_prod=True,
    frameworks=(
        "Polaris deploymentMissingReplicas",
        "Kyverno require-deployments-have-multiple-replicas",
        "kube-score",
    ),
    rationale="With one replica each restart of it, and each work on its node, is an outage.",
    remedy="Set `replicas` to 2 or more, or leave it to a HorizontalPodAutoscaler.",
    bad={"kind": "Deployment", "spec.replicas": 1},
    good={"kind": "Deployment", "spec.replicas": 3},
)
def min_replicas(found: Object, parameters: Parameters) -> Iterator[Problem]:
    """`replicas` is at least `minimum_replicas`; without a word it is 1."""
    least = parameters.minimum_replicas
    message = f"must be {least} or more"
    field = found.view.at("spec", "replicas")
    yield from required(field, at_least(least), message)


@object_rule(
    "max-replicas",
    "No service runs a hundred times by mistake",
    kinds=("Deployment", "StatefulSet", "ReplicaSet", "ReplicationController"),
    severity=Severity.LOW,
    level=Level.ADVISORY,
    frameworks=("Gatekeeper replicalimits",),
    rationale="One zero too many takes the whole cluster and its bill.",
    remedy="Lower `replicas`, or raise maximum_replicas.",
    bad={"kind": "Deployment", "spec.replicas": 500},
    good={"kind": "Deployment", "spec.replicas": 5},
)
def max_replicas(found: Object, parameters: Parameters) -> Iterator[Problem]:
    """`replicas` is at most `maximum_replicas`."""
    most = parameters.maximum_replicas
    message = f"should be {most} or less"
    field = found.view.at("spec", "replicas")
    yield from if_set(field, at_most(most), message)


@object_rule(
    "rolling-update-strategy",
    "A new version starts before the old one ends",
    kinds=("Deployment",),
    severity=Severity.LOW,
    level=Level.ADVISORY,
    frameworks=("kubescape C-0305", "kube-linter no-rolling-update-strategy"),
    rationale="Recreate ends all replicas first: each release is an outage.",
    remedy="Use RollingUpdate; Recreate is for what can only run once, such as a volume of one node.",
    bad={"kind": "Deployment", "spec.strategy.type": "Recreate"},
    good={"kind": "Deployment", "spec.strategy.type": "RollingUpdate"},
)
def rolling_update_strategy(found: Object, parameters: Parameters) -> Iterator[Problem]:
    """`strategy.type` is RollingUpdate, also where it is not set."""
    field = found.view.at("spec", "strategy", "type")
    yield from if_set(field, lambda value: value == "RollingUpdate", "should be RollingUpdate")


@object_rule(
    "rollout-not-blocking",
    "A rollout can go on",
    kinds=("Deployment",),
    severity=Severity.MEDIUM,
    frameworks=("Kubernetes documentation",),
    rationale="With no pod more and no pod less allowed, no pod can be replaced.",
    remedy="Set maxSurge or maxUnavailable to 1 or more.",
    bad={"kind": "Deployment", "spec.strategy.rollingUpdate": {"maxSurge": 0, "maxUnavailable": 0}},
    good={"kind": "Deployment", "spec.strategy.rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}},
)
def rollout_not_blocking(found: Object, parameters: Parameters) -> Iterator[Problem]:
    """maxSurge and maxUnavailable are not both 0."""
    update = found.view.at("spec", "strategy", "rollingUpdate")
    values = [update[name] for name in ("maxSurge", "maxUnavailable")]
    if any(view.is_unknown for view in values):
        yield undecided(update, "must allow one pod more or one less")
    elif all(view.value in (0, "0", "0%") for view in values):
        yield violated(update, "must allow one pod more or one less")


@object_rule(
    "spread-or-anti-affinity",
    "Replicas run on different nodes",
    kinds=("Deployment", "StatefulSet"),
    severity=Severity.LOW,
    level=Level.ADVISORY,
    frameworks=("Polaris topologySpreadConstraint", "kube-linter no-anti-affinity", "kube-score"),
    rationale="Replicas on one node are one outage together.",
    remedy="Set `topologySpreadConstraints`, or `podAntiAffinity`.",
    bad={"kind": "Deployment", "spec.template.spec.topologySpreadConstraints": []},
    good={
        "kind": "Deployment",
        "spec.template.spec.topologySpreadConstraints": [{"maxSkew": 1, "topologyKey": "zone"}],
    },
)
def spread_or_anti_affinity(found: Object, parameters: Parameters) -> Iterator[Problem]:
    """Pods of more than one replica have spread constraints or an anti-affinity."""
    if found.view.at("spec", "replicas").value in (0, 1, 0.0, 1.0):
        return
    for pod in found.pods:
        spread, apart = pod.spec["topologySpreadConstraints"], pod.spec.at("affinity", "podAntiAffinity")
        if spread.is_unknown or apart.is_unknown:
            yield undecided(spread, "should be set, or podAntiAffinity")
        elif not spread.items() and not apart.fields():
            yield missing(spread, "should be set, or podAntiAffinity")


@object_rule(
    "no-naked-pod",
    "No pod without a controller",
    kinds=("Pod",),
    severity=Severity.LOW,
    level=Level.ADVISORY,
    frameworks=("Polaris nakedPod", "kubescape C-0073", "Kyverno prevent-bare-pods", "Pulumi disallowPod"),
    rationale="Nobody starts a bare pod again when its node goes.",
    remedy="Use a Deployment, StatefulSet or Job.",
    bad={"metadata.ownerReferences": None},
    good={"metadata.ownerReferences": [{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "a", "uid": "1"}]},
)
def no_naked_pod(found: Object, parameters: Parameters) -> Iterator[Problem]:
    """A Pod has an owner, or is a node's own."""
    owners = found.metadata["ownerReferences"]
    mirrored = not found.metadata["annotations"]["kubernetes.io/config.mirror"].is_absent
    if not owners.is_unknown and not owners.items() and not mirrored:
        yield missing(owners, "should be made by a controller")


@object_rule(
    "job-ttl",
    "Jobs that are done go away",
    kinds=_JOBS,
    severity=Severity.LOW,
    level=Level.ADVISORY,
    frameworks=("kube-linter job-ttl-seconds-after-finished",),
    rationale="Pods of ended jobs pile up until the API server is slow.",
    remedy="Set `ttlSecondsAfterFinished`; for a CronJob the history limits do the same.",
    bad={"kind": "Job", "spec.ttlSecondsAfterFinished": None},
    good={"kind": "Job", "spec.ttlSecondsAfterFinished": 3600},
)
def job_ttl(found: Object, parameters: Parameters) -> Iterator[Problem]:
    """`ttlSecondsAfterFinished` of a Job is set; a CronJob keeps 3 and 1 unless it says more."""
    if found.kind == "Job":
        if found.metadata["ownerReferences"].items():
            return
        yield from required(found.view.at("spec", "ttlSecondsAfterFinished"), is_number, "should be set")
    for name in ("successfulJobsHistoryLimit", "failedJobsHistoryLimit"):
        field = found.view.at("spec", name)
        yield from if_set(field, at_most(10), "should be 10 or less")


@object_rule(
    "cronjob-deadline",
    "A job that was missed is not made up for hours later",
    kinds=("CronJob",),
    severity=Severity.LOW,
    level=Level.ADVISORY,
    frameworks=("kube-score cronjob-has-deadline",),
    rationale="After 100 missed starts a CronJob without a deadline starts no more at all.",
    remedy="Set `startingDeadlineSeconds` to 10 or more.",
    bad={"kind": "CronJob", "spec.startingDeadlineSeconds": None},
    good={"kind": "CronJob", "spec.startingDeadlineSeconds": 600},
)
def cronjob_deadline(found: Object, parameters: Parameters) -> Iterator[Problem]:
    """`startingDeadlineSeconds` is set, and is 10 or more, the time in which the controller looks again."""
    field = found.view.at("spec", "startingDeadlineSeconds")
    yield from required(field, at_least(10), "should be 10 or more")


@object_rule(
    "cronjob-no-overlap",
    "A job does not run beside itself",
    kinds=("CronJob",),
    severity=Severity.LOW,
    level=Level.ADVISORY,
    frameworks=("Kubernetes documentation",),
    rationale="A run that takes longer than its interval is joined by the next one, and the next one.",
    remedy="Set `concurrencyPolicy` to Forbid or Replace.",
    bad={"kind": "CronJob", "spec.concurrencyPolicy": None},
    good={"kind": "CronJob", "spec.concurrencyPolicy": "Forbid"},
)
def cronjob_no_overlap(found: Object, parameters: Parameters) -> Iterator[Problem]:
    """`concurrencyPolicy` is Forbid or Replace."""
    field = found.view.at("spec", "concurrencyPolicy")
    yield from required(field, lambda value: value in ("Forbid", "Replace"), "should be Forbid or Replace")


@object_rule(
    "selector-matches-template",
    "A controller selects the pods that it makes",
    kinds=_CONTROLLERS,
    severity=Severity.HIGH,
    frameworks=("kubescape C-0296", "kube-linter mismatching-selector", "kube-score"),
    rationale="The API server refuses it, or the controller makes pods without end.",
    remedy="Use the same labels in `selector` and in the template.",
    bad={"kind": "Deployment", "spec.selector.matchLabels.app.kubernetes.io/name": "others"},
    good={"kind": "Deployment", "spec.selector.matchLabels.app.kubernetes.io/name": "orders"},
)
def selector_matches_template(found: Object, parameters: Parameters) -> Iterator[Problem]:
    """The selector takes the labels of the template."""
    spec = found.view.at("spec", "jobTemplate", "spec") if found.kind == "CronJob" else found.view["spec"]
    selector, message = spec["selector"], "must select the pods of the template"
    chooses = Selector.plain(selector) if found.kind == "ReplicationController" else Selector(selector)
    for pod in found.pods:
        answer = chooses.takes(labels_of(pod.labels)) if not selector.is_absent else True
        if answer is None:
            yield undecided(selector, message)
        elif not answer:
            yield violated(selector, message)


@object_rule(
    "pdb-not-blocking",
    "A budget lets pods go",
    kinds=("PodDisruptionBudget",),
    severity=Severity.HIGH,
    frameworks=("Polaris pdbDisruptionsIsZero", "Kyverno pdb-maxunavailable", "Gatekeeper poddisruptionbudget"),
    rationale="A budget of none stops every drain of a node, and with it every update of the cluster.",
    remedy="Set `maxUnavailable` to 1 or more.",
    bad={"kind": "PodDisruptionBudget", "spec.maxUnavailable": 0},
    good={"kind": "PodDisruptionBudget", "spec.maxUnavailable": 1},
)
def pdb_not_blocking(found: Object, parameters: Parameters) -> Iterator[Problem]:
    """`maxUnavailable` is not 0 and `minAvailable` is not 100%."""
    spec = found.view["spec"]
    yield from if_set(spec["maxUnavailable"], lambda value: value not in (0, "0", "0%"), "must be 1 or more")
    yield from if_set(spec["minAvailable"], lambda value: value != "100%", "must be less than all")


@object_rule(
    "pdb-unhealthy-eviction",
    "A budget does not keep pods that are broken",
    kinds=("PodDisruptionBudget",),
    severity=Severity.LOW,
    level=Level.ADVISORY,
    frameworks=("kube-linter pdb-unhealthy-pod-eviction-policy",),
    rationale="By default a pod that never becomes ready can stop the drain of its node.",
    remedy="Set `unhealthyPodEvictionPolicy: AlwaysAllow`.",
    right="AlwaysAllow",
    bad={"kind": "PodDisruptionBudget", "spec.unhealthyPodEvictionPolicy": None},
    good={"kind": "PodDisruptionBudget", "spec.unhealthyPodEvictionPolicy": "AlwaysAllow"},
)
def pdb_unhealthy_eviction(found: Object, parameters: Parameters) -> Iterator[Problem]:
    """`unhealthyPodEvictionPolicy` is AlwaysAllow."""
    field = found.view.at("spec", "unhealthyPodEvictionPolicy")
    yield from required(field, lambda value: value == "AlwaysAllow", "should be AlwaysAllow")


@object_rule(
    "hpa-valid",
    "An autoscaler has room to scale",
    kinds=("HorizontalPodAutoscaler",),
    severity=Severity.MEDIUM,
    level=Level.ADVISORY,
    frameworks=("Polaris hpaMinAvailability, hpaMaxAvailability", "kube-linter hpa-minimum-three-replicas"),
    rationale="With one replica at least there is none while it restarts; with least and most equal nothing scales.",
    remedy="Set `minReplicas` to 2 or more and `maxReplicas` above it.",
    bad={"kind": "HorizontalPodAutoscaler", "spec.minReplicas": 5, "spec.maxReplicas": 5},
    good={"kind": "HorizontalPodAutoscaler", "spec.minReplicas": 2, "spec.maxReplicas": 5},
)
def hpa_valid(found: Object, parameters: Parameters) -> Iterator[Problem]:
    """`minReplicas` is 2 or more where it is set, and `maxReplicas` is higher."""
    least, most = found.view.at("spec", "minReplicas"), found.view.at("spec", "maxReplicas")
    yield from if_set(least, at_least(2), "should be 2 or more")
    floor = 1 if least.is_absent else least.value
    if is_number(floor):
        message = "should be higher than minReplicas"
        yield from required(most, lambda value: not at_most(float(str(floor)))(value), message)


@pod_rule(
    "no-duplicate-env",
    "No variable is set twice",
    severity=Severity.LOW,
    level=Level.ADVISORY,
    frameworks=("kubescape C-0295", "kube-linter duplicate-env-var"),
    rationale="The last one wins, and who reads the manifest takes the first for true.",
    remedy="Remove one of the two.",
    bad={f"{_CONTAINER}.env": [{"name": "LEVEL", "value": "info"}, {"name": "LEVEL", "value": "debug"}]},
    good={f"{_CONTAINER}.env": [{"name": "LEVEL", "value": "info"}, {"name": "LEVELS", "value": "debug"}]},
)
def no_duplicate_env(pod: Pod, parameters: Parameters) -> Iterator[Problem]:
    """Names of variables are different within a container."""
    for container in pod.containers:
        seen: set[str] = set()
        for variable in container["env"].items():
            name = variable["name"].text()
            if name and name in seen:
                yield violated(variable["name"], "should be set once")
            seen.add(name)


@pod_rule(
    "priority-class",
    "Pods say how important they are",
    severity=Severity.LOW,
    level=Level.ADVISORY,
    frameworks=("Polaris priorityClassNotSet", "Kyverno require-pod-priorityclassname", "kube-linter"),
    rationale="On a full node pods without a class are ended in any order, the database with the batch job.",
    remedy="Name a PriorityClass in `priorityClassName`.",
    bad={"spec.priorityClassName": None},
    good={"spec.priorityClassName": "platform"},
)
def priority_class(pod: Pod, parameters: Parameters) -> Iterator[Problem]:
    """`priorityClassName` is set."""
    field = pod.spec["priorityClassName"]
    yield from required(field, lambda value: value != "", "should name a PriorityClass")


@pod_rule(
    "service-account-field",
    "The account is named by the field that counts",
    severity=Severity.LOW,
    level=Level.ADVISORY,
    frameworks=("kubescape C-0307", "kube-linter deprecated-service-account-field"),
    rationale="`serviceAccount` is the old name: with two fields, one of them says something that is not so.",
    remedy="Use `serviceAccountName` only.",
    bad={"spec.serviceAccount": "others"},
    good={"spec.serviceAccount": None},
)
def service_account_field(pod: Pod, parameters: Parameters) -> Iterator[Problem]:
    """`serviceAccount` is not set, or says what `serviceAccountName` says, as the API server itself writes."""
    name = pod.spec["serviceAccountName"].value
    yield from if_set(pod.spec["serviceAccount"], lambda value: value in ("", name), "should not be set")


@object_rule(
    "restart-policy",
    "What serves is started again",
    kinds=("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "ReplicationController"),
    severity=Severity.MEDIUM,
    level=Level.ADVISORY,
    frameworks=("kube-linter restart-policy",),
    rationale="A service with Never stays down after its first crash.",
    remedy="Leave `restartPolicy` out, which means Always; jobs use OnFailure.",
    bad={"kind": "Deployment", "spec.template.spec.restartPolicy": "Never"},
    good={"kind": "Deployment", "spec.template.spec.restartPolicy": "Always"},
)
def restart_policy(found: Object, parameters: Parameters) -> Iterator[Problem]:
    """`restartPolicy` of the template is Always, or not set."""
    for pod in found.pods:
        yield from if_set(pod.spec["restartPolicy"], lambda value: value == "Always", "should be Always")


@pod_rule(
    "helm-tiller",
    "No Tiller",
    severity=Severity.CRITICAL,
    frameworks=("Kyverno disallow-helm-tiller", "checkov CKV_K8S_34", "kube-linter"),
    rationale="Helm 2's server does for anybody in the cluster whatever its own account may do; it ended in 2020.",
    remedy="Remove it and use Helm 3 or later, which has no server.",
    bad={f"{_CONTAINER}.image": f"registry.example/tiller@sha256:{'5' * 64}"},
    good={f"{_CONTAINER}.image": f"registry.example/distiller@sha256:{'5' * 64}"},
)
def helm_tiller(pod: Pod, parameters: Parameters) -> Iterator[Problem]:
    """No image is Tiller."""
    for container in pod.containers:
        yield from if_set(container["image"], lambda value: not _is_tiller(as_text(value)), "must not be Tiller")


def _is_tiller(image: str) -> bool:
    return any(part == "tiller" or part.startswith("tiller-") for part in reference(image).repository.split("/"))
