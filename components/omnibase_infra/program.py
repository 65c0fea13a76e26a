"""The project's program: from the engine's configuration to a Platform. `__main__.py` only calls `run`."""

from __future__ import annotations

import asyncio
import atexit
import gc
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pulumi
import pulumi_kubernetes as kubernetes
from pulumi.runtime import config as engine_config
from pulumi.runtime import resource as registering
from pulumi.runtime.proto import source_pb2

from omnibase_infra.config import (
    ConfigError,
    ImagesError,
    Loaded,
    StackConfig,
    engine_values,
    load,
    lock_exists,
    read_catalogue,
    read_stack_file,
    refuse_shared_archives,
    required_images,
    resolve_images,
    unbuilt_images,
)
from omnibase_infra.config.secrets import VALUES, ImportedValue, imports
from omnibase_infra.errors import ArgsError
from omnibase_infra.migrations import MigrationError, read_files
from omnibase_infra.migrations import refuse as refuse_files
from omnibase_infra.plain_values import replace_conversions
from omnibase_infra.platform import Platform, PlatformArgs
from omnibase_infra.versions import VENDOR_VARIABLE

_ALREADY_SHOWN = 32
"""Exit code by which the language host knows that the reason is on the screen already."""

DEBUG_VARIABLE = "OMNIBASE_SDK_DEBUG"
"""Set it to have the SDK as it is: its debug messages (under `--debug`), its stack of calls of each resource."""

_GARBAGE_THRESHOLDS = (50_000, 20, 100)


def run(root: Path) -> None:
    """`main` for the process that the engine started, and nothing in it that nobody needs.

    Args:
        root: the project's directory.
    """
    save_time()
    pulumi.run(begin_requests)
    main(root)


def save_time(environ: Mapping[str, str] = os.environ) -> None:
    """Leave out what the SDK does for nobody. Call it before `main`, in a process that runs this program alone.

    - A program ends after seconds and keeps nearly all that it makes. Looking for garbage after every 700 objects, as
      Python does by default, finds none: 0.8 of 3.9 seconds of CPU time with 355 resources. Nor does looking once more
      before the process ends, for which the engine waits: 0.25 seconds.
    - The SDK tells the engine five times for each resource what it is about to do, and waits for each answer, before
      the engine drops the message.
    - The SDK sends the whole stack of calls with each resource. The engine keeps it in the state, a tenth of its bytes,
      with paths of this machine, and writes the state anew for each resource whose lines have moved.
    - The SDK converts values as if each could be anything; see `plain_values`.

    Args:
        environ: with OMNIBASE_SDK_DEBUG, messages, stacks of calls and the SDK's own conversions stay.
    """
    gc.set_threshold(*_GARBAGE_THRESHOLDS)
    atexit.register(gc.freeze)
    if not environ.get(DEBUG_VARIABLE):
        pulumi.log.debug = _drop
        registering._get_stack_trace = source_pb2.StackTrace
        replace_conversions()


async def begin_requests() -> None:
    """Let the registrations of a finished program begin, before the SDK waits for them.

    The SDK waits for requests under way, one after the other. Where none is, as at the end of a program that waited for
    nothing itself, it waits for whichever *output* is there first, again and again over all that are left: with a
    thousand outputs, a million looks. 0.7 of 3.4 seconds of CPU time with 400 resources, 4.1 of 7.6 with 1075.
    """
    await asyncio.sleep(0)


def main(root: Path, environ: Mapping[str, str] = os.environ) -> None:
    """Register the whole stack and export its outputs.

    A wrong setting ends the program with one message; nothing but the stack itself has been registered then.

    Args:
        root: the project's directory, with the stack file; `migrations` is relative to it.
        environ: OMNIBASE__ overrides, OMNIBASE_IMAGES_LOCK and OMNIBASE_VENDOR_DIR are read.
    """
    try:
        args = platform_args(pulumi.get_stack(), root, environ)
        platform = _register(args)
    except (ConfigError, ImagesError, ArgsError, MigrationError, FileNotFoundError) as error:
        pulumi.log.error(str(error))
        sys.exit(_ALREADY_SHOWN)
    for path, variable in args.overrides.items():
        pulumi.log.info(f"{path} is overridden by {variable}")
    for key, value in platform.outputs.items():
        pulumi.export(key, value)


def platform_args(stack: str, root: Path, environ: Mapping[str, str]) -> PlatformArgs:
    """Everything that is read from outside, before the first resource.

    Raises:
        ConfigError, ImagesError, MigrationError: see `config.load`, `config.resolve_images`, `migrations.read_files`.
        FileNotFoundError: no directory of third-party manifests.
    """
    imported = _imported()
    path = root / f"Pulumi.{stack}.yaml"  # the engine has read it, or a copy, but not as strictly
    file = read_stack_file(path, stack) if path.exists() else None
    values, catalogue = engine_values(_engine_config()), read_catalogue(root, stack)
    loaded: Loaded = load(stack, values, environ, _secret_keys(), imported, file=file, catalogue=catalogue)
    config = loaded.config
    refuse_shared_archives(root, stack, config)
    return PlatformArgs(
        stack=stack,
        config=config,
        images=_images(config, required_images(config), environ),
        vendor=str(_vendor(environ)),
        migrations=_migrations(root, config),
        overrides=loaded.overrides,
        imported={key: pulumi.Output.secret(imported[key].text) for key in imports(config.secrets)},
    )


def _migrations(root: Path, config: StackConfig) -> dict[str, dict[str, str]]:
    """The files of each database that has a set; what cannot be read is said of all together."""
    found, wrong = dict[str, dict[str, str]](), list[str]()
    for name, database in config.postgres.databases.items():
        try:
            if database.migrations:
                found[name] = read_files(root / database.migrations.directory)
        except MigrationError as error:
            wrong += [f"postgres.databases.{name}.migrations: {problem}" for problem in error.problems]
    refuse_files(wrong)
    return found


def _imported() -> dict[str, ImportedValue]:
    """Values of imported secrets, as the engine decrypted them."""
    prefix, marked = f"{VALUES}:", {str(key) for key in engine_config.get_config_secret_keys_env()}
    return {
        key.removeprefix(prefix): ImportedValue(text=value, encrypted=key in marked)
        for key, value in _engine_config().items()
        if key.startswith(prefix)
    }


def _images(config: StackConfig, needed: set[str], environ: Mapping[str, str]) -> dict[str, str]:
    if config.images.lock and pulumi.runtime.is_dry_run() and not lock_exists(environ):
        pulumi.log.warn("this machine has not built its images yet: the preview shows digests of zeros instead")
        return {**unbuilt_images(needed, config.postgres.version), **config.images.pins}
    return resolve_images(config.images, needed, environ)


def _register(args: PlatformArgs) -> Platform:
    cluster = args.config.cluster
    provider = kubernetes.Provider(
        "kubernetes",
        context=cluster.kube_context,  # the kubeconfig itself is the environment's: it never enters the state
        cluster_identifier=cluster.kube_context,
        enable_config_map_mutable=True,
        enable_secret_mutable=True,
    )
    return Platform("platform", args, pulumi.ResourceOptions(providers=[provider]))


def _engine_config() -> dict[str, str]:
    values: dict[str, Any] = {**engine_config.get_config_env(), **engine_config.CONFIG.get()}
    return {str(key): str(value) for key, value in values.items()}


def _secret_keys() -> set[str]:
    keys = engine_config.get_config_secret_keys_env()
    return {str(key).partition(":")[2] for key in keys}


def _vendor(environ: Mapping[str, str]) -> Path:
    place = environ.get(VENDOR_VARIABLE)
    if not place:
        raise FileNotFoundError(f"{VENDOR_VARIABLE} is not set; use `make up` or `make preview`, which set it")
    return Path(place)


def _drop(
    msg: str, resource: pulumi.Resource | None = None, stream_id: int | None = None, ephemeral: bool | None = None
) -> None:
    """Takes the place of `pulumi.log.debug`, with its parameters."""
