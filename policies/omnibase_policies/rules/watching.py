"""What watches the services of a stack: alerts and dashboards. Who makes them elsewhere is not spoken to."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence

from omnibase_policies.model import Problem, Severity, missing, stack_rule, undecided
from omnibase_policies.objects import Object
from omnibase_policies.parameters import Parameters
from omnibase_policies.selectors import Selector, labels_of
from omnibase_policies.values import View

_ALERTS = ("PrometheusRule", "VMRule")
_MONITORS = ("PodMonitor", "ServiceMonitor", "Probe", "VMPodScrape", "VMServiceScrape", "Prometheus", "VMSingle")
_OF_EVERYTHING = re.compile(r"\bkube_(pod|deployment|statefulset|daemonset)_\w+")
_NARROWED = re.compile(r'\b(namespace|pod|deployment|statefulset|daemonset|container)\s*(=(?!~)|=~(?!\s*"\.[*+]"))')
_DASHBOARD = "grafana_dashboard"

_Found = Iterator[tuple[Object, Problem]]


@stack_rule(
    "service-has-alert",
    "Somebody is told when a service fails",
    severity=Severity.HIGH,
    only_in_prod=True,
    frameworks=("users V19",),
    rationale="A service that no alert speaks of is down until a customer calls.",
    remedy="Write an alert about the service, or one about all pods, as the component MonitoringStack does.",
)
def service_has_alert(objects: Sequence[Object], parameters: Parameters) -> _Found:
    """An alert names each workload behind a Service, or is about all of them; judged where the stack is monitored."""
    expressions = [rule["expr"] for found in objects for rule in _alerts(found)]
    if expressions or any(found.kind in _MONITORS for found in objects):
        yield from _unnamed(objects, expressions, _is_of_everything, "must be in an alert")


@stack_rule(
    "service-has-dashboard",
    "How a service does is to be seen",
    severity=Severity.MEDIUM,
    only_in_prod=True,
    frameworks=("users V19",),
    rationale="Whoever is woken looks at a dashboard first; for this service there would be none.",
    remedy="Write a dashboard of the service, or one with a variable for all.",
)
def service_has_dashboard(objects: Sequence[Object], parameters: Parameters) -> _Found:
    """A dashboard names each workload behind a Service, or chooses one; judged where the stack has dashboards."""
    dashboards = [text for found in objects for text in _dashboards(found)]
    if dashboards:
        yield from _unnamed(objects, dashboards, lambda text: "label_values(" in text, "must be in a dashboard")


def _alerts(found: Object) -> Iterator[View]:
    groups = found.view.at("spec", "groups").items() if found.kind in _ALERTS else []
    for group in groups:
        yield from (rule for rule in group["rules"].items() if not rule["alert"].is_absent)


def _is_of_everything(expression: str) -> bool:
    """Whether it is about the state of all pods or workloads: no label narrows it."""
    return _OF_EVERYTHING.search(expression) is not None and _NARROWED.search(expression) is None


def _dashboards(found: Object) -> Iterator[View]:
    if found.kind == "GrafanaDashboard":
        yield found.view.at("spec", "json")
    elif found.kind == "ConfigMap" and not found.metadata["labels"][_DASHBOARD].is_absent:
        yield from (value for _, value in found.view["data"].fields())


def _unnamed(objects: Sequence[Object], texts: Sequence[View], covers: Callable[[str], bool], message: str) -> _Found:
    """The workloads behind a Service that no text names or covers."""
    known = [view.text() for view in texts]
    if any(map(covers, known)):
        return
    is_open = any(view.is_unknown for view in texts)
    for found in _served(objects):
        named = re.compile(rf"(?<![\w-]){re.escape(found.name)}(?![\w-])")
        if found.name and not any(named.search(text) for text in known):
            place = found.metadata["name"]
            yield found, undecided(place, message) if is_open else missing(place, message)


def _served(objects: Sequence[Object]) -> Iterator[Object]:
    """Workloads with a pod that a Service of their namespace may lead to."""
    services = [
        (found.space, Selector.plain(found.view.at("spec", "selector")))
        for found in objects
        if found.kind == "Service" and found.view.at("spec", "selector").fields()
    ]
    for found in objects:
        labels = [labels_of(pod.labels) for pod in found.pods if not pod.partial]
        if any(space == found.space and selector.takes(each) for space, selector in services for each in labels):
            yield found
