"""The collector's configuration, pure: files -> parsed -> labelled -> redacted -> buffered on disk -> store."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from omnibase_infra.logging import names, redaction
from omnibase_infra.logging.args import LoggingStackArgs

STREAM_FIELDS = ("k8s.namespace.name", "k8s.pod.name", "k8s.container.name")
"""What makes one stream in the store: where a line comes from. All other fields are searchable without it."""
ID = "correlation_id"
_ID_IN_SQL = rf"/\\* {ID}=(?P<{ID}>[A-Za-z0-9._-]{{1,128}}) \\*/"
"""The comment that services put before their statements, in a string of the transformation language."""
_LONGEST_LINE = "256KiB"
_MIB = 1024 * 1024


def collector_config(name: str, args: LoggingStackArgs) -> dict[str, Any]:
    """The whole configuration as data.

    Args:
        name: of the logging stack.
        args: checked arguments.
    """
    store = names.store_url(name, args["namespace"])
    found = {
        "extensions": _extensions(),
        "receivers": {"file_log": _files(name, args)},
        "processors": {
            # Refusing input makes the file receiver wait and try again: nothing is lost by it.
            "memory_limiter": {"check_interval": "1s", "limit_percentage": 75, "spike_limit_percentage": 20},
            "k8s_attributes": _kubernetes(),
            "transform": {"error_mode": "silent", "log_statements": [{"context": "log", "statements": _statements()}]},
            "redaction": _redaction(args.get("redact", [])),
        },
        "exporters": {"otlp_http": _store(store, int(args["buffer_mib"]))},
        "service": {
            "extensions": ["health_check", "file_storage/positions", "file_storage/buffer"],
            "pipelines": {
                "logs": {
                    "receivers": ["file_log"],
                    "processors": ["memory_limiter", "k8s_attributes", "transform", "redaction"],
                    "exporters": ["otlp_http"],
                }
            },
            "telemetry": _telemetry(),
        },
    }
    escaped: dict[str, Any] = _escaped(found)
    return escaped


def _escaped(value: Any) -> Any:  # noqa: ANN401 -- a JSON value
    """Every `$` doubled: alone it begins a reference to a variable, also inside a regular expression."""
    if isinstance(value, dict):
        return {key: _escaped(below) for key, below in value.items()}
    if isinstance(value, list):
        return [_escaped(below) for below in value]
    return value.replace("$", "$$") if isinstance(value, str) else value


def _extensions() -> dict[str, Any]:
    storage = {
        part: {
            "directory": f"{names.DATA}/{part}",
            "create_directory": True,
            "timeout": "10s",
            # Files that a store's outage has blown up shrink again.
            "compaction": {"directory": names.DATA, "on_start": True, "on_rebound": True},
        }
        for part in ("positions", "buffer")
    }
    found: dict[str, Any] = {f"file_storage/{part}": settings for part, settings in storage.items()}
    return {"health_check": {"endpoint": f"0.0.0.0:{names.HEALTH_PORT}"}, **found}


def _files(name: str, args: LoggingStackArgs) -> dict[str, Any]:
    own = f"{args['agents_namespace']}_{names.collector(name)}-*"
    return {
        "include": [f"{names.LOGS}/{namespace}_*/*/*.log" for namespace in args["namespaces"]],
        # What it says of its own failures would make it fail again.
        "exclude": [f"{names.LOGS}/{own}/*/*.log"],
        "start_at": "beginning",
        "include_file_path": True,
        "include_file_name": False,
        "poll_interval": "250ms",
        "max_log_size": _LONGEST_LINE,
        "max_concurrent_files": 256,
        "storage": "file_storage/positions",
        "retry_on_failure": {
            "enabled": True,
            "initial_interval": "500ms",
            "max_interval": "5s",
            "max_elapsed_time": "0s",
        },
        "operators": [{"type": "container", "format": "containerd", "max_log_size": _LONGEST_LINE}],
    }


def _kubernetes() -> dict[str, Any]:
    """Labels of the pods of this node. It waits for them: a line without its service is hard to find again."""
    return {
        "auth_type": "serviceAccount",
        "filter": {"node_from_env_var": names.NODE_VARIABLE},
        "wait_for_metadata": True,
        "wait_for_metadata_timeout": "30s",
        "extract": {
            "metadata": ["k8s.node.name"],
            "labels": [
                {"tag_name": "service.name", "key": "app.kubernetes.io/name", "from": "pod"},
                {"tag_name": "cnpg.cluster", "key": "cnpg.io/cluster", "from": "pod"},
                {"tag_name": "cnpg.pooler", "key": "cnpg.io/poolerName", "from": "pod"},
                {"tag_name": "omnibase.environment", "key": "omnibase.io/environment", "from": "pod"},
            ],
        },
        "pod_association": [{"sources": [{"from": "resource_attribute", "name": "k8s.pod.uid"}]}],
    }


def _statements() -> list[str]:
    """A line that is a JSON object becomes fields; its text, level, service and correlation id get one name each."""
    return [
        r'set(cache["line"], ParseJSON(body)) where IsString(body) and IsMatch(body, "^\\s*\\{.*\\}\\s*$")',
        'merge_maps(attributes, cache["line"], "upsert") where cache["line"] != nil',
        "flatten(attributes)",
        *(
            f'set(body, attributes["{key}"]) where attributes["{key}"] != nil and IsString(attributes["{key}"])'
            for key in ("msg", "message", "record.msg", "record.message")
        ),
        'delete_matching_keys(attributes, "^(msg|message|record[.]msg|record[.]message|logtag|log[.]file[.]path)$")',
        'set(attributes["level"], ConvertCase(attributes["record.error_severity"], "lower")) '
        'where attributes["record.error_severity"] != nil',
        'set(severity_text, attributes["level"]) where attributes["level"] != nil',
        # The statement is in the message where it was logged as such, and in a field of its own beside an error.
        *(
            f'merge_maps(attributes, ExtractPatterns({where}, "{_ID_IN_SQL}"), "upsert") '
            f'where attributes["{ID}"] == nil and attributes["logger"] == "postgres" and IsString({where})'
            for where in ('attributes["record.query"]', "body")
        ),
        *_service(),
    ]


def _service() -> list[str]:
    """`service`: what the line itself says, else the pooler, the database cluster, the pod's label, the container."""
    sources = ("cnpg.pooler", "cnpg.cluster", "service.name", "k8s.container.name")
    return [
        f'set(attributes["service"], resource.attributes["{source}"]) '
        f'where attributes["service"] == nil and resource.attributes["{source}"] != nil'
        for source in sources
    ]


def _redaction(more: Sequence[str]) -> dict[str, Any]:
    return {
        "allow_all_keys": True,
        "blocked_key_patterns": list(redaction.KEYS),
        "blocked_values": [*redaction.VALUES, *more],
        "summary": "silent",
    }


def _store(url: str, buffer_mib: int) -> dict[str, Any]:
    """Batches are made behind the buffer on disk: a batch in memory would be lost with the process."""
    return {
        "logs_endpoint": f"{url}{names.INSERT_PATH}",
        "compression": "gzip",
        "timeout": "15s",
        # `severity` repeats `level` in other words
        "headers": {"VL-Stream-Fields": ",".join(STREAM_FIELDS), "VL-Ignore-Fields": "severity"},
        "retry_on_failure": {
            "enabled": True,
            "initial_interval": "1s",
            "max_interval": "10s",
            "max_elapsed_time": "0s",
        },
        "sending_queue": {
            "enabled": True,
            "storage": "file_storage/buffer",
            "sizer": "bytes",
            "queue_size": buffer_mib * _MIB,
            "num_consumers": 2,
            "block_on_overflow": True,
            "batch": {"flush_timeout": "500ms", "sizer": "bytes", "min_size": 256 * 1024, "max_size": 2 * _MIB},
        },
    }


def _telemetry() -> dict[str, Any]:
    reader = {"pull": {"exporter": {"prometheus": {"host": "0.0.0.0", "port": names.METRICS_PORT}}}}  # noqa: S104  # the pod's own address
    return {"logs": {"level": "info", "encoding": "json"}, "metrics": {"level": "normal", "readers": [reader]}}
