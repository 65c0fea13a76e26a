"""What ran, and what an operator's words mean by it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from omnibase_infra.config import StackConfig, load_stack_file

from local.errors import InputError
from ops.rollback.history import REJECTED, REVISION, Version, leaves_for_good, proposed, serving, versions
from ops.rollback.target import Chosen, chosen, wanted

ROOT = Path(__file__).resolve().parents[3]
REPOSITORY = "127.0.0.1:5000/omnibase/reference"


def reference(letter: str) -> str:
    return f"{REPOSITORY}:0.1.0-{letter}@sha256:{letter * 64}"


def replica_set(revision: int, letter: str, *, service: str = "reference", rejected: str = "") -> dict[str, Any]:
    annotations = {REVISION: str(revision), **({REJECTED: rejected} if rejected else {})}
    return {
        "metadata": {
            "name": f"{service}-{revision}",
            "creationTimestamp": f"2026-03-0{revision}T10:00:00Z",
            "annotations": annotations,
            "ownerReferences": [{"kind": "Deployment", "name": service}],
        },
        "spec": {
            "template": {"spec": {"containers": [{"name": "side", "image": "x/y:1"}, {"image": reference(letter)}]}}
        },
    }


def deployment(letter: str, service: str = "reference") -> dict[str, Any]:
    return {
        "metadata": {"name": service},
        "spec": {"template": {"spec": {"containers": [{"image": reference(letter)}]}}},
    }


def ran(*sets: dict[str, Any], current: str, services: tuple[str, ...] = ("reference",)) -> list[Version]:
    return versions(sets, [deployment(current, name) for name in services], services, REPOSITORY)


WHO = Chosen(image="reference", services=("reference",), service="reference")
HISTORY = ran(replica_set(1, "a"), replica_set(2, "b"), replica_set(3, "b"), replica_set(4, "c"), current="c")


def test_digests_come_newest_first_and_once_with_their_newest_revision() -> None:
    assert [(each.digest[7], each.revisions["reference"], each.current) for each in HISTORY] == [
        ("c", 4, True),
        ("b", 3, False),
        ("a", 1, False),
    ]
    assert HISTORY[1].created == "2026-03-02T10:00:00Z"
    assert set(HISTORY[1].replica_sets) == {"reference-2", "reference-3"}


def test_other_workloads_and_other_images_are_no_history() -> None:
    other = replica_set(9, "d", service="worker")
    foreign = replica_set(8, "e")
    foreign["spec"]["template"]["spec"]["containers"][1]["image"] = "127.0.0.1:5000/omnibase/other:1@sha256:" + "e" * 64
    assert ran(replica_set(1, "a"), other, foreign, current="a") == ran(replica_set(1, "a"), current="a")


@pytest.mark.req("R31")
def test_the_digest_before_the_current_one_is_proposed_unless_it_was_rejected() -> None:
    assert wanted("", WHO, REPOSITORY, HISTORY) == reference("b")
    left = ran(replica_set(1, "a"), replica_set(2, "b", rejected="was not healthy"), replica_set(3, "c"), current="c")
    assert wanted("", WHO, REPOSITORY, left) == reference("a")


def test_after_a_rollback_the_next_one_goes_further_back_and_not_to_and_fro() -> None:
    # Kubernetes gives the ReplicaSet that runs again the newest revision.
    back = ran(replica_set(1, "a"), replica_set(3, "c", rejected="was rolled back"), replica_set(4, "b"), current="b")
    found = proposed(back)
    assert found is not None
    assert found.digest[7] == "a"


def test_only_a_step_back_rejects_what_it_leaves() -> None:
    assert leaves_for_good(HISTORY, reference("c"), reference("b"))
    assert not leaves_for_good(HISTORY, reference("c"), reference("d")), "a new digest is a step forward"
    assert not leaves_for_good(HISTORY, reference("c"), reference("c"))
    assert not leaves_for_good(HISTORY, reference("c"), ""), "a release goes where the settings lead"
    assert not leaves_for_good(HISTORY, "", reference("b"))


@pytest.mark.parametrize(
    ("ready", "asked", "deployed", "found"),
    [
        ("a", "a", "a", "a"),
        ("a", "b", "a", "a"),  # an update that was cut short, before the state named it
        ("a", "b", "b", "a"),  # and after it
        ("ba", "b", "b", "a"),  # half rolled out
        ("ba", "b", "a", "a"),
        ("b", "b", "a", "b"),  # rolled out, and the state never said so
        ("", "b", "a", "a"),  # nothing is ready
    ],
)
def test_the_way_back_is_what_callers_reach(ready: str, asked: str, deployed: str, found: str) -> None:
    references = [reference(letter) for letter in ready]
    assert serving(references, [reference(asked)], reference(deployed)) == reference(found)


@pytest.mark.parametrize(
    ("asked", "letter"),
    [("3", "b"), ("1", "a"), ("sha256:" + "a" * 64, "a"), ("b" * 12, "b"), ("sha256:" + "b" * 20, "b")],
)
def test_a_revision_or_a_digest_or_its_beginning_is_enough(asked: str, letter: str) -> None:
    assert wanted(asked, WHO, REPOSITORY, HISTORY) == reference(letter)


def test_a_digest_that_never_ran_is_taken_as_it_is() -> None:
    unknown = "sha256:" + "9" * 64
    assert wanted(unknown, WHO, REPOSITORY, HISTORY) == f"{REPOSITORY}@{unknown}"
    assert wanted(reference("d"), WHO, REPOSITORY, HISTORY) == reference("d")


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        ("2", "has no such revision"),
        ("127.0.0.1:5000/omnibase/other:1@sha256:" + "a" * 64, "is another image"),
        (f"{REPOSITORY}:0.1.0", "no reference with a digest"),
        ("latest", "no reference with a digest"),
        ("sha256:abc", "no reference with a digest"),
        ("d" * 12, "0 of the digests that ran begin so"),
    ],
)
def test_a_target_that_means_nothing_says_why_and_what_ran(asked: str, why: str) -> None:
    with pytest.raises(InputError) as caught:
        wanted(asked, WHO, REPOSITORY, HISTORY)
    assert why in caught.value.message
    assert caught.value.hint


def test_without_a_history_a_target_must_be_named() -> None:
    with pytest.raises(InputError, match="remembers no digest that ran before") as caught:
        wanted("", WHO, REPOSITORY, ran(replica_set(1, "a"), current="a"))
    assert "revision 1 sha256:aaaaaaaaaaaa (runs)" in str(caught.value)


def test_a_revision_of_an_image_that_two_services_run_needs_the_service() -> None:
    both = Chosen(image="reference", services=("reference", "worker"), service="")
    with pytest.raises(InputError, match="each counts for itself"):
        wanted("1", both, REPOSITORY, HISTORY)


@pytest.fixture(scope="module")
def config() -> StackConfig:
    return load_stack_file(ROOT, "prod", {}).config


def test_a_service_and_its_image_are_the_same_choice(config: StackConfig) -> None:
    assert chosen("reference", config) == WHO
    worker = config.services["reference"].model_copy()
    two = config.model_copy(update={"services": {**config.services, "worker": worker}})
    assert chosen("worker", two) == Chosen(image="reference", services=("reference", "worker"), service="worker")
    assert chosen("reference", two).services == ("reference", "worker")


@pytest.mark.parametrize(
    ("name", "why", "what"),
    [
        ("postgres", "is the database's", "docs/runbooks/rollback-image.md"),
        ("cloudnative-pg", "is the database's", "docs/runbooks/rollback-image.md"),
        ("prometheus", "is run by no service", "git revert"),
        ("referense", "neither a service nor the image of one", "did you mean reference?"),
    ],
)
def test_an_image_that_is_not_a_services_is_refused_with_what_to_do(
    config: StackConfig, name: str, why: str, what: str
) -> None:
    with pytest.raises(InputError) as caught:
        chosen(name, config)
    assert why in caught.value.message
    assert what in caught.value.hint
