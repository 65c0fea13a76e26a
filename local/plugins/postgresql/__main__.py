"""Start the plugin."""

from __future__ import annotations

from local.plugins.common.server import only_protobufs, serve


def main() -> int:
    """Serve until the engine ends."""
    only_protobufs()
    from local.plugins.postgresql.provider import PostgresqlProvider  # noqa: PLC0415  # after the lean packages

    return serve(PostgresqlProvider)


if __name__ == "__main__":
    raise SystemExit(main())
