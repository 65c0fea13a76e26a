"""Kinds of values: what each takes, what it refuses with which words, and what it counts."""

from __future__ import annotations

import contextlib
import re
from typing import Annotated, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from omnibase_infra.config import units
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

GOOD: dict[str, tuple[Any, list[str]]] = {
    "memory": (units.Memory, ["1Mi", "512Mi", "64Gi"]),
    "storage": (units.Storage, ["1Gi", "20Gi", "2Ti"]),
    "cpu": (units.Cpu, ["1m", "250m", "2", "64"]),
    "duration": (units.Duration, ["30s", "15m", "12h", "30d"]),
    "percentage": (units.Percentage, ["0%", "99.9%", "99.999%", "100%", "100.0%"]),
    "url": (units.Url, ["https://llm.example.test/v1", "http://a.test:8080", "https://a.test/x?y=1"]),
    "cron": (units.Cron, ["30 3 * * *", "*/5 * * * *", "0 1-5/2 1,15 * 0-7", "0 0 31 12 7"]),
    "date": (units.Date, ["2027-05-31", "2028-02-29"]),
    "network": (units.Cidr, ["192.0.2.0/24", "10.0.0.0/8", "0.0.0.0/0", "fd00::/8"]),
    "address": (units.Address, ["192.0.2.10", "0.0.0.0"]),  # noqa: S104 -- a text
    "host": (units.HostName, ["api.example.test", "a.b"]),
    "label": (units.Label, ["a", "reference", "a-1", "a" * 40]),
    "object": (units.ObjectName, ["fast-ssd", "storage.example.test"]),
    "identifier": (units.Identifier, ["a", "_x", "omnibase_infra", "a" * 63]),
    "variable": (units.EnvName, ["A", "_X1", "MAX_RETRIES"]),
    "port": (units.PortName, ["http", "a", "a" * 15]),
    "image": (
        units.ImageReference,
        [f"registry.example.test:5000/a/b:1.2@sha256:{'a' * 64}", f"r/b@sha256:{'0' * 64}"],
    ),
    "request": (units.HttpPath, ["/", "/health", "/notes?limit=1"]),
    "directory": (units.AbsolutePath, ["/tmp", "/var/lib/data"]),  # noqa: S108 -- a text
    "project": (units.ProjectPath, ["migrations/orders", "a"]),
}
BAD: dict[str, tuple[Any, str, list[str]]] = {
    "memory": (units.Memory, "512Mi or 2Gi", ["512", "512M", "512MB", "0Mi", "1.5Gi", "512Ki", "-1Mi", "1Mi\n"]),
    "storage": (units.Storage, "20Gi or 2Ti", ["20", "20G", "20Mi", "0Gi", "1e3Gi"]),
    "cpu": (units.Cpu, "250m", ["0", "0.5", "1.5m", "m", "2 cores", "-1"]),
    "duration": (units.Duration, "30s, 15m, 12h or 30d", ["30", "0s", "1w", "1h30m", "30 s", "PT1H"]),
    "percentage": (units.Percentage, "0% to 100%", ["99.9", "101%", "-1%", "99.9999%", "100.1%"]),
    "url": (units.Url, "without user and password", ["ftp://a", "a.test", "https://u:p@a.test", "https://a.test:70000",
        "https://a.test:0", "https://a.test/#x", "https://a b"]),
    "cron": (units.Cron, "five cron fields", ["* * * *", "60 * * * *", "* 24 * * *", "* * 0 * *", "* * * 13 *",
        "* * * * 8", "5-1 * * * *", "*/0 * * * *", "3/5 * * * *", "@daily", "* * * JAN *", "* * * * * *", ", * * * *"]),
    "date": (units.Date, "2027-05-31", ["2027-02-29", "31.05.2027", "2027-5-31", "soon"]),
    "network": (units.Cidr, "CIDR form", ["192.0.2.1/24", "10.0.0.0.0", "10.0.0.0/33", "localhost", ""]),
    "address": (units.Address, "IPv4 address", ["192.0.2.256", "192.0.2", "::1", "192.0.2.10/32", "a.test", ""]),
    "host": (units.HostName, "full DNS name", ["localhost", "*.example.test", "API.a.test", "a..b", f"{'a.' * 130}b"]),
    "label": (units.Label, "at most 40", ["", "A", "1a", "a-", "a_b", "a" * 41]),
    "object": (units.ObjectName, "lower-case", ["", "Fast", "a_b", "a..b"]),
    "identifier": (units.Identifier, "at most 63", ["", "A", "1a", "a-b", "a" * 64, "a; drop table b"]),
    "variable": (units.EnvName, "upper case", ["", "a", "1A", "A-B"]),
    "port": (units.PortName, "at most 15", ["", "HTTP", "a" * 16, "a_b"]),
    "image": (units.ImageReference, "registry and digest", ["a/b:1", "b@sha256:abc", f"b@sha256:{'a' * 64}"]),
    "request": (units.HttpPath, "such as /health", ["health", "", "/a b"]),
    "directory": (units.AbsolutePath, "without '..'", ["tmp", "/", "/a/../b", "/a/", "/a/."]),
    "project": (units.ProjectPath, "below the project", ["/etc", "../x", "a/../../b", "", "a/"]),
}  # fmt: skip


@pytest.mark.parametrize(("kind", "text"), [(kind, text) for kind, texts in GOOD.values() for text in texts])
def test_a_text_of_the_form_is_kept_as_it_is(kind: Any, text: str) -> None:  # noqa: ANN401 -- any type of a field
    assert TypeAdapter(kind).validate_python(text) == text


@pytest.mark.parametrize(
    ("kind", "allowed", "text"), [(kind, allowed, text) for kind, allowed, texts in BAD.values() for text in texts]
)
def test_any_other_text_is_refused_with_what_is_allowed(kind: Any, allowed: str, text: str) -> None:  # noqa: ANN401
    with pytest.raises(ValidationError) as caught:
        TypeAdapter(kind).validate_python(text)
    assert "must be" in str(caught.value)
    assert allowed in str(caught.value)


@pytest.mark.parametrize("value", [3, 2.5, True, None, ["1Mi"], b"1Mi"])
def test_nothing_but_text_is_taken_for_text(value: object) -> None:
    for kind in (units.Memory, units.Label):
        with pytest.raises(ValidationError, match="valid string"):
            TypeAdapter[Any](kind).validate_python(value)


def test_quantities_count() -> None:
    assert (units.Memory("2Gi").mib, units.Memory("512Mi").mib) == (2048, 512)
    assert (units.Storage("2Ti").gib, units.Storage("20Gi").gib) == (2048, 20)
    assert (units.Cpu("2").millis, units.Cpu("250m").millis) == (2000, 250)
    assert [units.Duration(text).seconds for text in ("30s", "15m", "12h", "30d")] == [30, 900, 43_200, 2_592_000]
    assert units.Percentage("99.9%").share == pytest.approx(0.999)


@pytest.mark.parametrize(
    ("text", "host", "port", "encrypted"),
    [
        ("https://a.test/v1", "a.test", 443, True),
        ("http://a.test", "a.test", 80, False),
        ("http://a:81/", "a", 81, False),
    ],
)
def test_an_address_knows_host_and_port(text: str, host: str, port: int, encrypted: bool) -> None:
    address = units.Url.parse(text)
    assert (address.host, address.port, address.encrypted) == (host, port, encrypted)


def test_an_image_knows_its_repository_and_a_network_whether_it_is_everything() -> None:
    assert units.repository_of(f"r.test:5000/a/b:1@sha256:{'a' * 64}") == "r.test:5000/a/b"
    assert [units.is_everywhere(cidr) for cidr in ("0.0.0.0/0", "::/0", "10.0.0.0/8")] == [True, True, False]


def test_a_single_address_is_a_network_of_one() -> None:
    assert TypeAdapter(units.Cidr).validate_python("192.0.2.7") == "192.0.2.7/32"


class _Example(BaseModel):
    model_config = ConfigDict(strict=True)

    memory: units.Memory
    flows: dict[units.Label, units.Cidr]
    pause: Annotated[units.Duration, units.between(units.Duration("10s"), units.Duration("1h"))]


def test_values_go_out_as_text_and_come_in_again() -> None:
    example = _Example.model_validate({"memory": "512Mi", "flows": {"a": "10.0.0.0/8"}, "pause": "5m"})
    assert type(example.model_dump(mode="json")["memory"]) is str
    assert _Example.model_validate(example.model_dump()) == example
    assert _Example.model_validate_json(example.model_dump_json()) == example


@pytest.mark.parametrize(
    ("pause", "fits"), [("9s", False), ("10s", True), ("60m", True), ("61m", False), ("1d", False)]
)
def test_a_time_span_has_bounds_in_any_unit(pause: str, fits: bool) -> None:
    given = {"memory": "1Mi", "flows": {}, "pause": pause}
    if fits:
        assert _Example.model_validate(given).pause == pause
    else:
        with pytest.raises(ValidationError, match="must be from 10s to 1h"):
            _Example.model_validate(given)


@pytest.mark.parametrize(("kind", "texts"), [(kind, texts) for kind, texts in GOOD.values()])
def test_editors_know_the_pattern(kind: Any, texts: list[str]) -> None:  # noqa: ANN401 -- any type of a field
    schema = TypeAdapter(kind).json_schema()
    assert schema["type"] == "string"
    assert all(re.search(schema["pattern"], text) for text in texts)


@given(st.text(max_size=40))
def test_no_text_breaks_a_parser(text: str) -> None:
    for kind, _ in GOOD.values():
        with contextlib.suppress(ValidationError):  # and nothing else
            TypeAdapter(kind).validate_python(text)
