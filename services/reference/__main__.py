"""Starts the service: `python -m services.reference`."""

from __future__ import annotations

import sys

import uvicorn
from pydantic import ValidationError

from services.reference.app import create_app
from services.reference.documents import DocumentError
from services.reference.logs import configure
from services.reference.settings import Settings


def main() -> int:
    """Serve until SIGTERM; 2 when a setting or a document is wrong."""
    try:
        settings = Settings()  # type: ignore[call-arg]  # the environment gives what is missing
    except ValidationError as error:
        for problem in error.errors(include_input=False, include_url=False):
            field = "_".join(str(part) for part in problem["loc"]).upper()
            sys.stderr.write(f"REFERENCE_{field}: {problem['msg']}\n" if field else f"{problem['msg']}\n")
        return 2
    try:
        app = create_app(settings)
    except DocumentError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    configure(settings)
    uvicorn.run(
        app,
        host="0.0.0.0",  # noqa: S104 - the pod's own address; network policy decides who reaches it
        port=settings.port,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=settings.shutdown_seconds,
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
