"""What every part of the settings is made of: the strict base model and the types of common fields."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from omnibase_infra.config.units import (
    Cidr,
    CpuMillis,
    Identifier,
    ImageReference,
    Label,
    MemoryMib,
    repository_of,
)

__all__ = [
    "Cidr",
    "CpuMillis",
    "Identifier",
    "ImageReference",
    "Label",
    "MemoryMib",
    "QuotaConfig",
    "Section",
    "repository_of",
]


class Section(BaseModel):
    """Base of every part of the settings. The text below a field says what it is, see `descriptions`."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, hide_input_in_errors=True)


class QuotaConfig(Section):
    """Upper bounds of the namespace."""

    cpu_request_millis: Annotated[int, Field(ge=100, le=1_000_000)]
    """Sum of CPU requests, in thousandths of a core."""
    memory_mib: Annotated[int, Field(ge=256, le=4_194_304)]
    """Sum of memory limits, in MiB."""
    pods: Annotated[int, Field(ge=5, le=5000)]
    """Number of pods."""
    storage_gib: Annotated[int, Field(ge=1, le=100_000)]
    """Sum of volumes, in GiB."""
