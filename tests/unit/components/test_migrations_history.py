"""Which steps lead from what is recorded to a version, and the plan over several databases. No database here."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from omnibase_infra.migrations import Migration, MigrationError, migrations
from omnibase_infra.migrations.__main__ import main
from omnibase_infra.migrations.history import History, Record
from omnibase_infra.migrations.plan import Plan, read_plan

COUNT = 6


def files(count: int = COUNT, irreversible: int = 0) -> list[Migration]:
    """A set of `count` migrations, of which one has no way back."""
    texts = {}
    for number in range(1, count + 1):
        marker = "-- migrate: irreversible\n" if number == irreversible else ""
        texts[f"{number:04d}_m.up.sql"] = f"{marker}SELECT {number};"
        if number != irreversible:
            texts[f"{number:04d}_m.down.sql"] = f"SELECT -{number};"
    return migrations(texts)


def record(migration: Migration, state: str = "applied") -> Record:
    down = migration.down.sha256 if migration.down else ""
    return Record(
        version=migration.version, name=migration.name, sha256_up=migration.up.sha256, sha256_down=down, state=state
    )


def history(version: int, state: str = "applied", **changes: object) -> History:
    """A database at a version, whose newest row has the state."""
    made = files()
    rows = [record(each) for each in made[:version]]
    if state != "applied":
        rows[-1] = replace(rows[-1], state=state)
    given: dict[str, object] = {"database": "orders", "files": made, "rows": rows, **changes}
    return History(**given)  # type: ignore[arg-type]  # a mapping of its fields


def walked(start: History, to: int) -> History:
    """The database after the steps to a version."""
    down = to < start.version
    rows = {row.version: row for row in start.rows}
    for step in start.steps_down(to) if down else start.steps_up(to):
        assert step.forward is not down
        if step.forward:
            rows[step.migration.version] = record(step.migration)
        else:
            del rows[step.migration.version]
    return replace(start, rows=[rows[number] for number in sorted(rows)])


@given(st.lists(st.integers(0, COUNT), max_size=10))
def test_any_order_of_up_and_down_ends_as_the_straight_way_does(versions: list[int]) -> None:
    here = history(0)
    for version in versions:
        here = walked(here, version)
        assert here.version == version
        assert here.drift() == []
        assert here == walked(history(0), version)


def test_up_runs_the_missing_ones_in_order_and_down_the_newest_first() -> None:
    assert [step.script.file for step in history(4).steps_up()] == ["0005_m.up.sql", "0006_m.up.sql"]
    assert [step.script.file for step in history(2).steps_up(3)] == ["0003_m.up.sql"]
    assert [step.script.file for step in history(3).steps_down(1)] == ["0003_m.down.sql", "0002_m.down.sql"]
    assert history(3).steps_down(3) == []


@pytest.mark.parametrize(
    ("version", "command", "to", "words"),
    [
        (3, "down", 9, "there is no version 9; known are 0 to 6"),
        (3, "down", -1, "there is no version -1"),
        (3, "up", 7, "there is no version 7"),
        (3, "down", 5, "is at version 3, below 5; `up --to 5` leads there"),
        (3, "up", 1, "is at version 3, above 1; `down --to 1` takes back"),
    ],
)
def test_a_version_that_cannot_be_reached_so_is_refused(version: int, command: str, to: int, words: str) -> None:
    here = history(version)
    with pytest.raises(MigrationError, match=f"database orders: {words}") as raised:
        here.steps_up(to) if command == "up" else here.steps_down(to)
    assert raised.value.exit_code == 2


def test_nothing_is_taken_back_if_one_of_the_steps_has_no_way_back() -> None:
    made = files(irreversible=2)
    here = History(database="orders", files=made, rows=[record(each) for each in made])
    assert len(here.steps_down(2)) == 4
    with pytest.raises(MigrationError, match="0002_m is marked irreversible"):
        here.steps_down(1)


def edited(**changes: str) -> list[Record]:
    rows = [record(each) for each in files()[:2]]
    return [rows[0], replace(rows[1], **changes)]  # type: ignore[arg-type]  # a mapping of its texts


@pytest.mark.req("C2.3")
@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (
            edited(sha256_up="0" * 64),
            "0002_m.up.sql was changed after it was applied: checksum 000000000000 is recorded",
        ),
        (edited(sha256_down="0" * 64), "0002_m.down.sql was changed after it was applied"),
        (edited(sha256_down=""), "0002_m.down.sql was changed after it was applied: checksum none is recorded"),
        (edited(name="0002_other"), "version 2 was applied as 0002_other, but is 0002_m here"),
        ([record(files()[1])], "0002_m is applied, but 0001 is not; the tracking table was changed by hand"),
        ([record(each) for each in files(7)], "0007_m is applied, but has no files here"),
    ],
)
def test_a_record_that_does_not_fit_the_files_is_drift(rows: list[Record], words: str) -> None:
    (found,) = history(0, rows=rows).drift()
    assert found.startswith(f"database orders: {words}")


def test_a_prefix_is_part_of_recorded_names_only() -> None:
    rows = [replace(record(files()[0]), name="node:0001_m")]
    assert history(0, rows=rows, prefix="node:").drift() == []
    assert history(0, rows=rows).drift() != []


def test_what_was_interrupted_is_resumed_in_its_own_direction_only() -> None:
    rising = history(3, "applying")
    assert (rising.version, [step.resumed for step in rising.steps_up()]) == (2, [True, False, False, False])
    with pytest.raises(MigrationError, match="0003_m was interrupted while applying; finish it with `up --to 3` first"):
        rising.steps_down(0)
    falling = history(3, "reverting")
    assert [(step.script.file, step.resumed) for step in falling.steps_down(1)] == [
        ("0003_m.down.sql", True),
        ("0002_m.down.sql", False),
    ]
    words = "interrupted while reverting; finish it with `down --to 2` first"
    with pytest.raises(MigrationError, match=words):
        falling.steps_up()
    with pytest.raises(MigrationError, match=words):
        falling.steps_down(3)


def plan(**after: list[str]) -> Plan:
    """A plan of databases that wait for each other."""
    return Plan.model_validate({
        "databases": {
            name: {
                "connection": {"host": "localhost", "database": name, "user": "u"},
                "directory": name,
                "owner": "o",
                "after": before,
            }
            for name, before in after.items()
        }
    })  # fmt: skip


@pytest.mark.req("C2.11")
def test_databases_come_behind_those_that_they_wait_for_and_otherwise_by_name() -> None:
    assert plan(a=["c"], b=[], c=[]).order() == ["b", "c", "a"]
    assert plan(z=[], y=["z"], x=["y"]).order() == ["z", "y", "x"]


@given(st.permutations(["a", "b", "c", "d"]))
def test_the_order_does_not_depend_on_the_order_of_the_plan(names: list[str]) -> None:
    after = {"a": ["d"], "b": [], "c": ["a"], "d": []}
    assert plan(**{name: after[name] for name in names}).order() == ["b", "d", "a", "c"]


def test_databases_that_wait_for_each_other_or_for_nobody_are_refused() -> None:
    with pytest.raises(MigrationError, match=r"databases\.after: .* wait for each other"):
        plan(a=["b"], b=["a"]).order()
    with pytest.raises(MigrationError, match=r"databases\.a\.after: 'x' is no other database"):
        plan(a=["x"]).order()
    with pytest.raises(MigrationError, match="'a' is no other database"):
        plan(a=["a"]).order()


def test_two_sets_with_one_record_are_refused_and_two_records_in_one_database_are_not() -> None:
    both = plan(a=[], b=[])
    first = both.databases["a"]
    shared = both.model_copy(update={"databases": {"a": first, "b": first}})
    words = r"databases\.b: database 'a' and tracking_table 'schema_migrations' are those of databases\.a"
    with pytest.raises(MigrationError, match=words) as raised:
        shared.order()
    assert raised.value.exit_code == 2
    other = first.model_copy(update={"tracking_table": "others"})
    assert both.model_copy(update={"databases": {"a": first, "b": other}}).order() == ["a", "b"]


def test_one_database_of_a_plan_stands_alone() -> None:
    assert plan(a=["b"], b=[]).only("a").order() == ["a"]
    with pytest.raises(MigrationError, match="database 'x' is not in the plan; known are a, b"):
        plan(a=["b"], b=[]).only("x")


def test_every_wrong_field_of_a_plan_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "plan.json"
    wrong = {
        "connection": {"host": "h", "database": "d", "user": "u", "sslmode": "prefer", "password": "p"},
        "directory": "x",
        "owner": "Not a name",
    }
    path.write_text(json.dumps({"databases": {"orders": wrong}, "limits": {"runner_lock": 0}}))
    assert main([str(path), "status"]) == 2
    shown = capsys.readouterr().err
    for field in (
        "connection.sslmode: Input should be 'disable'",
        "connection.password: Extra",
        "owner: String should",
    ):
        assert f"databases.orders.{field}" in shown
    assert "limits.runner_lock: Input should be greater than 0" in shown


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (None, "No such file"),
        ("{", "Invalid JSON"),
        ('{"databases": {}}', "at least 1 item"),
        ('{"databases": {"a": 1, "b": 2, "a": 3}}', "'a' is there more than once in one object; give it once"),
    ],
)
def test_a_plan_that_is_none_is_refused(tmp_path: Path, text: str | None, words: str) -> None:
    path = tmp_path / "plan.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(MigrationError, match=words) as raised:
        read_plan(path)
    assert raised.value.exit_code == 2


def test_directories_of_a_plan_are_relative_to_it(tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    path.write_text(plan(a=[]).model_dump_json())
    assert read_plan(path).databases["a"].directory == tmp_path / "a"
