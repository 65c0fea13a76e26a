"""The verbs over the parts: build steps, node, images, engine. The order of `up` is the order of design section 5."""

from __future__ import annotations

import datetime
import json
import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from local import engine, gomodules, images, node, policy, stack
from local.build import packages_step, toolchain_step, unpack_step
from local.errors import InputError, LocalError, MachineError, StoppedError
from local.images.catalogue import IMAGES, Image, images_for
from local.lock import exclusive
from local.paths import Paths
from local.progress import Progress
from local.report import closing_message, print_status
from local.steps import Step, run_steps

_FIRST_BUILD_BYTES = 12 << 30  # Go's modules and build cache, images twice (registry and containerd), volumes: measured
_TEST_PACKAGES = ("prometheus",)  # for its promtool: alerts are run against made-up series
_OURS_IN_STATE = frozenset({"node", "pulumi", "kubeconfig", "images.lock.json", "lock"})
_OURS_IN_CACHE = frozenset(
    {"bin", "debs", "downloads", "go-bin", "images", "lock", "locks", "logs", "patched", "pycache", "registry",
     "scratch", "stamps", "vendor"}
)  # fmt: skip


def up(paths: Paths, stack_name: str, progress: Progress) -> None:
    """Deploy a stack; a second call changes nothing.

    Raises:
        InputError: unknown stack, settings that cannot be used, wrong passphrase; nothing was changed.
        MachineError: this machine cannot run the node; nothing was changed.
        LocalError: a step or the engine failed; the next call continues.
    """
    chosen = stack.load(paths.root, stack_name)
    policy.waivers(policy.levels_file(paths, stack_name))
    retry = f"make up STACK={stack_name}"
    if chosen.is_local:
        _check_machine(paths)
    stack.check(paths.root, stack_name)
    with exclusive(paths, retry):
        if chosen.is_local:
            start_machine(paths, progress, images_for(chosen.postgres), retry=retry)
        else:
            run_steps(engine_steps(paths), paths, progress, retry=retry)
        project = _guarded(paths, stack_name, progress)
        with progress.step("pulumi up", 90):
            _succeed(project.up(), "pulumi up", retry)
        closing_message(chosen, project, progress)


def preview(paths: Paths, stack_name: str, progress: Progress, *, as_json: bool = False) -> int:
    """Show what `up` would change; returns the engine's exit code. Needs no cluster, and the lock only to build."""
    stack.load(paths.root, stack_name)
    policy.waivers(policy.levels_file(paths, stack_name))
    stack.check(paths.root, stack_name)
    with exclusive(paths, f"make preview STACK={stack_name}"):
        run_steps(engine_steps(paths), paths, progress, retry=f"make preview STACK={stack_name}")
        return _guarded(paths, stack_name, progress).preview(*(["--json"] if as_json else []))


def refresh(paths: Paths, stack_name: str, progress: Progress) -> int:
    """Show drift and record what is really there; returns the engine's exit code."""
    stack.load(paths.root, stack_name)
    with exclusive(paths, f"make refresh STACK={stack_name}"):
        run_steps(engine_steps(paths), paths, progress, retry=f"make refresh STACK={stack_name}")
        return engine.Engine(paths, stack_name).refresh()


def down(paths: Paths, stack_name: str, progress: Progress) -> None:
    """Destroy the stack's resources, then stop the node if the stack ran on it."""
    chosen = stack.load(paths.root, stack_name)
    retry = f"make down STACK={stack_name}"
    if chosen.is_local:
        _require_root()
    with exclusive(paths, retry):
        project = engine.Engine(paths, stack_name)
        if project.exists() and project.export()["deployment"].get("resources"):
            if chosen.is_local:
                # only a cluster that answers can give up its objects
                start_machine(paths, progress, images_for(chosen.postgres), retry=retry)
            with progress.step("pulumi destroy", 60):
                _succeed(project.destroy(pods_beside=chosen.is_local), "pulumi destroy", retry)
        if chosen.is_local:
            _node(paths).stop(progress)


def restart(paths: Paths, stack_name: str, progress: Progress) -> None:
    """Stop the node of the stack's instance, with its pods, and start it again with its data.

    Raises:
        InputError: the stack does not run on a node of ours, or there is none yet.
        MachineError: this machine cannot run the node; nothing was changed.
        LocalError: a program does not become ready.
    """
    if not stack.load(paths.root, stack_name).is_local:
        raise InputError(
            f"stack {stack_name} runs on a cluster of its own; nothing was changed",
            hint="`target: local` in a stack file means a node of this machine",
        )
    _require_root()
    if not paths.node.exists():
        raise InputError(f"instance {paths.instance} has no node yet", hint=f"`make up STACK={stack_name}` makes it")
    with exclusive(paths, f"make restart STACK={stack_name}"):
        local_node = _node(paths)
        local_node.preflight(built=True)
        local_node.stop(progress)
        local_node.start(progress)


def clean(paths: Paths, progress: Progress, *, cache: bool = False) -> None:
    """Remove the instance: processes, interfaces, mounts, control groups, state; with `cache` also what was built.

    Raises:
        InputError: a directory holds what is not ours, or another instance runs from the cache; nothing was changed.
    """
    _refuse_strangers(paths.state, _OURS_IN_STATE, "OMNIBASE_STATE")
    if cache:
        _refuse_strangers(paths.cache, _OURS_IN_CACHE, "OMNIBASE_CACHE")
        _refuse_running_neighbours(paths)
    with exclusive(paths, "make clean"):
        _node(paths).destroy(progress)  # also where the state was removed by hand: what runs is found by its names
    for directory in (paths.state, paths.cache) if cache else (paths.state,):
        if directory.exists():
            shutil.rmtree(directory)
            progress.say(f"removed {directory}")


def status(paths: Paths, *, as_json: bool = False) -> int:
    """Print what runs; 0 when the node is healthy, else 1."""
    found = _node(paths).status()
    if as_json:
        print(json.dumps(found.to_dict(), indent=2, sort_keys=True))
    else:
        print_status(Console(highlight=False), paths, found)
    return 0 if found.healthy else 1


def prepare(paths: Paths, progress: Progress, *, for_tests_only: bool) -> None:
    """Build what tests need: third-party schemas and manifests only, or everything."""
    chosen = test_steps(paths) if for_tests_only else all_steps(paths)
    run_steps(chosen, paths, progress, retry="make test" if for_tests_only else "make test-cluster")


def engine_steps(paths: Paths) -> list[Step]:
    """What `pulumi preview` needs: engine, language host, offline plugins, vendor manifests."""
    return [
        toolchain_step(paths),
        *engine.build_steps(paths),
        engine.plugins_step(paths),
        *images.manifest_steps(paths),
    ]


def test_steps(paths: Paths) -> list[Step]:
    """What `make test` needs: manifests and schemas that components are validated against, tools; no root."""
    return [
        toolchain_step(paths),
        *images.manifest_steps(paths),
        unpack_step(_TEST_PACKAGES, paths),
        *gomodules.test_steps(paths),
    ]


def all_steps(paths: Paths, wanted: Sequence[Image] = IMAGES) -> list[Step]:
    """Everything that can be made before the node runs; the longest first, the other core meanwhile does the rest."""
    return [packages_step(paths), *node.build_steps(paths), *engine_steps(paths), *images.build_steps(paths, wanted)]


def start_machine(
    paths: Paths, progress: Progress, wanted: Sequence[Image] = IMAGES, *, retry: str = "make up"
) -> None:
    """Builds, node, images, add-ons: the local cluster that a stack asks for."""
    local_node = _node(paths)
    local_node.preflight()
    run_steps(all_steps(paths, wanted), paths, progress, retry=retry)
    local_node.start(progress)
    references = images.build_images(paths, progress, wanted, retry=retry)
    local_node.install_addons(references, progress)


def _guarded(paths: Paths, stack_name: str, progress: Progress) -> engine.Engine:
    """The engine under the policy pack, at the stack's levels."""
    levels = policy.levels_file(paths, stack_name)
    policy.say_waivers(levels, progress, datetime.datetime.now(tz=datetime.UTC).date())
    return engine.Engine(paths, stack_name, policy_packs=[paths.root / "policies"], policy_configs=[levels])


def _node(paths: Paths) -> node.Node:
    plan = node.NetworkPlan.from_environment(paths)
    return node.Node(paths, plan, images.processes(paths, plan))


def _check_machine(paths: Paths) -> None:
    """Refuse, before even the state directory is made, what would fail half-way: no root, no room.

    The rest of the preflight waits for the lock: another command that just starts or stops the node looks like a clash.
    """
    _require_root()
    existing = next(parent for parent in (paths.cache, *paths.cache.parents) if parent.exists())
    free = shutil.disk_usage(existing).free
    if free < _FIRST_BUILD_BYTES and not (paths.bin / "kube").exists():  # later runs are held to less, by the node
        raise MachineError(
            f"{existing} has {free >> 20} MiB free and a first build needs {_FIRST_BUILD_BYTES >> 20}; "
            "nothing was changed",
            hint="make room, or point OMNIBASE_CACHE at a larger disk",
        )
    node.check_place(paths)


def _require_root() -> None:
    if os.geteuid() != 0:
        raise MachineError(
            f"the local node needs root, and this user is uid {os.geteuid()}; nothing was changed",
            hint="run the command as root, or set `target: existing` in the stack file",
        )


def _refuse_strangers(directory: Path, ours: frozenset[str], variable: str) -> None:
    """Nothing is deleted from a directory that somebody gave us by mistake."""
    strangers = sorted(path.name for path in directory.iterdir() if path.name not in ours) if directory.exists() else []
    if strangers:
        raise InputError(
            f"{directory} holds what is not of this project: {', '.join(strangers[:5])}; nothing was removed",
            hint=f"look whether {variable} is right; move these away, or remove the directory by hand",
        )


def _refuse_running_neighbours(paths: Paths) -> None:
    running = [
        space.name for space in Path("/run/netns").glob("omnibase-*") if space.name != f"omnibase-{paths.instance}"
    ]
    if running:
        raise InputError(
            f"{', '.join(sorted(running))} runs from the same cache; nothing was removed",
            hint="remove that instance first: `make clean STACK=...` of a stack that lives on it",
        )


def _succeed(code: int, what: str, retry: str) -> None:
    if code == engine.INTERRUPTED:
        raise StoppedError(f"{what} was stopped", hint=f"nothing is lost: run `{retry}` to continue")
    if code != 0:
        raise LocalError(
            f"{what} ended with exit code {code}", hint=f"its reason is above; mend it and run `{retry}` again"
        )


__all__ = [
    "all_steps", "clean", "down", "engine_steps", "prepare", "preview", "refresh", "restart", "start_machine",
    "status", "test_steps", "up",
]  # fmt: skip
