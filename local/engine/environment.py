"""The variables that the engine runs with: a home, a backend and a passphrase of this instance, not of the user."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Mapping
from pathlib import Path

from local.engine.installation import installation
from local.errors import InputError
from local.paths import Paths
from local.steps import write_atomically

_PASSPHRASE = "PULUMI_CONFIG_PASSPHRASE"  # noqa: S105 - a variable's name
_PASSPHRASE_FILE = "PULUMI_CONFIG_PASSPHRASE_FILE"  # noqa: S105 - a variable's name
_GARBAGE_PERCENT = "200"  # by default a quarter of the engine's CPU time goes into collecting; 300 took 1.2 GiB


def environment(paths: Paths, env: Mapping[str, str] = os.environ) -> dict[str, str]:
    """All variables for `pulumi` and what it starts; makes the directories and the passphrase that they name.

    Args:
        paths: the instance.
        env: variables to start from. Its PULUMI_CONFIG_PASSPHRASE or PULUMI_CONFIG_PASSPHRASE_FILE wins over the
            instance's own passphrase, which is made once, at random, readable by its owner only.

    Raises:
        InputError: PULUMI_CONFIG_PASSPHRASE_FILE names a file that cannot be read.
    """
    for directory in (paths.pulumi_home, paths.pulumi_backend, paths.pulumi_config):
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    _without_log(paths.pulumi_home)
    result = {
        **env,
        "PATH": os.pathsep.join([*_programs(paths, env), env.get("PATH", os.defpath)]),
        "PULUMI_HOME": str(paths.pulumi_home),
        # Attributes beside each file, which nobody reads, are not written in one piece as the files are: an engine that
        # is killed meanwhile would leave a state that the next one cannot load.
        "PULUMI_BACKEND_URL": f"file://{paths.pulumi_backend}?metadata=skip",
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",  # a missing plugin must fail, not wait for a download
        "PULUMI_ERROR_OUTPUT_STRING": "true",  # an Output inside an f-string must raise, not become a value
        "KUBECONFIG": str(paths.kubeconfig),
        "OMNIBASE_INSTANCE": paths.instance,
        "OMNIBASE_CACHE": str(paths.cache),
        "OMNIBASE_STATE": str(paths.state),
        "OMNIBASE_IMAGES_LOCK": str(paths.images_lock),
        "OMNIBASE_VENDOR_DIR": str(paths.vendor),
    }
    result.setdefault("GOGC", _GARBAGE_PERCENT)
    _keep_compiled(result, paths)
    if _PASSPHRASE not in env:  # the empty passphrase counts as given
        result[_PASSPHRASE_FILE] = str(_passphrase_file(paths, env))
    return result


def _keep_compiled(variables: dict[str, str], paths: Paths) -> None:
    """Where Python must write nothing beside sources, let it keep what it compiled in the cache.

    Otherwise program, policies and stand-ins are compiled in each run. What the caller says of the place itself wins.
    """
    if variables.get("PYTHONDONTWRITEBYTECODE") and not variables.get("PYTHONPYCACHEPREFIX"):
        variables.update(PYTHONDONTWRITEBYTECODE="", PYTHONPYCACHEPREFIX=str(paths.compiled))


def _without_log(home: Path) -> None:
    """Keep the engine from logging each request of each run into its home.

    For a preview of 75 resources that log costs 3.6 of 6.2 seconds of CPU time and 9 MB on disk, and 3.259.0 has no
    switch for it; it goes on without one where it cannot make the directory. `pulumi --logtostderr -v=9` still logs.
    """
    logs = home / "logs"
    if logs.is_dir():
        shutil.rmtree(logs)
    logs.touch(mode=0o600)


def _programs(paths: Paths, env: Mapping[str, str]) -> list[str]:
    """Directories to look into first: an official engine finds its own language host and not ours."""
    engine = installation(paths, env).pulumi.parent
    return list(dict.fromkeys([str(engine), str(paths.bin)]))


def _passphrase_file(paths: Paths, env: Mapping[str, str]) -> Path:
    given = env.get(_PASSPHRASE_FILE)
    if given is None:
        return _own_passphrase(paths.passphrase_file)
    try:
        Path(given).read_bytes()
    except OSError as error:
        raise InputError(
            f"{_PASSPHRASE_FILE}={given!r} cannot be read: {error.strerror}",
            hint=f"name a readable file, or unset {_PASSPHRASE_FILE} to use this machine's own passphrase",
        ) from error
    return Path(given)


def _own_passphrase(file: Path) -> Path:
    if not file.exists():
        write_atomically(file, secrets.token_urlsafe(32), mode=0o600)
    return file
