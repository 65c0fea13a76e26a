"""The docker plugin as the engine calls it: check, diff, create, read, update, delete over the gRPC messages."""

from __future__ import annotations

import json
import threading
from typing import Any, cast

import pytest
from google.protobuf import empty_pb2
from pulumi.runtime.proto import provider_pb2, status_pb2

from local.errors import InputError
from local.plugins.common.convert import decode
from local.plugins.common.enginelog import EngineLog
from local.plugins.common.errors import ResourceError
from local.plugins.common.values import UNKNOWN, Object, Secret
from local.plugins.docker.daemon import Daemon
from local.plugins.docker.image import TOKEN as IMAGE
from local.plugins.docker.provider import DockerProvider
from local.plugins.docker.settings import Settings, registry_of
from local.plugins.docker.shapes import CONTAINER_TOKEN, NETWORK_TOKEN, VOLUME_TOKEN
from tests.unit.local.plugins.docker.fake_engine import FakeEngine
from tests.unit.local.plugins.docker.service_kit import WEB, AbortedError, Context, Kind, Service, urn

# -- Check -------------------------------------------------------------------------------------------------------------


def test_defaults_are_those_of_the_official_provider_and_are_listed(service: Service) -> None:
    inputs, failures = service.check(CONTAINER_TOKEN, {"image": "a"})
    assert failures == {}
    assert inputs["name"].startswith("web-")
    assert len(inputs["name"]) == len("web-") + 7
    assert (inputs["restart"], inputs["mustRun"], inputs["networkMode"]) == ("no", True, "bridge")
    assert {"name", "restart", "mustRun", "networkMode"} <= set(inputs["__defaults"])


def test_a_preview_and_its_update_choose_the_same_name_and_a_later_run_keeps_it(service: Service) -> None:
    first, _ = service.check(VOLUME_TOKEN, {})
    second, _ = service.check(VOLUME_TOKEN, {})
    later, _ = service.check(VOLUME_TOKEN, {}, {**first, "name": "web-0000000"})
    assert first["name"] == second["name"]
    assert later["name"] == "web-0000000"


@pytest.mark.parametrize(
    ("news", "where", "reason"),
    [
        ({}, "image", "missing required property 'image'"),
        ({"image": "a", "imgae": "b"}, "imgae", "invalid or unknown property"),
        ({"image": "a", "memory": "much"}, "memory", "expected int, got str"),
        ({"image": "a", "memory": -1}, "memory", "at least 0"),
        ({"image": "a", "restart": "sometimes"}, "restart", "one of no, on-failure, always, unless-stopped"),
        ({"image": "a", "ports": [{"external": 1}]}, "ports[0].internal", "missing required property 'internal'"),
        ({"image": "a", "gpus": "all"}, "gpus", "needs the official docker provider"),
        ({"image": "a", "mounts": [{"target": "/x", "type": "disk"}]}, "mounts[0].type", "one of bind, volume, tmpfs"),
    ],
)
def test_wrong_inputs_are_failures_at_their_place(service: Service, news: Object, where: str, reason: str) -> None:
    _, failures = service.check(CONTAINER_TOKEN, news)
    assert reason in failures[where]


def test_what_is_not_known_yet_is_not_judged(service: Service) -> None:
    inputs, failures = service.check(CONTAINER_TOKEN, {"image": UNKNOWN, "memory": UNKNOWN})
    assert failures == {}
    assert inputs["image"] is UNKNOWN


# -- the life of a container -------------------------------------------------------------------------------------------


def test_a_container_is_created_connected_filled_started_and_waited_for(service: Service, engine: FakeEngine) -> None:
    more = {
        "uploads": [{"file": "/run/secrets/token", "content": Secret("hunter2"), "permissions": "0444"}],
        "networksAdvanced": [{"name": "other"}],
        "ports": [{"internal": 8080, "external": 18080, "ip": "127.0.0.1"}],
        "mounts": [{"target": "/scratch", "type": "tmpfs", "tmpfsOptions": {"sizeBytes": 1024, "mode": 1023}}],
        "capabilities": {"drops": ["ALL"]},
    }
    identity, state, _ = service.create(CONTAINER_TOKEN, {**WEB, **more})
    live = engine.containers[identity]
    assert live["HostConfig"]["Memory"] == 16 << 20
    assert live["HostConfig"]["CapDrop"] == ["ALL"]
    assert live["HostConfig"]["PortBindings"] == {"8080/tcp": [{"HostIp": "127.0.0.1", "HostPort": "18080"}]}
    assert live["HostConfig"]["Mounts"][0]["TmpfsOptions"] == {"SizeBytes": 1024, "Mode": 1023}
    assert live["Config"]["Healthcheck"]["Interval"] == 90 * 10**9
    assert engine.connected == [("1", "other")]
    assert engine.files == {"/run/secrets/token 444": b"hunter2"}
    assert state["networkDatas"][0]["ipAddress"] == "10.0.0.2"
    assert state["healthcheck"]["interval"] == "1m30s"
    assert isinstance(state["uploads"], Secret), "a secret in is a secret out"


def test_nothing_that_the_engine_fills_in_is_a_change(service: Service) -> None:
    identity, state, inputs = service.create(CONTAINER_TOKEN, WEB)
    assert service.diff(CONTAINER_TOKEN, state, inputs, WEB).changes == provider_pb2.DiffResponse.DIFF_NONE
    _, read, found = service.read(CONTAINER_TOKEN, identity, inputs)
    assert service.diff(CONTAINER_TOKEN, read, found, WEB).changes == provider_pb2.DiffResponse.DIFF_NONE


@pytest.mark.parametrize(
    ("changes", "path", "kind"),
    [
        ({"memory": 32}, "memory", Kind.UPDATE),
        ({"restart": "always"}, "restart", Kind.UPDATE),
        ({"image": "registry.test/web@sha256:2"}, "image", Kind.UPDATE_REPLACE),
        ({"user": "10001"}, "user", Kind.ADD_REPLACE),
        ({"readOnly": True}, "readOnly", Kind.ADD_REPLACE),
        ({"envs": ["A=b"]}, "envs", Kind.ADD_REPLACE),
        ({"networkMode": "other"}, "networkMode", Kind.UPDATE_REPLACE),
        ({"image": UNKNOWN}, "image", Kind.UPDATE_REPLACE),
    ],
)
def test_most_changes_replace_the_container_which_is_deleted_first(
    service: Service, changes: Object, path: str, kind: int
) -> None:
    _, state, inputs = service.create(CONTAINER_TOKEN, WEB)
    answer = service.diff(CONTAINER_TOKEN, state, inputs, {**WEB, **changes})
    assert {each: entry.kind for each, entry in answer.detailedDiff.items()} == {path: kind}
    replaces = kind in (Kind.ADD_REPLACE, Kind.UPDATE_REPLACE)
    assert (list(answer.replaces), answer.deleteBeforeReplace) == ([path] if replaces else [], replaces)


def test_drift_is_read_shown_and_repaired_in_place(service: Service, engine: FakeEngine) -> None:
    identity, _, inputs = service.create(CONTAINER_TOKEN, WEB)
    live = engine.containers[identity]
    live["HostConfig"].update(Memory=32 << 20, MemorySwap=32 << 20)
    live["State"] = {"Running": False, "ExitCode": 137}

    _, state, found = service.read(CONTAINER_TOKEN, identity, inputs)
    planned = service.diff(CONTAINER_TOKEN, state, found, WEB)
    after = service.update(CONTAINER_TOKEN, identity, state, WEB)

    assert state["exitCode"] == 137
    assert set(planned.detailedDiff) == {"memory", "memorySwap", "mustRun"}
    assert not planned.replaces
    assert live["HostConfig"]["Memory"] == 16 << 20
    assert live["State"]["Running"]
    assert after["mustRun"] is True


def test_a_container_that_does_not_become_healthy_is_recorded_with_its_last_words(
    service: Service, engine: FakeEngine
) -> None:
    engine.health = "unhealthy"
    with pytest.raises(AbortedError, match=r"is unhealthy after 1 s\. Last check: not yet. Log: last 5 lines of 1"):
        service.create(CONTAINER_TOKEN, {**WEB, "waitTimeout": 1})
    status = status_pb2.Status.FromString(service.context.trailing["grpc-status-details-bin"])
    detail = provider_pb2.ErrorResourceInitFailed()
    assert status.details[0].Unpack(detail)
    assert detail.id in engine.containers
    assert decode(detail.properties)["name"] == "web"


def test_a_refresh_of_an_ill_container_says_so_and_the_next_update_waits_for_it(
    service: Service, engine: FakeEngine
) -> None:
    identity, state, inputs = service.create(CONTAINER_TOKEN, WEB)
    engine.containers[identity]["State"]["Health"]["Status"] = "unhealthy"
    with pytest.raises(AbortedError, match=r"container web: is unhealthy\. Last check: not yet"):
        service.read(CONTAINER_TOKEN, identity, inputs)
    with pytest.raises(AbortedError, match="failed to be in healthy state"):
        service.update(CONTAINER_TOKEN, identity, state, {**WEB, "waitTimeout": 1})
    engine.containers[identity]["State"]["Health"]["Status"] = "healthy"
    assert service.update(CONTAINER_TOKEN, identity, state, WEB)["name"] == "web"


def test_a_container_without_a_health_check_cannot_be_waited_for(service: Service) -> None:
    bare = {key: value for key, value in WEB.items() if key != "healthcheck"}
    with pytest.raises(AbortedError, match="`wait` needs a health check"):
        service.create(CONTAINER_TOKEN, bare)


def test_cancel_ends_a_wait_at_once(service: Service, engine: FakeEngine) -> None:
    engine.health = "starting"
    timer = threading.Timer(0.2, lambda: service.provider.Cancel(empty_pb2.Empty(), cast(Any, service.context)))
    timer.start()
    with pytest.raises(AbortedError, match="wait for container web: was cancelled"):
        service.create(CONTAINER_TOKEN, WEB)
    timer.join()


def test_an_image_that_the_engine_lacks_is_pulled(service: Service, engine: FakeEngine) -> None:
    service.create(CONTAINER_TOKEN, {**WEB, "image": "registry.test/new@sha256:3"})
    assert "pull registry.test/new@sha256:3" in engine.calls


def test_nothing_is_made_when_the_image_cannot_be_pulled_or_inputs_make_no_sense(
    service: Service, engine: FakeEngine
) -> None:
    with pytest.raises(AbortedError, match=r"pull image registry\.test/absent:1: manifest unknown"):
        service.create(CONTAINER_TOKEN, {**WEB, "image": "registry.test/absent:1"})
    with pytest.raises(AbortedError, match="exactly one of content, contentBase64 and source"):
        service.create(CONTAINER_TOKEN, {**WEB, "uploads": [{"file": "/a"}]})
    with pytest.raises(AbortedError, match="either fromContainer or containerPath"):
        service.create(CONTAINER_TOKEN, {**WEB, "volumes": [{"readOnly": True}]})
    with pytest.raises(AbortedError, match="'soon' is no duration"):
        service.create(CONTAINER_TOKEN, {**WEB, "healthcheck": {"tests": ["x"], "interval": "soon"}})
    assert engine.containers == {}


def test_a_deletion_grants_the_grace_time_and_what_is_gone_is_fine(service: Service, engine: FakeEngine) -> None:
    identity, state, _ = service.create(CONTAINER_TOKEN, {**WEB, "destroyGraceSeconds": 7})
    service.delete(CONTAINER_TOKEN, identity, state)
    assert engine.containers == {}
    assert engine.calls[-2:] == ["stop within 7", "remove volumes=True force=True"]
    service.delete(CONTAINER_TOKEN, identity, state)
    assert service.read(CONTAINER_TOKEN, identity, state)[0] == ""


def test_an_import_takes_what_a_program_would_have_to_say(service: Service) -> None:
    identity, _, _ = service.create(CONTAINER_TOKEN, {**WEB, "readOnly": True})
    _, _, inputs = service.read(CONTAINER_TOKEN, identity)
    assert (inputs["image"], inputs["readOnly"], inputs["memory"]) == (WEB["image"], True, 16)
    assert "privileged" not in inputs


# -- networks and volumes ----------------------------------------------------------------------------------------------


def test_a_network_lives_and_waits_for_leaving_containers(
    service: Service, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("local.plugins.docker.daemon._PAUSE_SECONDS", 0.01)
    wanted = {"name": "own", "internal": True, "labels": [{"label": "a", "value": "b"}]}
    identity, state, inputs = service.create(NETWORK_TOKEN, wanted)
    assert service.diff(NETWORK_TOKEN, state, inputs, wanted).changes == provider_pb2.DiffResponse.DIFF_NONE
    opened = service.diff(NETWORK_TOKEN, state, inputs, {**wanted, "internal": False})
    assert (list(opened.replaces), opened.deleteBeforeReplace) == (["internal"], True)
    engine.networks[identity]["busy"] = 2
    service.delete(NETWORK_TOKEN, identity, state)
    assert engine.networks == {}
    assert service.read(NETWORK_TOKEN, identity, inputs)[0] == ""


def test_a_volume_lives(service: Service, engine: FakeEngine) -> None:
    identity, state, inputs = service.create(VOLUME_TOKEN, {"name": "data"})
    assert (identity, state["driver"], state["mountpoint"]) == ("data", "local", "/v")
    assert service.diff(VOLUME_TOKEN, state, inputs, {"name": "data"}).changes == provider_pb2.DiffResponse.DIFF_NONE
    service.delete(VOLUME_TOKEN, identity, state)
    assert engine.volumes == {}


# -- previews, the plugin itself, its configuration --------------------------------------------------------------------


def test_a_preview_asks_no_engine_and_leaves_open_what_only_it_knows() -> None:
    nobody = Service(cast(Any, None))
    identity, state, _ = nobody.create(CONTAINER_TOKEN, WEB, preview=True)
    assert (identity, state["memory"], state["networkDatas"], state["hostname"]) == ("", 16, UNKNOWN, UNKNOWN)
    changed = nobody.update(CONTAINER_TOKEN, "1", {**state, "networkDatas": ["x"]}, {**WEB, "memory": 32}, preview=True)
    assert (changed["memory"], changed["networkDatas"]) == (32, ["x"])


def test_an_engine_that_is_away_is_named_with_what_to_do() -> None:
    daemon = Daemon(Settings(host="tcp://127.0.0.1:1"), EngineLog(), threading.Event())
    with pytest.raises(ResourceError, match=r"read: the Docker engine at tcp:.* does not answer .*refused.*start it"):
        daemon.ask("read", lambda api: api.inspect_container("x"))
    daemon.api.close()


def test_other_types_and_functions_name_the_official_provider(service: Service) -> None:
    with pytest.raises(
        AbortedError, match=r"'docker:index/service:Service' needs the official docker provider; served"
    ):
        service.check("docker:index/service:Service", {})
    with pytest.raises(AbortedError, match="needs the official docker provider"):
        service.provider.Invoke(
            provider_pb2.InvokeRequest(tok="docker:index/getNetwork:getNetwork"), cast(Any, service.context)
        )
    with pytest.raises(AbortedError, match="before it was configured"):
        DockerProvider().Delete(provider_pb2.DeleteRequest(urn=urn(NETWORK_TOKEN)), cast(Any, service.context))


def test_the_schema_names_the_served_types_with_the_sdks_inputs() -> None:
    import pulumi_docker as docker  # noqa: PLC0415 -- 0.3 s

    schema = json.loads(DockerProvider().GetSchema(provider_pb2.GetSchemaRequest(), cast(Any, Context())).schema)
    assert set(schema["resources"]) == {IMAGE, CONTAINER_TOKEN, NETWORK_TOKEN, VOLUME_TOKEN}
    annotated = docker.ContainerArgs.__init__.__annotations__
    ours = set(schema["resources"][CONTAINER_TOKEN]["inputProperties"])
    assert ours <= {_camel(name) for name in annotated}, "every input of ours is one of the SDK"


def _camel(name: str) -> str:
    head, *rest = name.split("_")
    return head + "".join(word.capitalize() for word in rest)


def test_settings_come_from_variables_then_from_the_environment() -> None:
    auth = json.dumps([{"address": "https://registry.test/", "username": "ci", "password": "p"}])
    found = Settings.read({"docker:config:registryAuth": auth}, {"DOCKER_HOST": "tcp://docker.test:2376"})
    assert found.host == "tcp://docker.test:2376"
    assert found.login("registry.test/web:1") == {"username": "ci", "password": "p"}
    assert found.login("web") is None
    assert "'p'" not in repr(found)
    assert Settings.read({}, {}).host == "unix:///var/run/docker.sock"


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"docker:config:host": "ssh://me@docker.test"}, "serves unix://"),
        ({"docker:config:keyMaterial": "-----BEGIN"}, "keyMaterial: the offline docker plugin does not serve"),
        ({"docker:config:context": "remote"}, "does not serve contexts"),
        ({"docker:config:registryAuth": "{"}, "is not JSON"),
    ],
)
def test_options_of_the_official_provider_that_are_not_served_say_so(variables: dict[str, str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        Settings.read(variables, {})


@pytest.mark.parametrize(
    ("image", "registry"),
    [
        ("web", "docker.io"),
        ("team/web:1", "docker.io"),
        ("127.0.0.1:5000/web", "127.0.0.1:5000"),
        ("localhost/web", "localhost"),
    ],
)
def test_the_registry_of_an_image_is_its_first_part_if_that_is_an_address(image: str, registry: str) -> None:
    assert registry_of(image) == registry
