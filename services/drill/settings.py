"""What the drill is told by its environment: addresses, names, and where its keys are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

PREFIX = "DRILL_"


class SettingsError(ValueError):
    """A variable is missing or cannot be used."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """One cluster's archive, and the living cluster beside it."""

    destination: str
    """s3://bucket or s3://bucket/prefix, where the archives are."""
    endpoint: str
    """Address of the store, https."""
    archive: str
    """Name of the cluster's archive below the destination."""
    access_key_file: Path
    """File with the name of the store's key."""
    secret_key_file: Path
    """File with that key's secret."""
    scratch: Path
    """Directory with room for the restored cluster."""
    binaries: Path
    """Directory of PostgreSQL's programs."""
    encryption: str = ""
    """How the store is asked to encrypt the report; empty: as the bucket is set."""
    host: str = ""
    """The primary; needed to drill, not to report."""
    port: int = 5432
    user: str = ""
    password_file: Path | None = None
    ca_file: Path | None = None
    databases: tuple[str, ...] = ()
    deadline_seconds: int = 3300
    """For all of it."""
    every_seconds: int = 0
    """How old the last good drill may become; a metric."""
    report_port: int = 8080

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> Settings:
        """Read the variables DRILL_*.

        Raises:
            SettingsError: names every variable that is missing or is no number.
        """
        given = {
            key.removeprefix(PREFIX).lower(): value for key, value in environment.items() if key.startswith(PREFIX)
        }
        wanted = ("destination", "endpoint", "archive", "access_key_file", "secret_key_file", "scratch", "binaries")
        problems = [f"{PREFIX}{key.upper()} is not set" for key in wanted if not given.get(key)]
        numbers = ("port", "deadline_seconds", "every_seconds", "report_port")
        problems += [
            f"{PREFIX}{key.upper()}={given[key]!r} is no number"
            for key in numbers
            if key in given and not given[key].isdecimal()
        ]
        if problems:
            raise SettingsError("; ".join(problems))
        paths = ("access_key_file", "secret_key_file", "scratch", "binaries", "password_file", "ca_file")
        values: dict[str, object] = {key: value for key, value in given.items() if key in cls.__dataclass_fields__}
        values |= {key: Path(given[key]) for key in paths if given.get(key)}
        values |= {key: int(given[key]) for key in numbers if key in given}
        values["databases"] = tuple(given.get("databases", "").split())
        return cls(**values)  # type: ignore[arg-type]  # each was converted above

    @property
    def bucket(self) -> str:
        """Name of the bucket."""
        return self.destination.removeprefix("s3://").partition("/")[0]

    @property
    def report_key(self) -> str:
        """Where the report of the newest drill is in the bucket; beside the archive, which Barman alone writes."""
        prefix = self.destination.removeprefix("s3://").partition("/")[2].strip("/")
        return "/".join(part for part in (prefix, "drills", f"{self.archive}.json") if part)

    @property
    def report_options(self) -> dict[str, str]:
        """What is asked of the store beside keeping the report."""
        return {"ServerSideEncryption": self.encryption} if self.encryption else {}

    @property
    def keys(self) -> tuple[str, str]:
        """Name and secret of the store's key."""
        return self.access_key_file.read_text().strip(), self.secret_key_file.read_text().strip()
