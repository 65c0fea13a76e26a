"""The upgrade bench: what it compares and prints, and what it does not begin."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bench import upgrade
from bench.postgres import manifests
from bench.postgres.cluster import BenchError, Cluster
from local.images.catalogue import NEWER_POSTGRES, OLDER_POSTGRES
from local.paths import Paths

BEFORE = {"public.customer": "10 a", "public.purchase": "100 b"}


class Answers(Cluster):
    """A cluster whose kubectl answers with a document."""

    def kubectl(self, *words: str, stdin: str | None = None) -> str:
        asked: list[tuple[str, ...]] = ASKED
        asked.append(words)
        return json.dumps({"items": JOBS}) if words[:2] == ("get", "jobs") else ""


ASKED: list[tuple[str, ...]] = []
JOBS: list[dict[str, Any]] = []


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> upgrade.Upgrade:
    ASKED.clear()
    JOBS.clear()
    images = {image.name: f"registry.test/{image.name}" for image in (OLDER_POSTGRES, NEWER_POSTGRES)}
    cluster = Answers(paths=Paths.from_environment({}), namespace=manifests.TUNED)
    return upgrade.Upgrade(cluster=cluster, images=images, rows=100)


def test_a_row_that_is_missing_and_a_table_that_is_new_are_differences() -> None:
    after = {"public.customer": "9 a", "public.purchase": "100 b", "public.more": "1 c"}
    assert upgrade.differences(BEFORE, BEFORE, "upgraded") == []
    assert upgrade.differences(BEFORE, after, "upgraded") == [
        "upgraded: public.customer had 10 a, has 9 a",
        "upgraded: public.more had None, has 1 c",
    ]


def test_the_older_and_the_newer_image_are_a_pair_that_the_component_takes() -> None:
    from omnibase_infra.config.postgres_versions import minor_problems  # noqa: PLC0415

    def version(text: str) -> tuple[int, int]:
        major, minor = text.split(".")
        return int(major), int(minor)

    assert list(minor_problems(version(OLDER_POSTGRES.version), version(NEWER_POSTGRES.version))) == []


def test_the_newer_image_is_declared_and_nothing_else_of_the_cluster(made: upgrade.Upgrade) -> None:
    made.ask_for(NEWER_POSTGRES.name)
    assert json.loads(ASKED[-1][-1]) == {"spec": {"imageName": "registry.test/postgres-18"}}


def test_a_job_that_fails_ends_the_measurement_and_one_that_is_gone_has_ended(made: upgrade.Upgrade) -> None:
    assert made.job() == {}
    JOBS.append({"status": {"failed": 1}})
    assert made.job() == {"active": 0, "failed": 1, "succeeded": 0}
    with pytest.raises(BenchError, match="pg_upgrade failed"):
        made._job_ended()
    JOBS[0] = {"status": {"active": 1}}
    assert not made._job_ended()
    JOBS.clear()
    assert made._job_ended()


def test_figures_are_for_people() -> None:
    text = upgrade.table({"write gap, direct": 41.26, "rows compared": 1_234_567.0})
    assert text.splitlines()[2:] == ["| write gap, direct | 41.3 |", "| rows compared | 1,234,567 |"]


def test_wrong_words_begin_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("local.machine.start_machine", lambda *_a, **_k: pytest.fail("a node was made"))
    with pytest.raises(SystemExit):
        upgrade.main(["--rows", "many"])
