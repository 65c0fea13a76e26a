"""Kinds of values with a unit or a fixed form: each is text that was parsed once, says what is allowed, and counts."""

from __future__ import annotations

import datetime
import ipaddress
import re
from typing import Annotated, Any, ClassVar, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import core_schema


class Unit(str):
    """Text of one form. A field of such a type refuses any other text and tells editors its pattern."""

    __slots__ = ()
    PATTERN: ClassVar[str]
    """The whole text, in the dialect that Python and JSON schema share."""
    ALLOWED: ClassVar[str]
    """What an error says after `must be`, with an example."""

    @classmethod
    def parse(cls, text: str) -> Self:
        """The text as a value of this kind.

        Raises:
            ValueError: it is none; the message says what is allowed.
        """
        if not re.fullmatch(cls.PATTERN, text):
            raise ValueError(f"must be {cls.ALLOWED}")
        found = cls(text)
        try:
            found._check()
        except ValueError:
            raise ValueError(f"must be {cls.ALLOWED}") from None
        return found

    def _check(self) -> None:
        """What the pattern cannot say; raises ValueError."""

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        return core_schema.no_info_after_validator_function(
            cls.parse,
            core_schema.str_schema(strict=True),
            serialization=core_schema.plain_serializer_function_ser_schema(str.__str__, when_used="json"),
        )

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return {"type": "string", "pattern": f"^(?:{cls.PATTERN})$"}


class _Quantity(Unit):
    """A whole number with a unit behind it."""

    __slots__ = ()
    FACTORS: ClassVar[dict[str, int]]
    """Unit -> how many of the smallest it is."""

    @property
    def _smallest(self) -> int:
        number = re.match("[0-9]+", self)
        digits = number[0] if number else ""
        return int(digits) * self.FACTORS[self[len(digits) :]]


class Memory(_Quantity):
    """Memory or the size of a directory in memory: `512Mi`, `2Gi`. Smaller units are refused as slips of the pen."""

    __slots__ = ()
    PATTERN = "[1-9][0-9]{0,5}(Mi|Gi)"
    ALLOWED = "a size such as 512Mi or 2Gi"
    FACTORS: ClassVar[dict[str, int]] = {"Mi": 1, "Gi": 1024}

    @property
    def mib(self) -> int:
        """In MiB."""
        return self._smallest


class Storage(_Quantity):
    """The size of a volume: `20Gi`, `2Ti`."""

    __slots__ = ()
    PATTERN = "[1-9][0-9]{0,4}(Gi|Ti)"
    ALLOWED = "a size such as 20Gi or 2Ti"
    FACTORS: ClassVar[dict[str, int]] = {"Gi": 1, "Ti": 1024}

    @property
    def gib(self) -> int:
        """In GiB."""
        return self._smallest


class Cpu(_Quantity):
    """Processor time: `250m` is a quarter of a core, `2` are two."""

    __slots__ = ()
    PATTERN = "[1-9][0-9]{0,5}m?"
    ALLOWED = 'cores such as "2", or thousandths such as 250m, as text'
    FACTORS: ClassVar[dict[str, int]] = {"m": 1, "": 1000}

    @property
    def millis(self) -> int:
        """In thousandths of a core."""
        return self._smallest


class Duration(_Quantity):
    """A time span with one unit: `30s`, `15m`, `12h`, `30d`."""

    __slots__ = ()
    PATTERN = "[1-9][0-9]{0,6}(s|m|h|d)"
    ALLOWED = "a time span such as 30s, 15m, 12h or 30d"
    FACTORS: ClassVar[dict[str, int]] = {"s": 1, "m": 60, "h": 3600, "d": 86_400}

    @property
    def seconds(self) -> int:
        """In seconds."""
        return self._smallest


class Percentage(Unit):
    """A share with at most three decimal places: `99.9%`."""

    __slots__ = ()
    PATTERN = r"(100(\.0{1,3})?|[0-9]{1,2}(\.[0-9]{1,3})?)%"
    ALLOWED = "a share from 0% to 100% such as 99.9%"

    @property
    def share(self) -> float:
        """Between 0 and 1."""
        return float(self[:-1]) / 100


class Cron(Unit):
    """A time table of five fields, in UTC: minute, hour, day of the month, month, day of the week."""

    __slots__ = ()
    PATTERN = r"[0-9*/,-]+( [0-9*/,-]+){4}"
    ALLOWED = "five cron fields (minute hour day month weekday, in numbers, UTC) such as '30 3 * * *'"
    _RANGES: ClassVar[tuple[tuple[int, int], ...]] = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 7))

    def _check(self) -> None:
        for field, (low, high) in zip(self.split(" "), self._RANGES, strict=True):
            for part in field.split(","):
                _check_cron_part(part, low, high)


def _check_cron_part(part: str, low: int, high: int) -> None:
    """`*`, `*/5`, `3`, `3-7` or `3-7/2`, inside the bounds."""
    found = re.fullmatch(r"(?:\*|([0-9]+)(?:-([0-9]+))?)(?:/([1-9][0-9]*))?", part)
    if not found:
        raise ValueError(part)
    first = int(found[1] or low)
    last = int(found[2] or first)
    step = int(found[3] or 1)
    if not low <= first <= last <= high or step > high or (found[3] and found[1] and not found[2]):
        raise ValueError(part)


class Date(Unit):
    """A day: `2027-05-31`."""

    __slots__ = ()
    PATTERN = "[0-9]{4}-[0-9]{2}-[0-9]{2}"
    ALLOWED = "a date such as 2027-05-31"

    def _check(self) -> None:
        datetime.date.fromisoformat(self)

    @property
    def day(self) -> datetime.date:
        """As a date."""
        return datetime.date.fromisoformat(self)


class Cidr(Unit):
    """A network without host bits: `192.0.2.0/24`, `fd00::/8`."""

    __slots__ = ()
    PATTERN = r"[0-9a-fA-F:.]+(/[0-9]{1,3})?"
    ALLOWED = "a network in CIDR form, without host bits, for example 192.0.2.0/24"

    @classmethod
    def parse(cls, text: str) -> Self:
        """The text as a network; a lone address is the network of that one."""
        return cls(ipaddress.ip_network(super().parse(text)))

    def _check(self) -> None:
        ipaddress.ip_network(str(self))

    @property
    def everywhere(self) -> bool:
        """Whether it holds every address of its family."""
        return ipaddress.ip_network(str(self)).prefixlen == 0


_DNS_LABEL = "[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"


class HostName(Unit):
    """A full DNS name without wildcard: an allow-list that ends in `*` allows names that nobody thought of."""

    __slots__ = ()
    PATTERN = rf"({_DNS_LABEL}\.)+[a-z]([a-z0-9-]{{0,61}}[a-z0-9])?"
    ALLOWED = "a full DNS name in lower case such as api.example.test"
    _LONGEST: ClassVar[int] = 253

    def _check(self) -> None:
        if len(self) > self._LONGEST:
            raise ValueError(self)


class Label(Unit):
    """A DNS label short enough to carry the suffixes of children."""

    __slots__ = ()
    PATTERN = "[a-z]([a-z0-9-]{0,38}[a-z0-9])?"
    ALLOWED = "a name of at most 40 lower-case letters, digits and '-', from a letter to a letter or digit"


class ObjectName(Unit):
    """The name of an object that the cluster has already: a DNS subdomain."""

    __slots__ = ()
    PATTERN = rf"{_DNS_LABEL}(\.{_DNS_LABEL})*"
    ALLOWED = "a name of lower-case letters, digits, '-' and '.', such as fast-ssd"


class Identifier(Unit):
    """A name in PostgreSQL that never needs quoting."""

    __slots__ = ()
    PATTERN = "[a-z_][a-z0-9_]{0,62}"
    ALLOWED = "a name of at most 63 lower-case letters, digits and '_', not from a digit"


class EnvName(Unit):
    """The name of an environment variable."""

    __slots__ = ()
    PATTERN = "[A-Z_][A-Z0-9_]{0,127}"
    ALLOWED = "a variable's name in upper case such as MAX_RETRIES"


class PortName(Unit):
    """The name of a port: Kubernetes takes 15 characters."""

    __slots__ = ()
    PATTERN = "[a-z]([a-z0-9-]{0,13}[a-z0-9])?"
    ALLOWED = "a name of at most 15 lower-case letters, digits and '-' such as http"


class ImageReference(Unit):
    """`registry/repository[:tag]@sha256:<64 hex>`: what runs is decided by the digest, never by a tag."""

    __slots__ = ()
    PATTERN = r"[a-z0-9.-]+(:[0-9]+)?(/[a-z0-9._-]+)+(:[A-Za-z0-9._-]{1,128})?@sha256:[0-9a-f]{64}"
    ALLOWED = "an image with its registry and digest, registry/name[:tag]@sha256:<64 hex>"

    @property
    def repository(self) -> str:
        """Registry and name, without tag and digest."""
        return repository_of(self)


def repository_of(reference: str) -> str:
    """An image reference without tag and digest: registry and name."""
    path = reference.partition("@")[0]
    head, slash, last = path.rpartition("/")
    return f"{head}{slash}{last.partition(':')[0]}"


class Url(Unit):
    """An address of a service outside, over HTTP, without credentials in it."""

    __slots__ = ()
    PATTERN = r"https?://[A-Za-z0-9.-]+(:[0-9]{1,5})?(/[^\s?#]*)?(\?[^\s#]*)?"
    ALLOWED = "an address such as https://llm.example.test/v1, without user and password"

    def _check(self) -> None:
        _ = urlsplit(self).port  # raises where it is above 65535

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


class HttpPath(Unit):
    """The path of a request: `/health`."""

    __slots__ = ()
    PATTERN = r"/[A-Za-z0-9._~/?=&%-]{0,199}"
    ALLOWED = "a path such as /health"


class AbsolutePath(Unit):
    """A directory in a container: `/var/lib/data`."""

    __slots__ = ()
    PATTERN = r"(/[A-Za-z0-9._-]+)+"
    ALLOWED = "an absolute path without '..' such as /var/lib/data"

    def _check(self) -> None:
        if {"..", "."} & set(self.split("/")):
            raise ValueError(self)


class ProjectPath(Unit):
    """A file or directory of the project, relative to it: `migrations/orders`."""

    __slots__ = ()
    PATTERN = r"[A-Za-z0-9._-]+(/[A-Za-z0-9._-]+)*"
    ALLOWED = "a path below the project without '..' such as migrations/orders"

    def _check(self) -> None:
        if {"..", "."} & set(self.split("/")):
            raise ValueError(self)


Port = Annotated[int, Field(ge=1, le=65535)]
OwnPort = Annotated[int, Field(ge=1024, le=65535)]
"""A port that a program of ours listens on; a lower one would need a capability."""
CpuMillis = Annotated[int, Field(ge=1, le=64_000)]
MemoryMib = Annotated[int, Field(ge=32, le=524_288)]
Uid = Annotated[int, Field(ge=1, le=2**31 - 1)]
"""A user; 0, which is root, is none."""


def between(low: Duration, high: Duration) -> AfterValidator:
    """Bounds of a time span, for `Annotated[Duration, between(...)]`."""

    def check(value: Duration) -> Duration:
        if not low.seconds <= value.seconds <= high.seconds:
            raise ValueError(f"must be from {low} to {high}")
        return value

    return AfterValidator(check)
