"""A rotation changes one number of the stack file, takes no number twice, and says what it will do."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from omnibase_infra.certificates import issue

from local.errors import InputError
from ops.rotate.plan import Plan, plan
from ops.rotate.state import Certificates, Generations, certificates, load
from ops.stackfile import with_value

PATH = ["config", "omnibase-infra:certificates", "generation"]
NOW = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (
            "# head\nconfig:\n  a: 1 # kept\n  omnibase-infra:certificates:\n    generation: 4 # see the runbook\n",
            "# head\nconfig:\n  a: 1 # kept\n  omnibase-infra:certificates:\n    generation: 5 # see the runbook\n",
        ),
        (
            "config:\n  omnibase-infra:certificates:\n    # why\n    validity_days: 30\n",
            "config:\n  omnibase-infra:certificates:\n    # why\n    generation: 5\n    validity_days: 30\n",
        ),
        (
            "config:\n  a: 1\n  b:\n    - x\n",
            "config:\n  omnibase-infra:certificates:\n    generation: 5\n  a: 1\n  b:\n    - x\n",
        ),
        (
            "config:\n  omnibase-infra:certificates:\n  a: 1\n",
            "config:\n  omnibase-infra:certificates:\n    generation: 5\n  a: 1\n",
        ),
    ],
    ids=["there", "section without it", "no section", "empty section"],
)
def test_one_number_changes_and_everything_else_stays(before: str, after: str) -> None:
    assert with_value(before, PATH, 5) == after


def test_a_form_that_cannot_be_changed_safely_is_refused_with_what_to_write_by_hand() -> None:
    with pytest.raises(InputError) as caught:
        with_value("config: {a: &x {validity_days: 3}, omnibase-infra:certificates: *x}\n", PATH, 5)
    assert "set config.omnibase-infra:certificates.generation to 5 by hand" in str(caught.value.hint)


_SCALARS = st.one_of(st.integers(), st.booleans(), st.text(max_size=12), st.none())
_SETTINGS = st.dictionaries(st.text(st.characters(categories=["Ll"]), min_size=1, max_size=6), _SCALARS, max_size=4)


@given(
    _SETTINGS,
    st.one_of(st.none(), st.fixed_dictionaries({"generation": st.integers(1, 9)}), _SETTINGS),
    st.integers(2, 99),
)
def test_any_stack_file_that_yaml_writes_keeps_its_other_values(
    others: dict[str, object], section: dict[str, object] | None, number: int
) -> None:
    config: dict[str, object] = {"a:first": 1, **others}
    if section is not None:
        config["omnibase-infra:certificates"] = section
    text = yaml.safe_dump({"config": config}, sort_keys=False)
    changed = yaml.safe_load(with_value(text, PATH, number))["config"]
    assert changed.pop("omnibase-infra:certificates") == {**(section or {}), "generation": number}
    config.pop("omnibase-infra:certificates", None)
    assert changed == config


def deployed(*, authority: int = 1, server: int = 1, authority_days: float = 1000) -> Certificates:
    pair = issue.authority("any", 1825, NOW + timedelta(days=authority_days - 1825))
    return Certificates(
        generations=Generations(authority=authority, server=server),
        authority=load(pair.certificate),
        bundle=pair.certificate,
        servers=(),
    )


def planned(asked: Generations, made: Certificates, *, authority: bool = False) -> Plan:
    return plan(asked, made, authority=authority, life_days=90, moment=NOW)


def test_a_rotation_raises_the_servers_generation_only() -> None:
    found = planned(Generations(authority=1, server=3), deployed(server=3))
    assert found.wanted == Generations(authority=1, server=4)
    assert not found.continues


def test_asked_for_a_new_authority_both_are_raised() -> None:
    found = planned(Generations(authority=1, server=1), deployed(), authority=True)
    assert found.wanted == Generations(authority=2, server=2)


def test_an_authority_that_ends_before_its_certificates_follows_unasked_and_says_so() -> None:
    found = planned(Generations(authority=1, server=1), deployed(authority_days=60))
    assert found.wanted == Generations(authority=2, server=2)
    assert "ends in 60 days" in found.reasons[1]


def test_a_rotation_that_was_cut_short_takes_no_further_number() -> None:
    found = planned(Generations(authority=1, server=2), deployed(server=1))
    assert found.continues
    assert found.wanted == Generations(authority=1, server=2)


def test_a_stack_without_certificates_has_none_in_its_state() -> None:
    assert certificates({"resources": []}) is None
    assert certificates({}) is None
