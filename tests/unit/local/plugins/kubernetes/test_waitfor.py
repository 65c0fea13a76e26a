"""The annotation pulumi.com/waitFor, and JSONPath."""

from __future__ import annotations

import pytest

from local.plugins.common.values import Object
from local.plugins.kubernetes import jsonpath, waitfor

_LIVE: Object = {
    "metadata": {"generation": 2, "annotations": {"a.b/c": "x"}},
    "spec": {"ports": [{"name": "web", "port": 80}, {"name": "admin", "port": 90}], "on": True},
    "status": {
        "phase": "Running",
        "observedGeneration": 2,
        "conditions": [
            {"type": "Ready", "status": "True", "reason": "AllUp"},
            {"type": "Synced", "status": "False", "reason": "Behind", "message": "two to go"},
        ],
    },
}


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("$.status.phase", ["Running"]),
        ("$['status']['phase']", ["Running"]),
        ('$.metadata.annotations["a.b/c"]', ["x"]),
        ("$.spec.ports[0].port", [80]),
        ("$.spec.ports[-1].port", [90]),
        ("$.spec.ports[*].name", ["web", "admin"]),
        ("$.spec.ports[0:1].name", ["web"]),
        ("$.spec.ports[::-1].name", ["admin", "web"]),
        ("$..port", [80, 90]),
        ("$.spec.ports[0,1].port", [80, 90]),
        ("$.spec.ports[?(@.name=='admin')].port", [90]),
        ('$.status.conditions[?@.type=="Ready" && @.status=="True"].reason', ["AllUp"]),
        ("$.spec.ports[?@.port > 80 || @.name == 'web'].name", ["web", "admin"]),
        ("$.spec.ports[?!(@.port >= 90)].name", ["web"]),
        ("$.spec.ports[?@.nothing].name", []),
        ("$.spec.ports[?@.port == $.spec.ports[1].port].name", ["admin"]),
        ("$.missing.field", []),
        ("$", [_LIVE]),
    ],
)
def test_queries_select_as_the_standard_says(query: str, found: list[object]) -> None:
    assert jsonpath.parse(query).select(_LIVE) == found


@pytest.mark.parametrize("query", ["status", "$.", "$.a[", "$.a[?1]", "$.a[?@.b ==]", "$.a b", "$.a[#]"])
def test_broken_queries_are_refused(query: str) -> None:
    with pytest.raises(ValueError, match="JSONPath"):
        jsonpath.parse(query)


@pytest.mark.parametrize(
    "annotation",
    [
        "jsonpath={.status.phase}=Running",
        "jsonpath={.status.phase}",
        "jsonpath={ $.spec.on }=true",
        'jsonpath={.status.conditions[?(@.type=="Ready")].status}=True',
        "condition=ready",
        "condition=Synced=False",
        '["condition=Ready", "jsonpath={.spec.ports[0].port}=80"]',
        "jsonpath={.status.conditions}",
    ],
)
def test_what_the_object_shows_satisfies(annotation: str) -> None:
    assert waitfor.parse(annotation).check(_LIVE).ready


@pytest.mark.parametrize(
    ("annotation", "message"),
    [
        ("jsonpath={.status.phase}=Stopped", "found 'Running'"),
        ("jsonpath={.status.nothing}", "selects nothing"),
        ("condition=Synced", "is False) Behind: two to go"),
        ("condition=Absent", "not reported yet"),
        ('["condition=Ready", "condition=Absent"]', "Absent"),
    ],
)
def test_what_is_missing_is_said(annotation: str, message: str) -> None:
    verdict = waitfor.parse(annotation).check(_LIVE)
    assert not verdict.ready
    assert not verdict.failed
    assert message in verdict.message


@pytest.mark.parametrize("annotation", ["jsonpath={.status.phase}=Running", "condition=Ready"])
def test_a_status_of_an_older_generation_does_not_count(annotation: str) -> None:
    stale = {**_LIVE, "metadata": {"generation": 3}}
    verdict = waitfor.parse(annotation).check(stale)
    assert not verdict.ready
    assert "not observed yet" in verdict.message


def test_comparing_an_object_with_a_value_fails_at_once() -> None:
    assert waitfor.parse("jsonpath={.status.conditions}=x").check(_LIVE).failed


@pytest.mark.parametrize(
    "annotation",
    ["Ready", "condition=", "jsonpath=.status.phase", "jsonpath='{.a}'", "jsonpath={.a}=", "[]", "jsonpath={.a}x"],
)
def test_annotations_of_no_form_are_refused(annotation: str) -> None:
    with pytest.raises(ValueError, match=r"pulumi\.com/waitFor"):
        waitfor.parse(annotation)
