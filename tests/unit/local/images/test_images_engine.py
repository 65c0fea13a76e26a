"""What the supervisor is told about the registry and the Docker engine."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

import pytest
import yaml

from local.images import engine, processes
from local.images.build import docker_environment
from local.images.catalogue import ENGINE_REPOSITORY, REPOSITORY
from local.node import pki
from local.node.network import NetworkPlan
from local.node.process import ProcessSpec
from local.paths import Paths

PATHS = Paths.from_environment({"OMNIBASE_INSTANCE": "unit"})
PLAN = NetworkPlan(instance="unit", network=IPv4Network("10.9.0.0/16"))


@pytest.fixture
def specs() -> dict[str, ProcessSpec]:
    return {spec.name: spec for spec in processes(PATHS, PLAN)}


def test_both_run_under_the_supervisor(specs: dict[str, ProcessSpec]) -> None:
    assert sorted(specs) == ["dockerd", "registry"]
    assert specs["dockerd"].after == ("containerd",)


def test_the_registry_listens_on_loopback_only(specs: dict[str, ProcessSpec]) -> None:
    config = yaml.safe_load((Path(engine.__file__).parent / "registry.yml").read_text())

    assert specs["registry"].env["REGISTRY_HTTP_ADDR"] == "127.0.0.1:5000"
    assert config["http"]["addr"] == "127.0.0.1:5000"


def test_the_registry_speaks_tls_1_3_with_the_certificate_that_the_node_made(specs: dict[str, ProcessSpec]) -> None:
    config = yaml.safe_load((Path(engine.__file__).parent / "registry.yml").read_text())
    registry, keys = specs["registry"], PATHS.node / "pki"

    assert config["http"]["tls"] == {"minimumtls": "tls1.3"}
    assert registry.env["REGISTRY_HTTP_TLS_CERTIFICATE"] == str(keys / "registry.crt")
    assert registry.env["REGISTRY_HTTP_TLS_KEY"] == str(keys / "registry.key")
    assert registry.ready is not None
    assert registry.ready.url == "https://127.0.0.1:5000/v2/"


def test_the_engine_trusts_the_registrys_authority_and_no_registry_without_a_check(
    specs: dict[str, ProcessSpec],
) -> None:
    assert specs["dockerd"].env["SSL_CERT_FILE"] == str(PATHS.node / "pki" / "registry-ca.crt")
    assert "insecure" not in " ".join(specs["dockerd"].argv)
    assert "insecure" not in (Path(engine.__file__).parent / "dockerd.json").read_text()


def test_what_is_pushed_goes_to_an_address_for_which_the_engine_checks_certificates() -> None:
    host = ENGINE_REPOSITORY.partition(":")[0]

    assert not IPv4Address(host).is_loopback  # Docker checks nothing in 127.0.0.0/8
    assert IPv4Address(host) in pki.registry_leaf(PLAN).addresses
    assert ENGINE_REPOSITORY.partition(":")[2] == REPOSITORY.partition(":")[2]


def test_the_engine_touches_no_rule_and_no_bridge_and_opens_no_port(specs: dict[str, ProcessSpec]) -> None:
    words = specs["dockerd"].argv

    assert {"--iptables=false", "--ip6tables=false", "--bridge=none", "--ip-forward=false"} <= set(words)
    assert [word for word in words if word.startswith("--host=")] == [f"--host=unix://{PATHS.docker_socket}"]


def test_the_engine_writes_below_the_state_directory_only(specs: dict[str, ProcessSpec]) -> None:
    places = [
        word.split("=", 1)[1]
        for word in specs["dockerd"].argv
        if word.startswith(("--data-root", "--exec-root", "--pidfile", "--containerd="))
    ]

    assert len(places) == 4
    assert all(Path(place).is_relative_to(PATHS.state) for place in places)


def test_settings_of_a_docker_on_this_machine_do_not_count(specs: dict[str, ProcessSpec]) -> None:
    assert any(word.startswith("--config-file=") and "/etc/docker" not in word for word in specs["dockerd"].argv)
    assert Path(docker_environment(PATHS)["DOCKER_CONFIG"]).is_relative_to(PATHS.cache)


def test_blobs_outlive_the_node(specs: dict[str, ProcessSpec]) -> None:
    directory = specs["registry"].env["REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY"]

    assert Path(directory).is_relative_to(PATHS.cache)


def test_networks_of_containers_lie_in_the_instances_own_range_beside_pods_and_services(
    specs: dict[str, ProcessSpec],
) -> None:
    assert "--default-address-pool=base=10.9.192.0/18,size=26" in specs["dockerd"].argv
    assert PLAN.containers.subnet_of(PLAN.network)
    assert not any(PLAN.containers.overlaps(other) for other in (PLAN.link, PLAN.pods, PLAN.services))
