"""Each consumer gets a Secret with its own keys, names follow contents, and wrong sets are refused."""

from __future__ import annotations

import base64
import json
import re
from typing import Any, cast

import pulumi
import pytest
from hypothesis import given
from hypothesis import strategies as st
from omnibase_infra import ArgsError, SecretSet, SecretSetArgs
from omnibase_infra.naming import content_digest
from omnibase_infra.secrets.checks import problems
from omnibase_infra.secrets.generate import random_text

from tests.stacks.support.recorder import HIDDEN, Recorder, Registration, record

CANARY = "canary-8b1f6c2e94d7a035"


def args(**changes: object) -> SecretSetArgs:
    base = {
        "namespace": "apps",
        "environment": "dev",
        "entries": {"token": {"source": "generated"}, "pin": {"source": "generated", "alphabet": "hex", "length": 32}},
        "consumers": {"web": {"keys": ["token"]}, "job": {"keys": ["token", "pin"]}},
    }
    return cast(SecretSetArgs, {**base, **changes})


def made(**changes: object) -> Recorder:
    return record(lambda: SecretSet("own", args(**changes)))


def imported(value: str) -> dict[str, object]:
    return {
        "entries": {"token": {"source": "imported", "value": pulumi.Output.secret(value)}},
        "consumers": {"web": {"keys": ["token"]}},
    }


def made_from(value: str) -> Recorder:
    return record(lambda: SecretSet("own", args(**imported(value))))


def of_type(recorder: Recorder, ending: str) -> list[Registration]:
    return [item for item in recorder.registrations() if item.type.endswith(ending)]


def without_digest(name: str) -> str:
    return re.sub(r"-[0-9a-f]{10}$", "", name)


def secret_names(recorder: Recorder) -> dict[str, str]:
    return {without_digest(item.name): item.inputs["metadata"]["name"] for item in of_type(recorder, ":Secret")}


@pytest.mark.req("C1.4")
def test_each_consumer_gets_an_immutable_secret_with_its_own_keys_only() -> None:
    seen: dict[str, Any] = {}

    def program() -> None:
        SecretSet("own", args())

    recorder = record(program)
    for _, request in recorder.requests:
        if request.type == "kubernetes:core/v1:Secret":
            seen[without_digest(request.name)] = sorted(dict(request.object)["data"]["value"].keys())
    assert seen == {"own-web": ["token"], "own-job": ["pin", "token"]}
    for item in of_type(recorder, ":Secret"):
        assert item.inputs["immutable"] is True
        assert item.inputs["data"] == HIDDEN
        assert re.fullmatch(r"own-(web|job)-[0-9a-f]{10}", item.inputs["metadata"]["name"])
        assert not item.delete_before_replace, "the old one must stay until its consumers have moved"


def test_a_generated_value_is_kept_in_a_stash_that_later_runs_do_not_change() -> None:
    stashes = of_type(made(), ":Stash")
    assert [item.name for item in stashes] == ["own-pin-1-hex-32", "own-token-1-base64url-43"]
    for item in stashes:
        assert item.inputs == {"input": HIDDEN}
        assert item.ignore_changes == ("input",)


def test_the_same_settings_give_the_same_names_and_another_generation_other_ones() -> None:
    before, again = secret_names(made()), secret_names(made())
    assert before == again
    raised = {"token": {"source": "generated", "generation": 2}, "pin": args()["entries"]["pin"]}
    after = secret_names(made(entries=raised))
    assert set(before.values()).isdisjoint(after.values())
    only_pin = {"token": {"source": "generated"}, "pin": {"source": "generated", "generation": 2}}
    assert secret_names(made(entries=only_pin))["own-web"] == before["own-web"], "a stranger's key moved this consumer"


@pytest.mark.req("C5.5")
def test_with_overlap_consumers_also_get_the_generation_before() -> None:
    entries = {"token": {"source": "generated", "generation": 3, "overlap": True}}
    recorder = made(entries=entries, consumers={"web": {"keys": ["token"]}})
    assert [item.name for item in of_type(recorder, ":Stash")] == [
        "own-token-2-base64url-43",
        "own-token-3-base64url-43",
    ]
    (request,) = [request for _, request in recorder.requests if request.type == "kubernetes:core/v1:Secret"]
    assert sorted(dict(request.object)["data"]["value"].keys()) == ["token", "token.previous"]


@pytest.mark.req("R24")
def test_a_generation_that_is_taken_back_is_the_resource_before() -> None:
    """A resource of one name would have to make an object that the engine still has to delete."""

    def resources(generation: int) -> set[str]:
        entries = {"token": {"source": "generated", "generation": generation}}
        return {item.name for item in of_type(made(entries=entries, consumers={"web": {"keys": ["token"]}}), ":Secret")}

    assert resources(1) == resources(1)
    assert resources(1).isdisjoint(resources(2))


def test_a_secret_made_under_its_earlier_name_is_found_again() -> None:
    (request,) = [each for _, each in made_from(CANARY).requests if each.type == "kubernetes:core/v1:Secret"]
    assert [alias.spec.name for alias in request.aliases] == ["own-web"]


def test_another_imported_value_is_another_stash_whose_id_tells_nothing_of_the_value() -> None:
    one = made_from(CANARY)
    (stash,) = [each for _, each in one.requests if each.type == "pulumi:index:Stash"]
    assert stash.name == "own-token-imported"
    assert list(stash.replaceOnChanges) == ["input"]
    text = json.dumps([item.inputs for item in one.registrations()]) + json.dumps(one.outputs)
    assert CANARY not in text
    assert base64.b64encode(CANARY.encode()).decode() not in text


@pytest.mark.parametrize("value", ["", "  \n", "changeme", "CHANGE_ME", "test"])
def test_an_empty_or_placeholder_import_fails_without_being_shown(value: str) -> None:
    """The value is known late, so the SDK may name the first resource that waited for it before the reason."""
    reason = r"SecretSet 'own': entry 'token': the imported value is (empty|a placeholder)"
    with pytest.raises(ValueError, match=reason):
        made_from(value)


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"consumers": {"web": {"keys": ["tokn"]}, "job": {"keys": ["token", "pin"]}}}, "did you mean 'token'?"),
        ({"consumers": {"web": {"keys": ["token"]}}}, "entry 'pin' is given to nobody"),
        ({"consumers": {"web": {"keys": []}, "job": {"keys": ["token", "pin"]}}}, "names no key"),
        ({"entries": {"token": {"source": "made"}}}, "source='made' must be one of generated, imported, external"),
        ({"entries": {"token": {"source": "imported"}}}, "value is required"),
        ({"entries": {"token": {"source": "imported", "value": CANARY}}}, "value is plain text"),
        ({"entries": {"token": {"source": "generated", "value": CANARY}}}, "value has no meaning"),
        ({"entries": {"token": {"source": "generated", "length": 16, "alphabet": "hex"}}}, "is 64 bits of 128; use at"),
        ({"entries": {"token": {"source": "generated", "alphabet": "latin"}}}, "alphabet='latin'"),
        ({"entries": {"token": {"source": "generated", "generation": 0}}}, "generation=0"),
        ({"entries": {"token": {"source": "external", "remote_key": "a"}}}, "the set has no `store`"),
        ({"entries": {"to/ken": {"source": "generated"}}}, "the key must be letters"),
        ({"entries": {"token.previous": {"source": "generated"}}}, "is kept for the generation before"),
    ],
)
def test_a_wrong_set_is_refused_before_anything_exists(changes: dict[str, object], complaint: str) -> None:
    with pytest.raises(ArgsError, match="SecretSet 'own'") as caught:
        made(**changes)
    assert complaint in str(caught.value)
    assert CANARY not in str(caught.value)


def test_all_problems_come_at_once() -> None:
    wrong = args(entries={"a": {"source": "x"}, "b": {"source": "generated", "length": 1}}, consumers={})
    assert len(problems("Own", wrong)) == 5


def test_an_external_entry_is_an_order_to_the_operator_and_never_a_value_here() -> None:
    entries = {"token": {"source": "external", "remote_key": "apps/web", "remote_property": "token"}}
    recorder = made(entries=entries, consumers={"web": {"keys": ["token"]}}, store={"name": "vault"})
    assert of_type(recorder, ":Secret") == []
    (order,) = of_type(recorder, ":ExternalSecret")
    assert order.type == "kubernetes:external-secrets.io/v1:ExternalSecret"
    assert order.inputs["spec"] == {
        "refreshInterval": "1h",
        "secretStoreRef": {"kind": "ClusterSecretStore", "name": "vault"},
        "target": {"name": "own-web-external", "creationPolicy": "Owner", "deletionPolicy": "Retain"},
        "data": [{"secretKey": "token", "remoteRef": {"key": "apps/web", "property": "token"}}],
    }


@given(st.integers(1, 200), st.sampled_from(["hex", "alphanumeric", "base64url"]))
def test_a_random_text_has_its_length_and_alphabet(length: int, alphabet: str) -> None:
    text = random_text(length, alphabet)
    assert len(text) == length
    assert re.fullmatch(
        {"hex": "[0-9a-f]*", "alphanumeric": "[A-Za-z0-9]*", "base64url": "[A-Za-z0-9_-]*"}[alphabet], text
    )


def test_two_random_texts_differ() -> None:
    assert len({random_text(43, "base64url") for _ in range(100)}) == 100


@given(st.lists(st.text(max_size=20), max_size=4), st.lists(st.text(max_size=20), max_size=4))
def test_different_parts_give_different_digests(one: list[str], two: list[str]) -> None:
    assert (content_digest(one) == content_digest(two)) == (one == two)
