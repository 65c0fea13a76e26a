"""Archives of backups across the stacks of a directory: each belongs to one cluster of one stack."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from omnibase_infra.config.backup import archive_name
from omnibase_infra.config.clusters import MAIN, cluster_name
from omnibase_infra.config.errors import ConfigError, Problem
from omnibase_infra.config.model import StackConfig
from omnibase_infra.config.stack_file import parse_stack_file

_BUCKET = "backup.target.bucket"


def refuse_shared_archives(directory: Path, stack: str, config: StackConfig) -> None:
    """Stop where another stack file beside this one names the archive that this stack writes to.

    Raises:
        ConfigError: with each such file. The plugin would refuse an archive that is not empty, long after `up` has
            begun; two clusters that begin at the same time would both write, and neither could be restored.
    """
    target = config.backup.target
    if not config.backup.enabled or target is None:
        return
    own = {config.backup.archive(cluster) for cluster in config.postgres.by_cluster}
    problems = [
        Problem(
            origin=f"Pulumi.{stack}.yaml",
            path=_BUCKET,
            received=target.bucket,
            allowed=f"its archive {archive} is that of {file.name} too",
            hint="give each stack a prefix of its own, or its cluster another generation",
        )
        for file in sorted(directory.glob("Pulumi.*.yaml"))
        if file.name != f"Pulumi.{stack}.yaml"
        for archive in sorted(own & set(_archives(file, target.bucket)))
    ]
    if problems:
        raise ConfigError(stack, problems)


def _archives(file: Path, bucket: str) -> Iterator[str]:
    """Archives of a stack file in a bucket, as far as the file itself says; what is wrong with it is not said here."""
    data = file.read_bytes()
    if bucket.encode() not in data:
        return
    try:
        values = parse_stack_file(data, file.name, file.name).values
    except ConfigError:
        return
    backup, postgres = _mapping(values.get("backup")), _mapping(values.get("postgres"))
    if _mapping(backup.get("target")).get("bucket") != bucket:
        return
    main, further = backup.get("generation", 1), _mapping(backup.get("clusters"))
    yield archive_name(MAIN, main)
    for key in _mapping(postgres.get("clusters")):
        yield archive_name(cluster_name(key), _mapping(further.get(key)).get("generation") or main)


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
