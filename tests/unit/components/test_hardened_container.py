"""HardenedContainer: what is refused, what is fixed, what is asked for, and the network around it."""

from __future__ import annotations

import copy
import datetime
from collections.abc import Callable
from typing import Any, cast

import pulumi
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from omnibase_infra import ArgsError, HardenedContainer, HardenedContainerArgs
from omnibase_infra.container import inputs
from omnibase_infra.container.checks import problems
from omnibase_infra.docker_objects import CONTAINER, NETWORK, VOLUME, DockerObject
from omnibase_infra.docker_objects import IMAGE as IMAGE_TYPE
from omnibase_policies import RULES, State, evaluate

from tests.stacks.support.recorder import HIDDEN, Registration, record

IMAGE = f"registry.example.test/web@sha256:{'a' * 64}"
DAY = datetime.date(2026, 11, 25)
ARGS: HardenedContainerArgs = {
    "environment": "prod",
    "image": IMAGE,
    "memory_mib": 64,
    "health_command": ["/healthy"],
}
EVERYWHERE, SCRATCH = "0.0.0.0", "/tmp"  # noqa: S104, S108 -- to be refused, and a directory in the container
_PUBLIC = "is every address of the host: needs a waiver"
WAIVER = {"reason": "a legacy client", "owner": "edge team", "until": "2027-01-31"}


def changed(**changes: Any) -> HardenedContainerArgs:  # noqa: ANN401 -- any argument
    return cast(HardenedContainerArgs, {**copy.deepcopy(ARGS), **changes})


def made(**changes: Any) -> dict[str, Registration]:  # noqa: ANN401 -- any argument
    """What a container with these arguments registers, by name."""
    recorder = record(lambda: HardenedContainer("web", changed(**changes)), stack="prod")
    return {item.name: item for item in recorder.registrations()}


def test_good_arguments_are_not_complained_about() -> None:
    assert problems("web", ARGS, DAY) == []


@pytest.mark.req("V2", "V4", "V5")
@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"uid": 0}, "uid=0 is outside 1..2147483647"),
        ({"image": "registry.example.test/web:1"}, "tag@sha256:<64 hex digits>: needs a waiver"),
        ({"port": 80}, "port=80 is outside 1024..65535"),
        ({"port": 8080, "publish": {"host_port": 443}}, "publish.host_port=443 is outside 1024..65535"),
        ({"port": 8080, "publish": {"host_port": 8080, "address": EVERYWHERE}}, _PUBLIC),
        ({"port": 8080, "publish": {"host_port": 8080, "address": "::"}}, _PUBLIC),
        ({"port": 8080, "publish": {"host_port": 8080, "address": "eth0"}}, "must be an address of the host"),
        ({"publish": {"host_port": 8080}}, "publish needs port"),
        ({"memory_mib": 2}, "memory_mib=2 is outside 6.."),
        ({"processes": 0}, "processes=0 is outside"),
        ({"cpu_millis": 1}, "cpu_millis=1 is outside"),
        ({"start_seconds": 5000}, "start_seconds=5000 is outside 1..1800"),
        ({"health_command": []}, "health_command is empty"),
        ({"environment": "producton"}, "must be one of dev, test, staging, prod"),
        ({"env": {"DB_PASSWORD": "x"}}, "pass DB_PASSWORD_FILE=/run/secrets/<file>"),
        ({"env": {"A=B": "x"}}, "env 'A=B' is not a name"),
        ({"secrets": {"../etc/passwd": "x"}}, "is not a file name"),
        ({"scratch_mib": {SCRATCH: 64}}, "counts into memory_mib=64; it must be less"),
        ({"scratch_mib": {"/": 1}}, "needs an absolute path below /"),
        ({"data_path": "/run/secrets"}, "needs an absolute path below /, other than /run/secrets"),
        ({"writable_root": True}, "writable_root=True: needs a waiver for 'writable-root'"),
        ({"waivers": [{**WAIVER, "setting": "public-port"}]}, "waives nothing; remove it"),
        ({"waivers": [{**WAIVER, "setting": "writable-root", "until": "2026-01-01"}]}, "ended on"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_refused_with_a_reason(changes: dict[str, Any], message: str) -> None:
    found = problems("web", changed(**changes), DAY)
    assert any(message in problem for problem in found), found


def test_all_problems_come_together_and_before_any_resource() -> None:
    def program() -> None:
        with pytest.raises(ArgsError) as caught:
            HardenedContainer("web", changed(uid=0, port=80, memory_mib=2))
        assert len(caught.value.problems) == 3 + 1  # scratch space does not fit into 2 MiB either
        assert str(caught.value).startswith("HardenedContainer 'web': ")

    assert record(program).registrations() == []


def test_a_waiver_lets_one_weaker_setting_through() -> None:
    publish = {"host_port": 8080, "address": EVERYWHERE}
    waivers = [{**WAIVER, "setting": "public-port"}]
    assert problems("web", changed(port=8080, publish=publish, waivers=waivers), DAY) == []


@pytest.mark.req("C4.1", "C4.3")
def test_the_container_is_locked_down_without_being_asked() -> None:
    found = made()["web-container"].inputs
    assert found["user"] == "10001:10001"
    assert found["readOnly"] is True
    assert found["capabilities"] == {"drops": ["ALL"]}
    assert found["securityOpts"] == ["no-new-privileges:true"]
    assert (found["memory"], found["memorySwap"], found["cpus"]) == (64, 64, "0.5")
    assert {limit["name"] for limit in found["ulimits"]} == {"nproc", "nofile"}
    assert found["restart"] == "unless-stopped"
    assert found["logOpts"] == {"max-size": "10m", "max-file": "3"}
    assert found["networkMode"] == "prod-web"
    assert "ports" not in found


@pytest.mark.req("V1")
def test_its_network_is_internal_and_a_port_gets_a_network_of_its_own() -> None:
    plain, published = made(), made(port=8080, publish={"host_port": 18080})
    (own,) = [item.inputs for item in plain.values() if item.type == NETWORK]
    assert (own["internal"], own["options"]) == (True, {"com.docker.network.bridge.inhibit_ipv4": "true"})
    assert published["web-network"].inputs["internal"] is True
    edge = published["web-edge"].inputs
    assert edge["options"] == {"com.docker.network.bridge.enable_ip_masquerade": "false"}
    found = published["web-container"].inputs
    assert found["ports"] == [{"internal": 8080, "external": 18080, "ip": "127.0.0.1", "protocol": "tcp"}]
    assert found["networksAdvanced"] == [{"name": "prod-web-edge"}]


def test_secrets_lie_in_a_container_that_never_starts_and_are_marked_secret() -> None:
    found = made(secrets={"token": "hunter2"})
    carrier, web = found["web-secrets"].inputs, found["web-container"].inputs
    assert (carrier["start"], carrier["mustRun"], carrier["networkMode"]) == (False, False, "none")
    assert carrier["uploads"] == [{"file": "/run/secrets/token", "content": HIDDEN, "permissions": "0444"}]
    assert carrier["user"] == "10001:10001"
    assert web["volumes"] == [{"fromContainer": "prod-web-secrets:ro"}]
    assert {"label": "omnibase.io/secrets", "value": "web-secrets-id"} in web["labels"]
    assert found["web"].inputs["secrets"] == {"token": HIDDEN}
    assert "hunter2" not in str(found)


@pytest.mark.parametrize(("environment", "kept"), [("dev", False), ("staging", True), ("prod", True)])
def test_data_is_kept_where_it_matters(environment: str, kept: bool) -> None:
    found = made(environment=environment, data_path="/data")
    volume = found["web-data"]
    assert (volume.type, volume.protect, volume.retain) == (VOLUME, kept, kept)
    assert found["web-container"].inputs["volumes"] == [
        {"volumeName": f"{environment}-web-data", "containerPath": "/data"}
    ]


_ADVISED = {"docker-restart-limit"}
"""What is advised and not followed: a container that is started a few times only would stay down after a reboot."""


@pytest.mark.req("C5.9")
@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"secrets": {"token": "x"}, "data_path": "/data"},
        {"port": 8080, "publish": {"host_port": 18080}, "env": {"A": "b"}, "command": ["/serve"]},
    ],
)
def test_no_rule_of_the_policy_pack_has_anything_to_say(changes: dict[str, Any]) -> None:
    objects = [
        {**item.inputs, "kind": "DockerContainer"} for item in made(**changes).values() if item.type == CONTAINER
    ]
    assert {each.rule for each in evaluate(objects, tier="prod")} == _ADVISED


_BREAKS: dict[str, Callable[[dict[str, Any]], object]] = {
    "docker-no-privileged": lambda found: found.update(privileged=True),
    "docker-drop-caps": lambda found: found.update(capabilities={"drops": []}),
    "docker-no-new-privileges": lambda found: found.update(securityOpts=[]),
    "docker-limits": lambda found: found.pop("memory"),
    "docker-no-host-namespaces": lambda found: found.update(pidMode="host"),
    "docker-user-nonroot": lambda found: found.pop("user"),
    "docker-read-only-root": lambda found: found.update(readOnly=False),
    "docker-image-digest": lambda found: found.update(image="web:1"),
    "docker-healthcheck": lambda found: found.pop("healthcheck"),
    "docker-own-network": lambda found: found.pop("networkMode"),
}


@pytest.mark.parametrize("rule", sorted(_BREAKS))
def test_one_broken_field_breaks_one_rule(rule: str) -> None:
    found = {**made()["web-container"].inputs, "kind": "DockerContainer"}
    _BREAKS[rule](found)
    violated = {each.rule for each in evaluate([found], tier="prod") if each.state is State.VIOLATED}
    assert violated - _ADVISED == {rule}
    assert rule in RULES


@given(seconds=st.integers(1, 100_000), millis=st.integers(10, 256_000))
@settings(derandomize=True)
def test_times_and_shares_are_written_as_the_engine_writes_them_back(seconds: int, millis: int) -> None:
    from local.plugins.docker.container_spec import nanoseconds  # noqa: PLC0415
    from local.plugins.docker.container_state import duration  # noqa: PLC0415

    written = inputs._duration(seconds)
    assert duration(nanoseconds(written)) == written
    cpus = inputs._decimal(millis)
    assert f"{float(cpus):.3f}" == f"{millis / 1000:.3f}"
    assert not cpus.endswith(("0.", "."))
    assert "." not in cpus or not cpus.endswith("0")


def test_an_image_that_another_resource_makes_is_checked_when_it_is_known() -> None:
    def program() -> None:
        HardenedContainer("web", changed(image=pulumi.Output.from_input("registry.example.test/web:1")))

    with pytest.raises(Exception, match="has no digest"):
        record(program)


def test_an_object_is_registered_like_one_of_the_official_sdk() -> None:
    import pulumi_docker as docker  # noqa: PLC0415 -- 0.3 s

    labels: Any = [{"label": "a", "value": "b"}]
    check: Any = {"tests": ["CMD", "/healthy"], "interval": "5s"}

    def official() -> None:
        docker.Container("a", image=IMAGE, memory_swap=64, labels=labels, healthcheck=check, read_only=True)
        docker.Network("b", internal=True, labels=labels)
        docker.Volume("c", labels=labels)
        docker.Image("d", image_name="registry.example.test/web:1", build={"context": "web"}, skip_push=True)

    def ours() -> None:
        opts = pulumi.ResourceOptions()
        wanted = {"image": IMAGE, "memorySwap": 64, "labels": labels, "healthcheck": check, "readOnly": True}
        DockerObject("a", CONTAINER, wanted, opts)
        DockerObject("b", NETWORK, {"internal": True, "labels": labels}, opts)
        DockerObject("c", VOLUME, {"labels": labels}, opts)
        built = {"imageName": "registry.example.test/web:1", "build": {"context": "web"}, "skipPush": True}
        DockerObject("d", IMAGE_TYPE, {**built, "buildOnPreview": False}, opts)

    wanted, found = ([(each.type, each.inputs) for each in record(each).registrations()] for each in (official, ours))
    assert found == wanted
