"""Kinds of values: texts of one form, and quantities, which are such texts that also count.

A field of such a type refuses any other text, says in the error what is allowed, and tells editors its pattern.
"""

from __future__ import annotations

import datetime
import ipaddress
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Any, ClassVar, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import core_schema


@dataclass(frozen=True)
class Form:
    """A form of text, for `Annotated[str, Form(...)]`."""

    pattern: str
    """The whole text, in the dialect that Python and JSON schema share."""
    allowed: str
    """What an error says after `must be`, with an example."""
    convert: Callable[[str], str] = str
    """The text as it is kept; raises ValueError for what the pattern cannot tell."""

    @cached_property
    def _compiled(self) -> re.Pattern[str]:
        return re.compile(self.pattern)

    def parse(self, text: str) -> str:
        """The text, if it has this form.

        Raises:
            ValueError: it has not; the message says what is allowed.
        """
        try:
            if self._compiled.fullmatch(text):
                return self.convert(text)
        except ValueError:
            pass
        raise ValueError(f"must be {self.allowed}")

    def __get_pydantic_core_schema__(self, source: object, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        return core_schema.no_info_after_validator_function(self.parse, core_schema.str_schema(strict=True))

    def __get_pydantic_json_schema__(
        self, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return {"type": "string", "pattern": f"^(?:{self.pattern})$"}


class Quantity(str):
    """Text of a form that also counts. Subclasses are types of fields; a value compares and prints as its text."""

    __slots__ = ()
    FORM: ClassVar[Form]
    FACTORS: ClassVar[dict[str, int]] = {}
    """Unit -> how many of the smallest it is."""

    @classmethod
    def parse(cls, text: str) -> Self:
        """The text as a quantity.

        Raises:
            ValueError: it is none; the message says what is allowed.
        """
        return cls(cls.FORM.parse(text))

    @classmethod
    def __get_pydantic_core_schema__(cls, source: object, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        return core_schema.no_info_after_validator_function(
            cls.parse,
            core_schema.str_schema(strict=True),
            serialization=core_schema.plain_serializer_function_ser_schema(str.__str__, when_used="json"),
        )

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return cls.FORM.__get_pydantic_json_schema__(schema, handler)

    @property
    def _smallest(self) -> int:
        digits = self.rstrip("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
        return int(digits) * self.FACTORS[self[len(digits) :]]


class Memory(Quantity):
    """Memory, or the size of a directory in memory. Units below Mi are refused as slips of the pen."""

    __slots__ = ()
    FORM = Form("[1-9][0-9]{0,5}(Mi|Gi)", "a size such as 512Mi or 2Gi")
    FACTORS: ClassVar[dict[str, int]] = {"Mi": 1, "Gi": 1024}

    @property
    def mib(self) -> int:
        """In MiB."""
        return self._smallest


class Storage(Quantity):
    """The size of a volume."""

    __slots__ = ()
    FORM = Form("[1-9][0-9]{0,4}(Gi|Ti)", "a size such as 20Gi or 2Ti")
    FACTORS: ClassVar[dict[str, int]] = {"Gi": 1, "Ti": 1024}

    @property
    def gib(self) -> int:
        """In GiB."""
        return self._smallest


class Cpu(Quantity):
    """Processor time: `250m` is a quarter of a core, `2` are two."""

    __slots__ = ()
    FORM = Form("[1-9][0-9]{0,5}m?", 'cores as text such as "2", or thousandths such as 250m')
    FACTORS: ClassVar[dict[str, int]] = {"m": 1, "": 1000}

    @property
    def millis(self) -> int:
        """In thousandths of a core."""
        return self._smallest


class Duration(Quantity):
    """A time span with one unit."""

    __slots__ = ()
    FORM = Form("[1-9][0-9]{0,6}(s|m|h|d)", "a time span such as 30s, 15m, 12h or 30d")
    FACTORS: ClassVar[dict[str, int]] = {"s": 1, "m": 60, "h": 3600, "d": 86_400}

    @property
    def seconds(self) -> int:
        """In seconds."""
        return self._smallest


class Percentage(Quantity):
    """A share with at most three decimal places."""

    __slots__ = ()
    FORM = Form(
        r"(100(\.0{1,3})?|[0-9]{1,2}(\.[0-9]{1,3})?)%", "a share from 0% to 100% such as 99.9%, with the sign behind it"
    )

    @property
    def share(self) -> float:
        """Between 0 and 1."""
        return float(self.removesuffix("%")) / 100


def _address(text: str) -> str:
    if urlsplit(text).port == 0:  # a port above 65535 raises by itself
        raise ValueError(text)
    return text


class Url(Quantity):
    """An address outside, over HTTP, without credentials in it."""

    __slots__ = ()
    FORM = Form(
        r"https?://[A-Za-z0-9.-]+(:[0-9]{1,5})?(/[^\s?#]*)?(\?[^\s#]*)?",
        "an address such as https://llm.example.test/v1, without user and password",
        _address,
    )

    @property
    def host(self) -> str:
        """Name or address of the server."""
        return urlsplit(self).hostname or ""

    @property
    def port(self) -> int:
        """Its port, that of the scheme where none is said."""
        parts = urlsplit(self)
        return parts.port or {"https": 443, "http": 80}[parts.scheme]

    @property
    def encrypted(self) -> bool:
        """Whether it is https."""
        return self.startswith("https:")


def _cron(text: str) -> str:
    for field, (low, high) in zip(text.split(" "), ((0, 59), (0, 23), (1, 31), (1, 12), (0, 7)), strict=True):
        for part in field.split(","):
            _check_cron_part(part, low, high)
    return text


def _check_cron_part(part: str, low: int, high: int) -> None:
    """`*`, `*/5`, `3`, `3-7` or `3-7/2`, inside the bounds."""
    found = re.fullmatch(r"(?:\*|([0-9]+)(?:-([0-9]+))?)(?:/([1-9][0-9]*))?", part)
    if not found:
        raise ValueError(part)
    first = int(found[1] or low)
    last = int(found[2] or first)
    lone_step = found[3] and found[1] and not found[2]
    if not low <= first <= last <= high or int(found[3] or 1) > high or lone_step:
        raise ValueError(part)


def _day(text: str) -> str:
    return str(datetime.date.fromisoformat(text))


def _network(text: str) -> str:
    return str(ipaddress.ip_network(text))


def _one_address(text: str) -> str:
    return str(ipaddress.IPv4Address(text))


def _host(text: str) -> str:
    if len(text) > _LONGEST_HOST:
        raise ValueError(text)
    return text


def _inside(text: str) -> str:
    """A path that leads nowhere else."""
    if {"..", "."} & set(text.split("/")):
        raise ValueError(text)
    return text


_LONGEST_HOST = 253
_DNS_LABEL = "[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
_HOST = rf"({_DNS_LABEL}\.)+[a-z]([a-z0-9-]{{0,61}}[a-z0-9])?"
_CRON = "five cron fields (minute hour day month weekday, in numbers, UTC) such as '30 3 * * *'"
_IMAGE = r"[a-z0-9.-]+(:[0-9]+)?(/[a-z0-9._-]+)+(:[A-Za-z0-9._-]{1,128})?@sha256:[0-9a-f]{64}"
_LABEL = "a name of at most 40 lower-case letters, digits and '-', from a letter to a letter or digit"

Cron = Annotated[str, Form(r"[0-9*/,-]+( [0-9*/,-]+){4}", _CRON, _cron)]
"""A time table."""
Date = Annotated[str, Form("[0-9]{4}-[0-9]{2}-[0-9]{2}", "a date such as 2027-05-31", _day)]
Cidr = Annotated[
    str,
    Form(
        "[0-9a-fA-F:.]+(/[0-9]{1,3})?", "a network in CIDR form, without host bits, for example 192.0.2.0/24", _network
    ),
]
Address = Annotated[str, Form("[0-9]{1,3}([.][0-9]{1,3}){3}", "an IPv4 address such as 192.0.2.10", _one_address)]
HostName = Annotated[str, Form(_HOST, "a full DNS name in lower case such as api.example.test", _host)]
"""Without wildcard: an allow-list that ends in `*` allows names that nobody thought of."""
Label = Annotated[str, Form("[a-z]([a-z0-9-]{0,38}[a-z0-9])?", _LABEL)]
"""A DNS label short enough to carry the suffixes of children."""
ObjectName = Annotated[
    str, Form(rf"{_DNS_LABEL}(\.{_DNS_LABEL})*", "a name of lower-case letters, digits, '-' and '.'", _host)
]
"""An object that the cluster has already."""
Identifier = Annotated[
    str, Form("[a-z_][a-z0-9_]{0,62}", "a name of at most 63 lower-case letters, digits and '_', not from a digit")
]
"""A name in PostgreSQL that never needs quoting."""
EnvName = Annotated[str, Form("[A-Z_][A-Z0-9_]{0,127}", "a variable's name in upper case such as MAX_RETRIES")]
PortName = Annotated[
    str,
    Form("[a-z]([a-z0-9-]{0,13}[a-z0-9])?", "a name of at most 15 lower-case letters, digits and '-' such as http"),
]
ImageReference = Annotated[str, Form(_IMAGE, "an image by registry and digest, registry/name[:tag]@sha256:<64 hex>")]
"""What runs is decided by the digest, never by a tag."""
HttpPath = Annotated[str, Form("/[A-Za-z0-9._~/?=&%-]{0,199}", "the path of a request such as /health")]
AbsolutePath = Annotated[
    str, Form("(/[A-Za-z0-9._-]+)+", "an absolute path without '..' such as /var/lib/data", _inside)
]
"""A directory in a container."""
ProjectPath = Annotated[
    str,
    Form(
        "[A-Za-z0-9._-]+(/[A-Za-z0-9._-]+)*", "a path below the project without '..' such as migrations/orders", _inside
    ),
]
"""A file or directory of the project."""

Port = Annotated[int, Field(ge=1, le=65535)]
OwnPort = Annotated[int, Field(ge=1024, le=65535)]
"""A port that a program of ours listens on; a lower one would need a capability."""
CpuMillis = Annotated[int, Field(ge=1, le=64_000)]
MemoryMib = Annotated[int, Field(ge=32, le=524_288)]
Uid = Annotated[int, Field(ge=1, le=2**31 - 1)]
"""A user; 0, which is root, is none."""


def repository_of(reference: str) -> str:
    """An image reference without tag and digest: registry and name."""
    path = reference.partition("@")[0]
    head, slash, last = path.rpartition("/")
    return f"{head}{slash}{last.partition(':')[0]}"


def is_everywhere(cidr: str) -> bool:
    """Whether a network holds every address of its family."""
    return ipaddress.ip_network(cidr).prefixlen == 0


def between(low: Duration, high: Duration) -> AfterValidator:
    """Bounds of a time span, for `Annotated[Duration, between(...)]`."""

    def check(value: Duration) -> Duration:
        if not low.seconds <= value.seconds <= high.seconds:
            raise ValueError(f"must be from {low} to {high}")
        return value

    return AfterValidator(check)
