"""Check, diff, create, update, read and delete: what is sent, what is recorded, what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from local.plugins.common.errors import PartialFailureError, ResourceError
from local.plugins.common.naming import Naming
from local.plugins.common.values import UNKNOWN, Object, Secret
from local.plugins.kubernetes import checkpoint, overrides
from local.plugins.kubernetes.checking import check
from local.plugins.kubernetes.client import ApiError, UnreachableError
from local.plugins.kubernetes.deleting import delete
from local.plugins.kubernetes.differing import diff
from local.plugins.kubernetes.reading import read
from local.plugins.kubernetes.writing import Request, create, update
from tests.unit.local.plugins.kubernetes.fake_api import (
    PLACE,
    FakeApi,
    config_map,
    disconnected,
    messages,
    missing,
    session,
    urn,
)


def made(api: FakeApi, tmp_path: Path, inputs: Object, kind: str = "core/v1:ConfigMap") -> Object:
    """The state of an object that was created."""
    _, state = create(session(api, tmp_path), Request(urn=urn(kind), news=inputs))
    api.sent.clear()
    return state


def test_check_fills_in_name_namespace_and_kind(tmp_path: Path) -> None:
    found = check(session(FakeApi(), tmp_path), urn(), {}, {"data": {"a": "b"}}, Naming(seed=b"s"))
    assert found["kind"] == "ConfigMap"
    assert found["apiVersion"] == "v1"
    assert found["metadata"]["namespace"] == "space"
    assert found["metadata"]["name"].startswith("thing-")


def test_check_leaves_cluster_wide_kinds_without_a_namespace(tmp_path: Path) -> None:
    for each in (session(FakeApi(), tmp_path), disconnected()):
        found = check(each, urn("core/v1:Namespace"), {}, {}, Naming())
        assert "namespace" not in found["metadata"]


def test_check_keeps_the_name_chosen_before_and_the_marks_of_secrets(tmp_path: Path) -> None:
    each = session(FakeApi(), tmp_path)
    first = check(each, urn(), {}, {}, Naming())
    again = check(each, urn(), first, {"data": {"a": Secret("x")}}, Naming())
    assert again["metadata"]["name"] == first["metadata"]["name"]
    assert again["data"] == {"a": Secret("x")}


def test_check_does_not_touch_unknown_metadata(tmp_path: Path) -> None:
    found = check(session(FakeApi(), tmp_path), urn(), {}, {"metadata": UNKNOWN}, Naming())
    assert found["metadata"] is UNKNOWN


@pytest.mark.parametrize(
    ("token", "inputs", "message"),
    [
        ("core/v1:ConfigMapList", {"items": []}, "Use the underlying resource type"),
        ("core/v1:ConfigMapPatch", {"kind": "ConfigMap", "apiVersion": "v1"}, "require the `.metadata.name`"),
        ("core/v1:ConfigMap", {"metadata": {"generateName": "x-"}}, "generateName"),
        ("helm.sh/v3:Release", {}, "official kubernetes provider"),
    ],
)
def test_check_refuses_what_cannot_be_served(tmp_path: Path, token: str, inputs: Object, message: str) -> None:
    with pytest.raises(ResourceError, match=message):
        check(session(FakeApi(), tmp_path), urn(token), {}, inputs, Naming())


def test_client_side_mode_labels_its_objects_and_has_no_patches(tmp_path: Path) -> None:
    each = session(FakeApi(), tmp_path, server_side_apply=False)
    found = check(each, urn(), {}, {}, Naming())
    assert found["metadata"]["labels"] == {"app.kubernetes.io/managed-by": "pulumi"}
    with pytest.raises(ResourceError, match="Server-Side Apply mode"):
        check(each, urn("core/v1:ConfigMapPatch"), {}, {"kind": "ConfigMap", "apiVersion": "v1"}, Naming())


def test_create_posts_the_object_and_records_inputs_and_live_state(tmp_path: Path) -> None:
    api = FakeApi()
    inputs = config_map(a=Secret("x"))
    identity, state = create(session(api, tmp_path), Request(urn=urn(), news=inputs))
    assert identity == "space/thing"
    assert (api.sent[0].method, api.sent[0].query) == ("POST", {"fieldManager": "pulumi-kubernetes"})
    assert api.sent[0].body["data"] == {"a": "x"}
    assert state["data"] == {"a": Secret("x")}
    assert state["__inputs"] == inputs
    assert state["__initialApiVersion"] == "v1"
    assert state["__fieldManager"].startswith("pulumi-kubernetes-")


def test_a_preview_of_a_create_is_a_dry_run_that_leaves_nothing(tmp_path: Path) -> None:
    api = FakeApi()
    identity, state = create(session(api, tmp_path), Request(urn=urn(), news=config_map(a="x"), preview=True))
    assert identity == ""
    assert api.sent[0].query["dryRun"] == "All"
    assert state["metadata"]["uid"] == PLACE
    assert api.objects == {}


@pytest.mark.parametrize("news", [config_map(a=UNKNOWN), {**config_map(), "apiVersion": "new.test/v1", "kind": "Toy"}])
def test_a_preview_that_cannot_ask_returns_the_inputs(tmp_path: Path, news: Object) -> None:
    api = FakeApi()
    assert create(session(api, tmp_path), Request(urn=urn(), news=news, preview=True)) == ("", news)
    assert api.sent == []


@pytest.mark.parametrize(
    "refusal",
    [
        ApiError(404, {"reason": "NotFound", "details": {"kind": "namespaces", "name": "space"}}, ""),
        ApiError(403, {"reason": "Forbidden"}, ""),
        ApiError(409, {"reason": "AlreadyExists"}, ""),
        ApiError(500, {"message": 'failed calling webhook "x": connection refused'}, ""),
    ],
)
def test_a_preview_overlooks_what_the_update_need_not_meet(tmp_path: Path, refusal: ApiError) -> None:
    api = FakeApi(refusals=[refusal])
    news = config_map(a="x")
    assert create(session(api, tmp_path), Request(urn=urn(), news=news, preview=True)) == ("", news)


def test_a_preview_shows_the_servers_refusal(tmp_path: Path) -> None:
    api = FakeApi(refusals=[ApiError(422, {"reason": "Invalid", "message": "data: Invalid value"}, "")])
    with pytest.raises(ResourceError, match="data: Invalid value"):
        create(session(api, tmp_path), Request(urn=urn(), news=config_map(), preview=True))


def test_a_preview_without_a_cluster_warns_once_and_an_update_stops() -> None:
    each = disconnected()
    for _ in range(2):
        news = config_map()
        assert create(each, Request(urn=urn(), news=news, preview=True)) == ("", news)
    assert messages(each) == [("warning", "previewing without a cluster, which does not answer: nobody answers")]
    with pytest.raises(ResourceError, match="unreachable: nobody answers"):
        create(each, Request(urn=urn(), news=config_map()))


def test_what_exists_is_not_taken_over_unless_upsert_is_asked_for(tmp_path: Path) -> None:
    api = FakeApi(objects={PLACE: config_map(a="theirs")})
    with pytest.raises(ResourceError, match=r"(?s)already exists.*pulumi import"):
        create(session(api, tmp_path), Request(urn=urn(), news=config_map(a="ours")))
    create(session(api, tmp_path, upsert_existing=True), Request(urn=urn(), news=config_map(a="ours")))
    assert api.objects[PLACE]["data"] == {"a": "ours"}


def test_create_is_tried_again_while_its_namespace_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("local.plugins.kubernetes.writing._RETRY_PAUSES", (0.0, 0.0))
    api = FakeApi(refusals=[missing("space"), missing("space")])
    create(session(api, tmp_path), Request(urn=urn(), news=config_map()))
    assert len(api.sent) == 3


def test_a_kind_that_is_not_served_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("local.plugins.kubernetes.writing._RETRY_PAUSES", ())
    toy = {**config_map(), "apiVersion": "new.test/v1", "kind": "Toy"}
    with pytest.raises(ResourceError, match="Verify that any required CRDs have been created"):
        create(session(FakeApi(), tmp_path), Request(urn=urn("new.test/v1:Toy"), news=toy))


def test_create_without_readiness_is_recorded_with_its_reasons(tmp_path: Path) -> None:
    metadata = {"name": "web", "namespace": "space", "annotations": {"pulumi.com/timeoutSeconds": "0"}}
    news = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": {"replicas": 1}}
    with pytest.raises(PartialFailureError) as caught:
        create(session(FakeApi(), tmp_path), Request(urn=urn("apps/v1:Deployment", "web"), news=news))
    assert caught.value.identity == "space/web"
    assert caught.value.state["__inputs"] == news
    assert "timed out waiting to be Ready" in caught.value.reasons[0]
    assert "observe the change" in caught.value.reasons[1]


def test_skip_await_returns_at_once(tmp_path: Path) -> None:
    metadata = {"name": "web", "namespace": "space", "annotations": {"pulumi.com/skipAwait": "true"}}
    news = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": {}}
    identity, _ = create(session(FakeApi(), tmp_path), Request(urn=urn("apps/v1:Deployment"), news=news))
    assert identity == "space/web"


def test_a_broken_wait_for_is_recorded_as_a_failed_wait(tmp_path: Path) -> None:
    news = config_map()
    news["metadata"]["annotations"] = {"pulumi.com/waitFor": "soon"}
    with pytest.raises(PartialFailureError, match="neither form"):
        create(session(FakeApi(), tmp_path), Request(urn=urn(), news=news))


def test_the_first_update_moves_the_fields_of_the_create_to_the_resources_own_manager(tmp_path: Path) -> None:
    api = FakeApi()
    state = made(api, tmp_path, config_map(a="x"))
    after = update(session(api, tmp_path), Request(urn=urn(), news=config_map(a="y")), state, [])
    manager = state["__fieldManager"]
    take_over, apply = api.sent
    assert take_over.body[0]["path"] == "/metadata/managedFields"
    assert [entry["manager"] for entry in take_over.body[0]["value"]] == [manager]
    assert apply.query == {"fieldManager": manager, "force": "false"}
    assert after["data"] == {"a": "y"}
    assert after["__fieldManager"] == manager


def test_a_preview_of_an_update_changes_nothing_and_forces_what_the_update_takes_over(tmp_path: Path) -> None:
    api = FakeApi()
    state = made(api, tmp_path, config_map(a="x"))
    after = update(session(api, tmp_path), Request(urn=urn(), news=config_map(a="y"), preview=True), state, [])
    assert [item.query for item in api.sent] == [
        {"fieldManager": state["__fieldManager"], "dryRun": "All", "force": "true"}
    ]
    assert after["data"] == {"a": "y"}
    assert api.objects[PLACE]["data"] == {"a": "x"}


def test_an_update_that_a_controller_overtook_is_done_again(tmp_path: Path) -> None:
    api = FakeApi()
    state = made(api, tmp_path, config_map(a="x"))
    api.refusals = [ApiError(409, {"reason": "Conflict", "message": "the object has been modified"}, "")] * 2
    after = update(session(api, tmp_path), Request(urn=urn(), news=config_map(a="y")), state, [])
    assert after["data"] == {"a": "y"}
    assert [item.method for item in api.sent] == ["PATCH"] * 4, "two refused, one taking over, one applying"


def test_a_field_conflict_says_how_to_solve_it(tmp_path: Path) -> None:
    api = FakeApi()
    state = made(api, tmp_path, config_map(a="x"))
    state["metadata"]["managedFields"] = api.objects[PLACE]["metadata"]["managedFields"] = []
    body = {"reason": "Conflict", "message": "conflict with hpa", "details": {"causes": [{"field": ".data.a"}]}}
    api.refusals = [ApiError(409, body, "")]
    with pytest.raises(ResourceError, match=r"(?s)conflict with hpa.*pulumi\.com/patchForce"):
        update(session(api, tmp_path), Request(urn=urn(), news=config_map(a="y")), state, [])


def test_a_read_cuts_the_live_object_to_the_inputs_and_marks_secrets(tmp_path: Path) -> None:
    api = FakeApi()
    inputs = config_map(a=Secret("x"))
    state = made(api, tmp_path, inputs)
    api.objects[PLACE]["data"] = {"a": "drifted", "added": "by others"}
    found = read(session(api, tmp_path), urn(), "space/thing", state, inputs)
    assert found.inputs["data"] == {"a": Secret("drifted")}
    assert found.state["data"] == {"a": Secret("drifted"), "added": "by others"}
    assert found.state["__fieldManager"] == state["__fieldManager"]


def test_a_read_of_what_is_gone_or_whose_kind_is_gone_is_empty(tmp_path: Path) -> None:
    each = session(FakeApi(), tmp_path)
    assert read(each, urn(), "space/thing", {}, config_map()).identity == ""
    toy = {**config_map(), "apiVersion": "new.test/v1", "kind": "Toy"}
    assert read(each, urn("new.test/v1:Toy"), "space/thing", {}, toy).identity == ""


def test_an_import_takes_everything_but_what_the_server_keeps(tmp_path: Path) -> None:
    live = config_map(a="x")
    live["metadata"] |= {"uid": "1", "annotations": {"kubectl.kubernetes.io/last-applied-configuration": "{}"}}
    api = FakeApi(objects={PLACE: {**live, "status": {"x": 1}}})
    found = read(session(api, tmp_path), urn(), "space/thing", {}, {})
    assert found.inputs == config_map(a="x")


def test_a_refresh_reports_an_object_that_is_not_ready_any_more(tmp_path: Path) -> None:
    place = "/apis/apps/v1/namespaces/space/deployments/web"
    metadata = {"name": "web", "namespace": "space"}
    live = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": {}}
    found = read(session(FakeApi(objects={place: live}), tmp_path), urn("apps/v1:Deployment"), "space/web", {}, live)
    assert "failed to initialize" in found.unready[0]


def test_without_a_cluster_a_read_stops_unless_told_otherwise() -> None:
    with pytest.raises(ResourceError, match="PULUMI_K8S_DELETE_UNREACHABLE"):
        read(disconnected(), urn(), "space/thing", {"a": 1}, {"b": 1})
    assert read(disconnected(delete_unreachable=True), urn(), "space/thing", {}, {}).identity == ""
    kept = read(disconnected(skip_update_unreachable=True), urn(), "space/thing", {"a": 1}, {"b": 1})
    assert (kept.identity, kept.state, kept.inputs) == ("space/thing", {"a": 1}, {"b": 1})


def test_delete_is_in_the_foreground_and_waits_until_nothing_is_left(tmp_path: Path) -> None:
    api = FakeApi()
    state = made(api, tmp_path, config_map(a="x"))
    delete(session(api, tmp_path), urn(), "space/thing", state, 0)
    assert api.sent[0].body["propagationPolicy"] == "Foreground"
    assert api.objects == {}
    delete(session(api, tmp_path), urn(), "space/thing", state, 0)


def test_the_propagation_of_a_deletion_is_the_annotations(tmp_path: Path) -> None:
    api = FakeApi()
    inputs = config_map()
    inputs["metadata"]["annotations"] = {"pulumi.com/deletionPropagationPolicy": "Orphan"}
    state = made(api, tmp_path, inputs)
    delete(session(api, tmp_path), urn(), "space/thing", state, 0)
    assert api.sent[0].body["propagationPolicy"] == "Orphan"


@pytest.mark.parametrize(
    ("kind", "note", "expected"),
    [
        ("Deployment", "", "Background"),
        ("StatefulSet", "", "Background"),
        ("DaemonSet", "", "Background"),
        ("Deployment", "foreground", "Foreground"),
        ("Deployment", "orphan", "Orphan"),
        ("Namespace", "", "Foreground"),
        ("ConfigMap", "", "Foreground"),
    ],
)
def test_pods_end_beside_the_deletion_of_their_workload_where_that_is_asked_for(
    monkeypatch: pytest.MonkeyPatch, kind: str, note: str, expected: str
) -> None:
    inputs: Object = {
        "kind": kind,
        "metadata": {"annotations": {"pulumi.com/deletionPropagationPolicy": note} if note else {}},
    }
    assert overrides.deletion_propagation(inputs) == {"Background": "Foreground"}.get(expected, expected)
    monkeypatch.setenv("OMNIBASE_PODS_END_BESIDE", "true")
    assert overrides.deletion_propagation(inputs) == expected


def test_deleting_a_patch_gives_its_fields_back(tmp_path: Path) -> None:
    api = FakeApi()
    token = "core/v1:ConfigMapPatch"
    state = made(api, tmp_path, config_map(a="x"), token)
    delete(session(api, tmp_path), urn(token), "space/thing", state, 0)
    assert [item.method for item in api.sent] == ["PATCH"]
    assert "data" not in api.sent[0].body
    assert api.sent[0].query["fieldManager"] == state["__fieldManager"]


def test_without_a_cluster_a_deletion_stops_unless_told_otherwise() -> None:
    with pytest.raises(ResourceError, match="PULUMI_K8S_DELETE_UNREACHABLE"):
        delete(disconnected(), urn(), "space/thing", {}, 0)
    delete(disconnected(delete_unreachable=True), urn(), "space/thing", {}, 0)


def test_a_server_that_goes_away_is_named_in_every_operation(tmp_path: Path) -> None:
    api = FakeApi()
    state = made(api, tmp_path, config_map(a="x"))
    each = session(api, tmp_path)
    for action in (
        lambda: create(each, Request(urn=urn(), news=config_map("other"))),
        lambda: update(each, Request(urn=urn(), news=config_map(a="y")), state, []),
        lambda: delete(each, urn(), "space/thing", state, 0),
    ):
        api.refusals = [UnreachableError("connection refused")]
        with pytest.raises(ResourceError, match="connection refused"):
            action()


def test_a_diff_replaces_a_config_map_in_place_of_its_name_or_updates_a_mutable_one(tmp_path: Path) -> None:
    api = FakeApi()
    state = made(api, tmp_path, config_map(a="x"))
    plan = diff(session(api, tmp_path), urn(), state, config_map(a="y"), [])
    assert plan.replaces == ("data.a",)
    assert plan.delete_first
    plan = diff(session(api, tmp_path, mutable_config_maps=True), urn(), state, config_map(a="y"), [])
    assert plan.changed
    assert not plan.replaces


def test_an_automatic_name_does_not_stand_in_the_way_of_its_successor(tmp_path: Path) -> None:
    each = session(FakeApi(), tmp_path)
    inputs = check(each, urn(), {}, {"data": {"a": "x"}}, Naming())
    _, state = create(each, Request(urn=urn(), news=inputs))
    plan = diff(each, urn(), state, check(each, urn(), inputs, {"data": {"a": "y"}}, Naming()), [])
    assert plan.replaces
    assert not plan.delete_first


def test_what_the_server_added_and_what_is_ignored_is_no_change(tmp_path: Path) -> None:
    api = FakeApi()
    state = made(api, tmp_path, config_map(a="x"))
    state["data"]["defaulted"] = "by the server"
    each = session(api, tmp_path)
    assert not diff(each, urn(), state, config_map(a="x"), []).changed
    assert not diff(each, urn(), state, config_map(a="y"), ["data.a"]).changed
    with pytest.raises(ResourceError, match="ignoreChanges"):
        diff(each, urn(), state, config_map(a="y"), ["a[b"])


def test_a_field_that_the_server_calls_immutable_is_replaced(tmp_path: Path) -> None:
    api = FakeApi()
    state = made(api, tmp_path, config_map(a="x"))
    cause = {"field": "data.a", "message": "Invalid value: field is immutable"}
    api.refusals = [ApiError(422, {"reason": "Invalid", "details": {"causes": [cause]}}, "")]
    plan = diff(session(api, tmp_path, mutable_config_maps=True), urn(), state, config_map(a="y"), [])
    assert plan.replaces == ("data.a",)
    assert api.sent[0].query["dryRun"] == "All"


def test_a_job_marked_replace_unready_is_replaced_until_it_is_complete(tmp_path: Path) -> None:
    place = "/apis/batch/v1/namespaces/space/jobs/m"
    metadata = {"name": "m", "namespace": "space", "annotations": {"pulumi.com/replaceUnready": "true"}}
    job: Object = {"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, "spec": {}}
    state = checkpoint.build(job, job, job, "batch/v1", "me")
    api = FakeApi(objects={place: job})
    assert diff(session(api, tmp_path), urn("batch/v1:Job"), state, job, []).replaces
    api.objects[place] = {**job, "status": {"conditions": [{"type": "Complete", "status": "True"}]}}
    assert not diff(session(api, tmp_path), urn("batch/v1:Job"), state, job, []).changed


def test_a_state_of_the_official_provider_is_unchanged_here(tmp_path: Path) -> None:
    """Its Check has turned stringData into data and left out empty lists; its state carries live defaults."""
    metadata = {"name": "s", "namespace": "space"}
    theirs: Object = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": Secret({"a": "eA=="})}
    live = {**theirs, "metadata": {**metadata, "uid": "1", "managedFields": []}, "type": "Opaque"}
    state = {**live, "__inputs": theirs, "__initialApiVersion": "v1", "__fieldManager": "pulumi-kubernetes-1234abcd"}
    program = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": Secret({"a": "x"})}
    each = session(FakeApi(), tmp_path)
    news = check(each, urn("core/v1:Secret"), theirs, program, Naming())
    assert not diff(each, urn("core/v1:Secret"), state, news, []).changed
