"""What is in the images, and what is not."""

from __future__ import annotations

import re
import tarfile
from collections.abc import Callable
from functools import cache

import pytest

from local.images.catalogue import IMAGES
from local.node import Node
from local.paths import Paths
from tests.cluster.images_kit import HARDENED, Docker

Files = dict[str, tarfile.TarInfo]

BY_NAME = {image.name: image for image in IMAGES}
BUILD_TOOLS = {"apt", "apt-get", "dpkg", "pip", "pip3", "gcc", "cc", "ld", "make", "go", "git", "perl", "curl", "wget"}

each_image = pytest.mark.parametrize("name", sorted(BY_NAME))


@pytest.fixture(scope="module")
def docker(node: Node, paths: Paths) -> Docker:
    """The engine of the running node."""
    assert node.status().healthy
    return Docker(paths=paths)


@pytest.fixture(scope="module")
def contents(docker: Docker, image_references: dict[str, str]) -> Callable[[str], Files]:
    """Name of an image -> its files; each is exported once."""
    return cache(lambda name: docker.files(image_references[name]))


def _programs(files: Files) -> set[str]:
    return {name.rsplit("/", 1)[1] for name in files if re.match(r"(usr/(local/)?)?s?bin/[^/]+$", name)}


@each_image
@pytest.mark.req("C4.1")
def test_it_is_made_to_run_as_a_numeric_user(docker: Docker, image_references: dict[str, str], name: str) -> None:
    user = docker.config(image_references[name])["User"]

    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", user), user


@each_image
@pytest.mark.req("C4.1")
def test_no_file_gives_rights_to_who_runs_it(contents: Callable[[str], Files], name: str) -> None:
    assert [file.name for file in contents(name).values() if file.isfile() and file.mode & 0o6000] == []


@each_image
@pytest.mark.req("C4.2")
def test_no_build_tool_reached_it(contents: Callable[[str], Files], name: str) -> None:
    assert _programs(contents(name)) & BUILD_TOOLS == set()


@each_image
def test_it_says_what_it_is(docker: Docker, image_references: dict[str, str], name: str) -> None:
    labels = docker.config(image_references[name])["Labels"]

    assert labels["org.opencontainers.image.title"] == name
    assert f":{labels['org.opencontainers.image.version']}-" in image_references[name]


@each_image
@pytest.mark.req("C4.6")
def test_it_is_referred_to_by_digest(image_references: dict[str, str], name: str) -> None:
    assert re.fullmatch(
        rf"127\.0\.0\.1:5000/omnibase/{name}:[\w.]+-[0-9a-f]{{12}}@sha256:[0-9a-f]{{64}}", image_references[name]
    )


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("pause", {"pause"}),
        ("coredns", {"coredns"}),
        ("cloudnative-pg", {"manager", "operator", "operator/manager_amd64"}),
        ("prometheus-operator", {"bin", "bin/prometheus-operator", "bin/prometheus-config-reloader"}),
        ("alert-receiver", {"alert-receiver"}),
    ],
)
def test_a_program_of_ours_comes_alone(contents: Callable[[str], Files], name: str, expected: set[str]) -> None:
    assert set(contents(name)) == expected


def test_the_reference_service_has_no_shell(contents: Callable[[str], Files]) -> None:
    assert _programs(contents("reference")) & {"sh", "bash", "dash", "busybox"} == set()


def test_the_reference_service_needs_no_compiling_at_its_start(contents: Callable[[str], Files]) -> None:
    files = set(contents("reference"))

    assert "app/services/reference/__pycache__/app.cpython-313.pyc" in files
    assert "usr/lib/python3.13/asyncio/__pycache__/__init__.cpython-313.pyc" in files


@pytest.mark.parametrize("name", ["postgres", "reference", "prometheus", "alertmanager", "node-exporter"])
def test_a_scanner_finds_every_package_and_its_licence(
    contents: Callable[[str], Files], paths: Paths, name: str
) -> None:
    files = contents(name)

    for package in BY_NAME[name].packages(paths):
        assert f"var/lib/dpkg/status.d/{package}" in files
        # Packages of one source may share a directory by a link.
        assert files.keys() & {f"usr/share/doc/{package}/copyright", f"usr/share/doc/{package}"}, package


@pytest.mark.parametrize(
    "program", ["initdb", "postgres", "pg_ctl", "pg_controldata", "pg_basebackup", "pg_rewind", "pg_isready", "psql"]
)
def test_the_operator_finds_the_servers_programs(
    docker: Docker, image_references: dict[str, str], program: str
) -> None:
    assert "(PostgreSQL) 17." in docker("run", "--rm", *HARDENED, image_references["postgres"], program, "--version")


def test_the_operator_finds_the_pooler_where_its_code_says(docker: Docker, image_references: dict[str, str]) -> None:
    image = image_references["postgres"]
    version = docker("run", "--rm", *HARDENED, "--user=998:996", image, "/usr/bin/pgbouncer", "--version")

    found = re.search(r"PgBouncer (\d+)\.(\d+)", version)
    assert found
    assert (int(found[1]), int(found[2])) >= (1, 19)  # the operator needs auth_dbname


def test_dns_has_the_plugins_that_a_cluster_needs(docker: Docker, image_references: dict[str, str]) -> None:
    listed = docker("run", "--rm", *HARDENED, image_references["coredns"], "-plugins").split()

    for plugin in ("errors", "health", "ready", "kubernetes", "prometheus", "forward", "cache", "loop", "reload"):
        assert plugin in listed
    assert {"route53", "azure", "clouddns"} & set(listed) == set()
