"""Barman's own programs, as anybody would use them by hand."""

from __future__ import annotations

import json
import os
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from services.drill.settings import Settings

_PROVIDER = "--cloud-provider=aws-s3"
_KEYS_FILE = "store-keys"
_PAUSE = 3.0


class BarmanError(RuntimeError):
    """A program of Barman failed, or the archive has not what is needed."""


@dataclass(frozen=True, kw_only=True)
class Backup:
    """A base backup that was completed."""

    identifier: str
    begun: str
    ended: str


class Barman:
    """The archive of one cluster."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._store = (settings.destination, settings.archive)
        self.environment = {**os.environ, "AWS_SHARED_CREDENTIALS_FILE": str(self._keys_file())}

    def newest(self) -> Backup:
        """The newest complete base backup.

        Raises:
            BarmanError: there is none, or the store does not answer.
        """
        answer = self._run("barman-cloud-backup-list", "--format=json", *self._store)
        backups = complete(json.loads(answer))
        if not backups:
            raise BarmanError(f"the archive {self._settings.archive} has no complete base backup")
        return backups[-1]

    def restore(self, backup: Backup, target: Path, seconds: float) -> None:
        """Unpack a base backup into a new directory."""
        target.mkdir(mode=0o700, parents=True)
        self._run("barman-cloud-restore", *self._store, backup.identifier, str(target), seconds=seconds)

    def wait_for(self, segment: str, seconds: float) -> float:
        """Wait until a file of the log is archived; how long it took.

        Raises:
            BarmanError: it did not come, so the log is not being archived.
        """
        began, file = time.monotonic(), self._settings.scratch / "segment"
        while True:
            try:
                self._run("barman-cloud-wal-restore", *self._store, segment, str(file))
            except BarmanError as error:
                if time.monotonic() - began > seconds:
                    raise BarmanError(
                        f"the log of the moment ({segment}) was not archived within {seconds:.0f} s: {error}"
                    ) from error
                time.sleep(_PAUSE)
            else:
                file.unlink()
                return time.monotonic() - began

    def restore_command(self) -> str:
        """For PostgreSQL's configuration."""
        words = ["barman-cloud-wal-restore", *self._options(), *self._store]
        return " ".join(f"'{word}'" for word in words) + ' "%f" "%p"'

    def _run(self, program: str, *arguments: str, seconds: float = 120) -> str:
        command = [program, *self._options(), *arguments]
        try:
            done = subprocess.run(
                command, env=self.environment, capture_output=True, text=True, check=False, timeout=seconds
            )
        except subprocess.TimeoutExpired as error:
            raise BarmanError(f"{program} took longer than {seconds:.0f} s") from error
        if done.returncode != 0:
            said = (done.stderr or done.stdout).strip().splitlines()[-1:] or ["no word"]
            raise BarmanError(f"{program} ended with {done.returncode}: {said[0]}")
        return done.stdout

    def _options(self) -> list[str]:
        return [_PROVIDER, f"--endpoint-url={self._settings.endpoint}"]

    def _keys_file(self) -> Path:
        """The keys in the form that AWS's library reads; an environment would show them to every child."""
        name, secret = self._settings.keys
        file = self._settings.scratch / _KEYS_FILE
        text = f"[default]\naws_access_key_id={name}\naws_secret_access_key={secret}\n"
        file.touch(mode=0o600)
        file.write_text(text)
        return file


def complete(listing: dict[str, Any]) -> list[Backup]:
    """The completed ones of `barman-cloud-backup-list --format=json`, oldest first."""
    found = [
        Backup(identifier=str(each["backup_id"]), begun=str(each["begin_time"]), ended=str(each["end_time"]))
        for each in listing.get("backups_list", [])
        if each.get("status") == "DONE"
    ]
    return sorted(found, key=lambda backup: backup.identifier)
