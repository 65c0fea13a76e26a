"""What every part of the settings is made of: the strict base model and the types of common fields."""

from __future__ import annotations

import ipaddress
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field


def _cidr(text: str) -> str:
    try:
        return str(ipaddress.ip_network(text))
    except ValueError:
        raise ValueError("must be a network in CIDR form, for example 192.0.2.0/24") from None


Cidr = Annotated[str, AfterValidator(_cidr)]
Identifier = Annotated[str, Field(pattern=r"^[a-z_][a-z0-9_]{0,62}$")]
"""A name in PostgreSQL that never needs quoting."""
Label = Annotated[str, Field(pattern=r"^[a-z]([a-z0-9-]{0,38}[a-z0-9])?$")]
"""A DNS label short enough to carry the suffixes of children."""
ImageReference = Annotated[
    str, Field(pattern=r"^[a-z0-9.-]+(:[0-9]+)?(/[a-z0-9._-]+)+(:[A-Za-z0-9._-]{1,128})?@sha256:[0-9a-f]{64}$")
]
"""`registry/repository[:tag]@sha256:<64 hex>`: what runs is decided by the digest, never by a tag."""


def repository_of(reference: str) -> str:
    """An image reference without tag and digest: registry and name."""
    path = reference.partition("@")[0]
    head, slash, last = path.rpartition("/")
    return f"{head}{slash}{last.partition(':')[0]}"


CpuMillis = Annotated[int, Field(ge=1, le=64_000)]
MemoryMib = Annotated[int, Field(ge=32, le=524_288)]


class Section(BaseModel):
    """Base of every part of the settings."""

    model_config = ConfigDict(
        strict=True, extra="forbid", frozen=True, hide_input_in_errors=True, use_attribute_docstrings=True
    )


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
