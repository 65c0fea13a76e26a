from __future__ import annotations

import json
import tomllib
from ipaddress import IPv4Network
from pathlib import Path

import pytest

from local.node import NetworkPlan, settings, specs
from local.node.node import _described
from local.node.process import ProcessSpec
from local.paths import Paths

PLAN = NetworkPlan(instance="test", network=IPv4Network("10.214.0.0/16"))
PATHS = Paths(instance="test", root=Path("/checkout"), cache=Path("/cache"), state=Path("/state"))


@pytest.fixture
def programs() -> dict[str, ProcessSpec]:
    return {spec.name: spec for spec in specs.processes(PATHS, PLAN)}


def test_every_program_waits_only_for_programs_that_exist(programs: dict[str, ProcessSpec]) -> None:
    for spec in programs.values():
        assert set(spec.after) <= set(programs)


def test_every_program_can_be_asked_whether_it_serves_and_its_memory_follows_what_is_alive(
    programs: dict[str, ProcessSpec],
) -> None:
    for spec in programs.values():
        assert spec.ready is not None
        assert bool(spec.ready.url) != bool(spec.ready.socket)
        assert spec.env["GOGC"] == "50"
        assert "GOMEMLIMIT" not in spec.env


def test_nothing_is_written_outside_state_and_cache(programs: dict[str, ProcessSpec]) -> None:
    for spec in programs.values():
        for word in spec.argv:
            path = Path(word.rpartition("=")[2])
            assert not path.is_absolute() or path.is_relative_to("/state") or path.is_relative_to("/cache"), word


def test_nothing_listens_on_all_addresses(programs: dict[str, ProcessSpec]) -> None:
    text = " ".join(word for spec in programs.values() for word in spec.argv)
    assert "0.0.0.0" not in text  # noqa: S104 - it must not be there
    assert settings.kubelet(PATHS, PLAN)["address"] == "10.214.0.2"
    assert settings.proxy(PATHS, PLAN)["bindAddress"] == "10.214.0.2"


def test_the_runtime_uses_our_parts_and_the_small_machines_oom_setting() -> None:
    document = tomllib.loads(settings.containerd(PATHS))
    cri = document["plugins"]["io.containerd.grpc.v1.cri"]
    assert cri["restrict_oom_score_adj"] is True
    assert cri["sandbox_image"] == "127.0.0.1:5000/omnibase/pause:1"
    assert cri["cni"]["bin_dir"] == "/cache/debs/containernetworking-plugins/usr/lib/cni"
    assert document["grpc"]["address"] == "/state/node/run/containerd.sock"


def test_the_runtime_asks_the_registry_over_tls_and_checks_who_answers() -> None:
    config = tomllib.loads(settings.containerd(PATHS))["plugins"]["io.containerd.grpc.v1.cri"]["registry"]
    hosts = tomllib.loads(settings.hosts(PATHS))
    checked = {"capabilities": ["pull", "resolve"], "ca": "/state/node/pki/registry-ca.crt"}
    assert config == {"config_path": "/state/node/etc/certs.d"}
    assert hosts == {
        "server": "https://127.0.0.1:5000", "host": {"https://127.0.0.1:5000": checked}, **checked,
    }  # fmt: skip


def test_a_renewed_certificate_restarts_the_program_that_serves_it_and_no_other(tmp_path: Path) -> None:
    (tmp_path / "registry.crt").write_text("old")
    serving = ProcessSpec(name="registry", argv=("/registry",), env={"CERTIFICATE": str(tmp_path / "registry.crt")})
    other = ProcessSpec(name="other", argv=("/other",), env={"PATH": f"{tmp_path}:/bin", "HOME": str(tmp_path)})
    before = [_described(spec, [tmp_path])["revision"] for spec in (serving, other)]
    (tmp_path / "registry.crt").write_text("new")
    after = [_described(spec, [tmp_path])["revision"] for spec in (serving, other)]
    assert before[0] != after[0]
    assert before[1] == after[1]


def test_anonymous_questions_are_about_health_only() -> None:
    anonymous = settings.authentication()["anonymous"]
    assert anonymous == {"enabled": True, "conditions": [{"path": p} for p in ("/livez", "/readyz", "/healthz")]}


def test_new_secrets_are_written_encrypted() -> None:
    (resource,) = json.loads(json.dumps(settings.encryption("a2V5\n")))["resources"]
    assert list(resource["providers"][0]) == ["secretbox"]
    assert resource["providers"][0]["secretbox"]["keys"][0]["secret"] == "a2V5"
