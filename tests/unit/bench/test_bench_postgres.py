"""The PostgreSQL bench reads, keeps and shows figures as they are."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import pytest
from omnibase_infra.postgres.checks import problems

from bench.postgres import __main__ as program
from bench.postgres import load, manifests, report
from bench.postgres.cluster import BenchError
from bench.postgres.faults import FAULTS
from bench.postgres.run import Extent
from bench.postgres.writer import Writer, longest_gap
from tests.stacks.support import schemas
from tests.stacks.support.samples import IMAGE, POSTGRES

IMAGES = {"postgres": POSTGRES, "database-watchdog": IMAGE}
SAID = """transaction type: <builtin: select only>
number of transactions actually processed: 4211
number of failed transactions: 3 (0.071%)
tps = 421.532100 (including reconnection times)
"""


def test_a_gap_is_from_the_last_acknowledgement_before_to_the_first_one_after() -> None:
    times = [1.0, 2.0, 9.0, 9.5, 20.0]
    assert longest_gap(times, since=8.0) == 10.5
    assert longest_gap(times[:4], since=8.0) == 7.0
    assert longest_gap(times, since=30.0) == float("inf"), "nothing came any more"


def test_a_row_that_was_acknowledged_and_is_not_there_counts_as_lost() -> None:
    writer = Writer("w", {}, acknowledged=[(1.0, 0), (2.0, 1), (3.0, 5)])
    assert writer.lost([0, 1, 2]) == [5]
    assert writer.lost([0, 1, 5, 7]) == [], "one more than was acknowledged is no loss"


def test_a_writer_that_nobody_answers_gives_up_and_tries_again() -> None:
    writer = Writer("w", {"host": "127.0.0.1", "port": 1, "connect_timeout": 2})
    with writer.writing():
        time.sleep(0.3)
    assert writer.acknowledged == []
    assert not writer.writes()


def test_figures_of_pgbench_are_read_and_a_run_without_any_is_an_error() -> None:
    assert load.read_pgbench(SAID) == {"tps": 421.5321, "failed": 3}
    with pytest.raises(BenchError, match="named no rate: FATAL"):
        load.read_pgbench("FATAL: sorry, too many clients already")


def test_lag_is_a_percentile_of_all_samples() -> None:
    found = load.read_lag([str(value) for value in range(1, 101)])
    assert found == {"lag_median_ms": 50, "lag_p95_ms": 95, "lag_max_ms": 100, "lag_samples": 100}
    with pytest.raises(BenchError, match="no standby"):
        load.read_lag([])


def _rounds(case: str, subject: str, figure: str, *values: float) -> list[dict[str, Any]]:
    return [{"case": case, "subject": subject, "round": n, figure: each, "failed": 0} for n, each in enumerate(values)]


def test_the_table_compares_medians_with_their_targets_and_leaves_out_what_was_not_measured() -> None:
    fault = {"gap": 4.0, "gap_pooled": 5.0, "acknowledged": 100, "lost": 0}
    results = report.Results(
        Path("unused"),
        [
            *_rounds("churn", load.POOLED, "tps", 90, 100, 300),
            *_rounds("churn", load.DIRECT, "tps", 40),
            {"case": "switchover", "subject": "tuned", "round": 1, **fault},
            {"case": "forced", "subject": "tuned", "round": 1, **fault},
            {"case": "forced", "subject": "plain", "round": 1, **fault, "gap": 17.5, "lost": 1},
        ],
    )
    assert report.table(results).splitlines()[2:] == [
        "| new connections, 8 clients, the client on the same machine | 100 tps, 2.50 x "
        "| direct: 40 tps | >= 2.0 x | met |",
        "| longest write gap: switchover | 4.0 s (4.0-4.0, n=1); pooled 5.0 s | - | <= 3 s | **missed** |",
        "| longest write gap: pod deleted by force | 4.0 s (4.0-4.0, n=1); pooled 5.0 s "
        "| 17.5 s (n=1) | <= 9 s | met |",
        "| acknowledged writes lost | 0 of 200 in 2 faults | 1 of 100 in 1 faults | 0 | met |",
    ]


def test_every_round_is_shown_as_it_was_measured() -> None:
    results = report.Results(
        Path("unused"),
        [
            *_rounds("churn", load.POOLED, "tps", 90.4, 0),
            *_rounds("forced", "tuned", "gap", 4.123, 5),
            *_rounds("forced", "plain", "gap", 17.5),
        ],
    )
    assert report.raw(results).splitlines()[2:] == [
        "| churn | pooled | 90, 0 |",
        "| forced | ours | 4.12, 5.00 |",
        "| forced | plain | 17.50 |",
    ]


def test_rounds_are_kept_one_by_one_and_not_measured_again(tmp_path: Path) -> None:
    file = tmp_path / "build" / "results.json"
    report.Results.read(file).add("churn", "direct", 1, {"tps": 40.0})
    again = report.Results.read(file)
    assert again.has("churn", "direct", 1)
    assert not again.has("churn", "direct", 2)
    assert report.Results.read(file, fresh=True).rounds == []


def test_no_round_begins_after_the_deadline_and_only_what_was_asked_for() -> None:
    later = time.monotonic() + 60
    assert Extent(rounds=1, seconds=1, untuned_rounds=0, only=frozenset(), deadline=later).wants("churn")
    assert not Extent(rounds=1, seconds=1, untuned_rounds=0, only=frozenset({"lag"}), deadline=later).wants("churn")
    assert not Extent(rounds=1, seconds=1, untuned_rounds=0, only=frozenset(), deadline=time.monotonic()).wants("churn")


def test_both_clusters_are_what_the_operator_takes_and_ours_is_what_the_component_accepts() -> None:
    for each in (*manifests.tuned(IMAGES), *manifests.plain(IMAGES)):
        assert schemas.problems(each) == [], each["kind"]
    assert problems("database", manifests.arguments(IMAGES)) == []
    clusters = [next(o for o in made(IMAGES) if o["kind"] == "Cluster") for made in (manifests.tuned, manifests.plain)]
    assert [each["spec"]["instances"] for each in clusters] == [3, 3]
    assert clusters[0]["spec"]["postgresql"]["synchronous"]["dataDurability"] == "required"


def test_an_unknown_case_is_refused_before_a_node_is_made(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("local.machine.start_machine", lambda *_a, **_k: pytest.fail("a node was made"))
    monkeypatch.setattr(os, "environ", dict(os.environ))
    code = program.main(["--only", "churm", "--results", str(tmp_path / "none.json")])
    assert code == 2
    assert "--only churm: known are churn, clients400" in " ".join(capsys.readouterr().err.split())


def test_the_six_kinds_of_faults_have_targets() -> None:
    assert {each.name: each.target_seconds for each in FAULTS} == {
        "switchover": 3, "deletion": 3, "forced": 9, "postgres": 8, "manager": 9, "frozen": 15,
    }  # fmt: skip
