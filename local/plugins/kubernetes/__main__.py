"""Start the plugin: print the port that it serves, end with the engine."""

from __future__ import annotations

from local.plugins.common.server import only_protobufs, serve


def main() -> int:
    """Serve until the engine ends."""
    only_protobufs()
    from local.plugins.kubernetes.provider import KubernetesProvider  # noqa: PLC0415  # after the lean packages

    return serve(KubernetesProvider)


if __name__ == "__main__":
    raise SystemExit(main())
