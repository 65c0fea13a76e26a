"""URNs taken apart."""

from __future__ import annotations

from local.plugins.common.bridged import Field, Shape, check
from local.plugins.common.naming import Naming
from local.plugins.common.urn import name_of, type_of

_URN = "urn:pulumi:dev::p::my:index:Thing$kubernetes:core/v1:Pod::a::b"


def test_a_urn_gives_type_and_name_without_parents() -> None:
    assert type_of(_URN) == "kubernetes:core/v1:Pod"
    assert name_of(_URN) == "a::b"


def test_a_bridged_provider_names_an_object_by_the_whole_name_of_the_resource() -> None:
    shape = Shape(token="x:index/thing:Thing", fields={"name": Field(required=True)}, autonamed=True)
    inputs, failures = check(shape, _URN, {}, {}, Naming(seed=b"seed"))
    assert failures == []
    assert inputs["name"].startswith("a::b-")
