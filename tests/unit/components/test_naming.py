"""Names are DNS labels, whatever goes in, or a clear refusal."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from omnibase_infra.naming import DNS_LABEL, dns_label, service_hosts, stack_namespace

LABEL = re.compile(r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?$")
PARTS = st.lists(st.from_regex(r"[a-z0-9]([a-z0-9-]{0,40}[a-z0-9])?", fullmatch=True), min_size=1, max_size=5)


@given(PARTS, st.integers(min_value=8, max_value=DNS_LABEL))
def test_every_name_is_a_label_within_its_limit(parts: list[str], limit: int) -> None:
    name = dns_label(*parts, limit=limit)
    assert LABEL.match(name)
    assert len(name) <= limit


@given(PARTS, PARTS)
def test_names_that_differ_stay_different_when_they_are_cut(first: list[str], second: list[str]) -> None:
    if "-".join(first) != "-".join(second):
        assert dns_label(*first) != dns_label(*second)


@pytest.mark.parametrize("part", ["", "-a", "a-", "A", "a_b", "a.b", "ä"])
def test_what_no_label_can_hold_is_refused_with_the_length_of_every_part(part: str) -> None:
    with pytest.raises(ValueError, match=r"only lower-case letters") as caught:
        dns_label(part)
    assert f"({len(part)})" in str(caught.value)


@pytest.mark.parametrize(
    ("stack", "namespace"),
    [("dev", "omnibase-dev"), ("Feature/Login_2", "omnibase-feature-login-2"), ("judge", "omnibase-judge")],
)
def test_a_namespace_derives_from_the_stack(stack: str, namespace: str) -> None:
    assert stack_namespace(stack) == namespace


def test_a_service_is_addressed_in_four_forms() -> None:
    assert service_hosts("db", "space") == ["db", "db.space", "db.space.svc", "db.space.svc.cluster.local"]
