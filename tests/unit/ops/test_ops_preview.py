"""A preview's events as a report: changes per component, risks, findings, and Markdown that a forge can show."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local.policy import Waiver
from ops.preview.command import _waiver
from ops.preview.compare import compared, differing
from ops.preview.events import Preview, Resource, read_events
from ops.preview.markdown import render
from ops.preview.report import Report, build_report

_PLATFORM = "urn:pulumi:prod::p::omnibase-infra:index:Platform::platform"
_DATABASE = "urn:pulumi:prod::p::omnibase-infra:index:Platform$omnibase-infra:index:PostgresCluster::database"


def event(op: str, type_: str, name: str, parent: str = _DATABASE, **more: Any) -> dict[str, Any]:  # noqa: ANN401
    """A resourcePreEvent as the engine writes it."""
    state = {
        "type": type_,
        "urn": f"urn:pulumi:prod::p::{type_}::{name}",
        "custom": ":index:" not in type_ or type_.startswith("pulumi:"),
        "parent": parent,
        "protect": more.get("protect", False),
        "retainOnDelete": more.get("retain", False),
        "inputs": more.get("inputs", {}),
    }
    metadata = {
        "op": op,
        "urn": more.get("urn", state["urn"]),
        "type": type_,
        "old": None if op == "create" else state,
        "new": None if op == "delete" else state,
        "keys": more.get("keys"),
        "diffs": more.get("diffs"),
        "detailedDiff": None,
    }
    return {"sequence": 1, "resourcePreEvent": {"metadata": metadata, "planning": True}}


def components() -> list[dict[str, Any]]:
    platform = event("same", "omnibase-infra:index:Platform", "platform", "", urn=_PLATFORM)
    database = event("same", "omnibase-infra:index:PostgresCluster", "database", _PLATFORM, urn=_DATABASE)
    return [platform, database]


def read(*events: dict[str, Any]) -> Preview:
    return read_events(["Previewing...\n", *(json.dumps(each) for each in [*components(), *events])])


def report(*events: dict[str, Any], code: int = 0) -> Report:
    return build_report("prod", "", code, read(*events))


def test_changes_are_grouped_by_the_component_inside_the_platform() -> None:
    found = report(
        event("create", "kubernetes:core/v1:Secret", "a"),
        event("update", "kubernetes:apps/v1:Deployment", "b", diffs=["spec.replicas"]),
        event("same", "kubernetes:core/v1:Service", "c"),
        event("create", "kubernetes:core/v1:Secret", "d", parent=""),
    )
    assert {group.name: [each.name for each in group.changes] for group in found.groups} == {
        "database": ["b", "a"],
        "(stack)": ["d"],
    }
    assert (found.count("create"), found.count("update"), found.unchanged) == (2, 1, 3)


def test_the_steps_of_a_replacement_are_one_change_with_its_cause() -> None:
    steps = [
        event(op, "kubernetes:batch/v1:Job", "job", keys=["spec.template"])
        for op in ("create-replacement", "replace", "delete-replaced")
    ]
    found = report(*steps)
    assert found.count("replace") == 1
    assert found.groups[0].changes[0].paths == ("spec.template",)


@pytest.mark.parametrize(
    ("made", "mark", "words"),
    [
        (
            event("delete", "kubernetes:postgresql.cnpg.io/v1:Cluster", "x"),
            "DATA LOSS",
            "the database and its volumes is",
        ),
        (event("delete", "pulumi:index:Stash", "x"), "DATA LOSS", "a generated secret is lost"),
        (event("delete", "kubernetes:core/v1:Namespace", "x", protect=True), "REFUSED", "the engine will refuse"),
        (event("replace", "kubernetes:core/v1:PersistentVolumeClaim", "x", retain=True), "KEPT", "stays where it is"),
        (event("replace", "kubernetes:core/v1:Service", "x", keys=["spec.clusterIP"]), "OUTAGE", "(spec.clusterIP)"),
        (event("replace", "postgresql:index/database:Database", "x"), "DATA LOSS", "the database is lost"),
    ],
)
def test_what_loses_data_or_stops_something_is_marked(made: dict[str, Any], mark: str, words: str) -> None:
    found = report(made)
    assert [risk.mark for risk in found.risks] == [mark]
    assert words in found.risks[0].reason
    assert f"**{mark}**" in render(found)


@pytest.mark.parametrize("op", ["create", "update", "same"])
def test_other_changes_are_no_risk(op: str) -> None:
    assert report(event(op, "kubernetes:postgresql.cnpg.io/v1:Cluster", "x", protect=True)).risks == []


def test_policy_findings_come_with_the_mandatory_ones_first() -> None:
    def finding(level: str, rule: str) -> dict[str, Any]:
        return {
            "policyEvent": {
                "resourceUrn": "urn:pulumi:prod::p::kubernetes:core/v1:Pod::web",
                "message": "must\nnot",
                "severity": "high",
                "policyName": rule,
                "policyPackName": "omnibase-security",
                "enforcementLevel": level,
            }
        }

    found = report(finding("advisory", "a-rule"), finding("mandatory", "z-rule"), code=1)
    assert [each.rule for each in found.findings] == ["z-rule", "a-rule"]
    text = render(found)
    assert "**1 mandatory policy finding: this does not go up.**" in text
    assert "| mandatory | `z-rule` | `web` | must not |" in text


def test_a_waiver_of_the_pack_names_its_object_and_reason_and_says_when_it_has_ended() -> None:
    given = [
        Waiver(rule="no-host-path", object="DaemonSet/a/b", owner="ops", reason="reads logs", until=until)
        for until in ("2020-01-01", "2999-01-01")
    ]
    text = render(build_report("prod", "", 0, Preview(), [_waiver(each) for each in given]))
    assert "| no-host-path | DaemonSet/a/b | **ended 2020-01-01, the rule counts again** | ops | reads logs |" in text
    assert "| no-host-path | DaemonSet/a/b | 2999-01-01 | ops | reads logs |" in text


def test_overrides_waivers_and_errors_are_shown() -> None:
    outputs = {
        "overrides": {"postgres.instances": "OMNIBASE__POSTGRES__INSTANCES"},
        "waivers": [{"setting": "writable-root", "reason": "old image", "owner": "ops", "until": "2027-01-01"}],
    }
    stack = {"type": "pulumi:pulumi:Stack", "urn": "u", "op": "update", "new": {"outputs": outputs}}
    error = {"diagnosticEvent": {"severity": "error", "message": "postgres.instances = 9: too many\n"}}
    found = report({"resOutputsEvent": {"metadata": stack}}, error, error, code=2)
    text = render(found)
    assert "| `postgres.instances` | `OMNIBASE__POSTGRES__INSTANCES` |" in text
    assert "| writable-root |  | 2027-01-01 | ops | old image |" in text
    assert text.count("postgres.instances = 9: too many") == 1
    assert "**The preview failed (exit code 2).**" in text


def test_no_changes_are_said_in_one_line() -> None:
    assert render(report()) == "## Preview of `prod` against what is deployed\n\nNo changes; 2 unchanged.\n"


def test_what_is_no_event_is_skipped() -> None:
    assert read_events(["text\n", "{not json\n", '{"sequence": 3, "preludeEvent": {}}\n']).resources == {}


def test_long_lists_end_in_a_count_because_forges_cut_comments() -> None:
    text = render(report(*(event("create", "kubernetes:core/v1:Secret", f"s{number:03}") for number in range(150))))
    assert "... and 90 more" in text
    assert "s149" not in text
    assert len(text) < 60_000


def test_a_cell_cannot_break_the_table() -> None:
    text = render(report(event("replace", "kubernetes:core/v1:Service", "a|b", keys=["x"])))
    assert "Service `a\\|b`" in text


def test_the_report_for_programs_is_json() -> None:
    found = json.loads(json.dumps(report(event("create", "kubernetes:core/v1:Secret", "a")).to_dict()))
    assert found["summary"] == {"create": 1, "update": 0, "replace": 0, "delete": 0, "same": 2}
    assert found["components"][0]["changes"][0]["name"] == "a"


# -- against another commit -------------------------------------------------------------------------------------------


def resource(name: str, inputs: dict[str, Any], *, protect: bool = False) -> Resource:
    return Resource(urn=f"urn::{name}", op="create", type="t", parent="", custom=True, inputs=inputs, protect=protect)


def graph(*resources: Resource) -> Preview:
    return Preview(resources={each.urn: each for each in resources})


def test_a_branch_is_compared_by_name_and_inputs() -> None:
    base = graph(resource("kept", {"a": 1}), resource("gone", {}), resource("other", {"a": {"b": [1, 2]}}))
    head = graph(resource("kept", {"a": 1}), resource("new", {}), resource("other", {"a": {"b": [1, 3]}}))
    found = compared(base, head)
    assert {each.name: (each.op, each.paths) for each in found.resources.values()} == {
        "kept": ("same", ()),
        "gone": ("delete", ()),
        "new": ("create", ()),
        "other": ("update", ("a.b[1]",)),
    }


def test_a_components_own_inputs_show_in_what_it_makes() -> None:
    before, after = (replace(resource("a", {"x": value}), custom=False) for value in (1, 2))
    assert compared(graph(before), graph(after)).resources["urn::a"].op == "same"


def test_a_protection_that_is_taken_away_is_a_change() -> None:
    found = compared(graph(resource("a", {}, protect=True)), graph(resource("a", {})))
    assert found.resources["urn::a"].paths == ("(protect)",)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(min_size=1), inner, max_size=3),
    max_leaves=8,
)


@given(_JSON, _JSON)
def test_paths_are_found_exactly_where_values_differ(old: object, new: object) -> None:
    assert list(differing(old, old)) == []
    assert bool(list(differing({"x": old}, {"x": new}))) == (old != new)
