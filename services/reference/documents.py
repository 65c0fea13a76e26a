"""Documents of the platform, read and checked once at the start: what this service was told, and where others are.

They hold no secrets, and they never change under a running process: other contents are other pods.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from services.reference.settings import Settings


class DocumentError(Exception):
    """A document is not there, or is not what it should be; says which file, which field and what is wrong."""


class _Document(BaseModel):
    model_config = ConfigDict(strict=True, frozen=True, hide_input_in_errors=True, extra="allow")

    environment: Literal["dev", "test", "staging", "prod"]


class ServiceDocument(_Document):
    """`settings.json`: what this service was told."""

    model_config = ConfigDict(extra="forbid")

    format: Literal["omnibase.settings/1"] = Field(alias="schema")
    service: str
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"]
    settings: dict[str, str]
    """Variables that the stack's settings give it."""
    addresses: dict[str, str]
    """Service that it may call -> URL."""


class McpDocument(_Document):
    """`mcp.json`: the MCP endpoints of the environment."""

    format: Literal["omnibase.mcp/1"] = Field(alias="schema")
    endpoints: dict[str, dict[str, Any]]


class ResponderDocument(_Document):
    """`responders.json`: the chain of models that answer."""

    format: Literal["omnibase.responders/1"] = Field(alias="schema")


_KINDS: dict[str, type[_Document]] = {
    "settings": ServiceDocument,
    "mcp": McpDocument,
    "responders": ResponderDocument,
}


class Documents:
    """The documents that the settings name; the others are None."""

    def __init__(self, settings: Settings) -> None:
        """Read and check them.

        Raises:
            DocumentError: one cannot be used.
        """
        places = {"settings": settings.settings_file, "mcp": settings.mcp_file, "responders": settings.responders_file}
        self.shown: dict[str, Any] = {
            name: None if place is None else _read(place, _KINDS[name], settings.environment)
            for name, place in places.items()
        }
        """Name -> content, for people: `GET /settings`."""


def _read(place: Path, kind: type[_Document], environment: str) -> dict[str, Any]:
    try:
        found = kind.model_validate_json(place.read_bytes())
    except OSError as error:
        raise DocumentError(f"{place}: {error.strerror}") from None
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        field = ".".join(str(part) for part in first["loc"]) or "the whole"
        raise DocumentError(f"{place}: {field}: {first['msg']}") from None
    if found.environment != environment:
        raise DocumentError(f"{place}: environment: is of {found.environment}, this process runs in {environment}")
    return found.model_dump(by_alias=True)
