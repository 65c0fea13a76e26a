"""The images that this project builds: what goes into each beside its directory images/<name>."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from local.paths import Paths

REPOSITORY = "127.0.0.1:5000/omnibase"
"""Registry (inside the node's network namespace) and the common prefix of all image names."""
ENGINE_REPOSITORY = "0.0.0.0:5000/omnibase"
"""The same, by the address for which Docker checks certificates: see `local.images.registry`."""

PAUSE_TAG = "1"
"""containerd's configuration names the sandbox image before any image is built, so its tag cannot carry a hash."""


@dataclass(frozen=True, kw_only=True)
class Image:
    """One image. Its build context is images/<name>, images/shared and what is named here."""

    name: str
    version: str
    """First part of the tag, unless `version_from` says better."""
    version_from: str = ""
    """Debian package whose version is the tag's first part: the operator reads PostgreSQL's major version from it."""
    programs: Sequence[str] = ()
    """Programs below Paths.bin; they appear as bin/<program>."""
    on_debian: bool = True
    """Put together in a stage that starts from the Debian base."""
    wheels: bool = False
    """Locked Python packages, see `lock`; they appear as wheels/. So does the source of a program of ours, as app/."""
    context: str = ""
    """Its directory below images/ and its packages, which several versions may share; default its name."""
    source: str = ""
    """Where that source is, relative to the project; default services/<name>."""
    seconds: float = 10.0
    """Usual build and push time on 2 cores."""

    def directory(self, paths: Paths) -> Path:
        """Where the Dockerfile is."""
        return paths.root / "images" / (self.context or self.name)

    def packages(self, paths: Paths) -> tuple[str, ...]:
        """Names in packages.txt, the Debian packages whose files go into the image; () without such a file."""
        file = self.directory(paths) / "packages.txt"
        lines = file.read_text().splitlines() if file.exists() else []
        return tuple(line.strip() for line in lines if line.strip() and not line.startswith("#"))

    def debs(self, paths: Paths) -> Path:
        """Directory of the downloaded packages."""
        return paths.cache / "images" / (self.context or self.name) / "debs"

    def wheel_directory(self, paths: Paths) -> Path:
        """Directory of the downloaded wheels."""
        return paths.cache / "images" / self.name / "wheels"

    def service(self, paths: Paths) -> Path:
        """Source of the program, for images of one of ours."""
        return paths.root / (self.source or f"services/{self.name}")

    def lock(self, paths: Paths) -> Path:
        """Pinned Python packages: beside the source of a service, otherwise beside the Dockerfile."""
        beside = self.service(paths) / "requirements.txt"
        return beside if beside.exists() else self.directory(paths) / "requirements.txt"


DEBIAN = Image(name="debian", version="trixie", on_debian=False, seconds=15)

_CORE = (
    Image(name="pause", version="1", programs=("pause",), on_debian=False, seconds=2),
    Image(name="coredns", version="1.13.1", programs=("coredns",), on_debian=False, seconds=6),
    Image(name="local-path-provisioner", version="0.0.30", programs=("local-path-provisioner",), seconds=8),
    Image(name="cloudnative-pg", version="1.30.0", programs=("cnpg-manager",), seconds=10),
    Image(name="postgres", version="17", version_from="postgresql-17", seconds=15),
    Image(name="database-watchdog", version="0.1.0", programs=("database-watchdog",), on_debian=False, seconds=4),
    Image(name="migrator", version="0.1.0", wheels=True, source="components/omnibase_infra/migrations", seconds=15),
    Image(name="reference", version="0.1.0", wheels=True, seconds=25),
)

_MONITORING = (
    Image(
        name="prometheus-operator",
        version="0.85.0",
        programs=("prometheus-operator", "prometheus-config-reloader"),
        on_debian=False,
        seconds=8,
    ),
    Image(name="prometheus", version="2.53", version_from="prometheus", seconds=15),
    Image(name="alertmanager", version="0.28", version_from="prometheus-alertmanager", seconds=10),
    Image(name="node-exporter", version="1.9", version_from="prometheus-node-exporter", seconds=8),
    Image(name="kube-state-metrics", version="2.18.0", programs=("kube-state-metrics",), on_debian=False, seconds=6),
    Image(name="alert-receiver", version="0.1.0", programs=("alert-receiver",), on_debian=False, seconds=3),
)

_LOGGING: tuple[Image, ...] = (
    Image(name="otel-collector", version="0.149.0", programs=("otel-collector",), on_debian=False, seconds=10),
    Image(name="victoria-logs", version="1.110.0", programs=("victoria-logs",), on_debian=False, seconds=4),
)

_GATEWAY = (
    Image(name="envoy-gateway", version="1.9.1", programs=("envoy-gateway",), on_debian=False, seconds=20),
    Image(name="envoy", version="1.39.3", programs=("envoy",), seconds=20),
)

_MESSAGING = (
    Image(name="nats", version="2.10", version_from="nats-server", seconds=8),
    Image(name="stream-controller", version="0.1.0", programs=("stream-controller",), on_debian=False, seconds=4),
)

_CERTIFICATES = (
    Image(name="certificate-exporter", version="0.1.0", programs=("certificate-exporter",), on_debian=False, seconds=4),
)

_DELIVERY = (
    Image(name="rollout-analysis", version="0.1.0", programs=("rollout-analysis",), on_debian=False, seconds=4),
)

_BACKUP = (
    Image(
        name="plugin-barman-cloud",
        version="0.14.0",
        programs=("barman-cloud-manager",),
        on_debian=False,
        seconds=6,
    ),
    Image(name="barman-cloud-sidecar", version="0.14.0", programs=("barman-cloud-manager",), wheels=True, seconds=20),
    Image(name="versitygw", version="1.7.0", programs=("versitygw", "object-store"), on_debian=False, seconds=5),
    Image(name="drill", version="17", version_from="postgresql-17", wheels=True, seconds=30),
)

_EXAMPLES: tuple[Image, ...] = ()

OLDER_POSTGRES = Image(
    name="postgres-17", version="17.11", programs=("postgresql-17.tar.gz",), context="postgres-wheel", seconds=20
)
NEWER_POSTGRES = Image(
    name="postgres-18", version="18.6", programs=("postgresql-18.tar.gz",), context="postgres-wheel", seconds=20
)
"""Two of PostgreSQL, released together: a cluster of the one is upgraded to the other. Built only where somebody asks
for them, see decision 0048."""

IMAGES: tuple[Image, ...] = (
    *_CORE,
    *_MONITORING,
    *_LOGGING,
    *_GATEWAY,
    *_MESSAGING,
    *_CERTIFICATES,
    *_DELIVERY,
    *_BACKUP,
    *_EXAMPLES,
)


def images_for(postgres: int) -> tuple[Image, ...]:
    """All images of a stack, its server's in this major version."""
    server = {18: replace(NEWER_POSTGRES, name="postgres")}
    return tuple(server.get(postgres, image) if image.name == "postgres" else image for image in IMAGES)


def rootfs(paths: Paths) -> Path:
    """Tar file of the Debian base."""
    return paths.cache / "images" / "debian" / "rootfs.tar"
