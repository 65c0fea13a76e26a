"""The drill without cluster and store: what it is told, what it compares, what it reports."""

from __future__ import annotations

import re
import threading
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import pytest

from services.drill.barman import Barman, BarmanError, complete
from services.drill.drill import Drill
from services.drill.exporter import serve
from services.drill.fingerprint import Content, Table, differences
from services.drill.moment import BusyError
from services.drill.report import Report, StoreError, metrics
from services.drill.server import configuration, last_words, prepare
from services.drill.settings import Settings, SettingsError

GIVEN = {
    "DRILL_DESTINATION": "s3://backups/postgres",
    "DRILL_ENDPOINT": "https://objects.example.test",
    "DRILL_ARCHIVE": "database-1",
    "DRILL_ACCESS_KEY_FILE": "/run/secrets/store/access-key",
    "DRILL_SECRET_KEY_FILE": "/run/secrets/store/secret-key",
    "DRILL_SCRATCH": "/scratch",
    "DRILL_BINARIES": "/usr/lib/postgresql/17/bin",
    "DRILL_DATABASES": "one two",
    "DRILL_REPORT_PORT": "0",
}
ONE, TWO = Table("shop", "public", "one"), Table("shop", "public", "two")
GOOD = Report(archive="database-1", started=10.0, finished=20.0, good=True, rows=7, tables=2, last_good=20.0)


def test_everything_that_is_missing_is_named_at_once() -> None:
    with pytest.raises(SettingsError, match=r"DRILL_ENDPOINT is not set; DRILL_PORT='x' is no number"):
        Settings.of({**GIVEN, "DRILL_ENDPOINT": "", "DRILL_PORT": "x"})


def test_the_store_is_asked_to_encrypt_the_report_where_it_is_for_the_backups() -> None:
    assert Settings.of(GIVEN).report_options == {}
    assert Settings.of({**GIVEN, "DRILL_ENCRYPTION": "AES256"}).report_options == {"ServerSideEncryption": "AES256"}


@pytest.mark.parametrize(
    ("destination", "key"),
    [
        ("s3://backups/postgres", "postgres/drills/database-1.json"),
        ("s3://backups", "drills/database-1.json"),
    ],
)
def test_the_report_is_beside_the_archive(destination: str, key: str) -> None:
    found = Settings.of({**GIVEN, "DRILL_DESTINATION": destination})
    assert (found.bucket, found.report_key, found.databases) == ("backups", key, ("one", "two"))


def test_nothing_is_different_in_equal_databases() -> None:
    contents = {ONE: Content(2, "7"), TWO: Content(0, "0")}
    assert differences(contents, dict(contents)) == []


@pytest.mark.req("P19")
def test_every_difference_is_named_by_its_table() -> None:
    living = {ONE: Content(2, "7"), TWO: Content(3, "8")}
    assert differences(living, {ONE: Content(1, "7")}) == [
        "table shop.public.one has 1 rows restored and 2 alive",
        "table shop.public.two is missing in the restored cluster",
    ]
    assert differences(living, {**living, TWO: Content(3, "9")}) == [
        "table shop.public.two has the same 3 rows in number, but not in content"
    ]
    assert differences({}, {ONE: Content(1, "7")}) == ["table shop.public.one is in the restored cluster only"]


def test_only_completed_backups_count_the_newest_last() -> None:
    listing = {
        "backups_list": [
            {"backup_id": "20261126T120000", "status": "DONE", "begin_time": "b", "end_time": "e"},
            {"backup_id": "20261126T130000", "status": "FAILED", "begin_time": "b", "end_time": "e"},
            {"backup_id": "20261126T110000", "status": "DONE", "begin_time": "b", "end_time": "e"},
        ]
    }
    assert [each.identifier for each in complete(listing)] == ["20261126T110000", "20261126T120000"]


def test_a_restored_directory_starts_with_the_drills_settings_only(tmp_path: Path) -> None:
    data, home = tmp_path / "data", tmp_path / "home"
    data.mkdir()
    (data / "pg_wal").symlink_to("/a/volume/of/the/other/pod")
    (data / "postgresql.auto.conf").write_text("ssl = on")
    (data / "postmaster.pid").write_text("1")
    prepare(data, home, configuration(home, '\'fetch\' "%f" "%p"', "0/3000148"))
    assert (data / "pg_wal").is_dir()
    assert not (data / "pg_wal").is_symlink()
    assert (data / "postgresql.auto.conf").read_text() == ""
    assert (data / "recovery.signal").exists()
    assert not (data / "postmaster.pid").exists()
    text = (home / "postgresql.conf").read_text()
    assert "restore_command = '''fetch'' \"%f\" \"%p\"'" in text
    assert "recovery_target_lsn = '0/3000148'" in text
    assert "recovery_target_inclusive = 'off'" in text


def test_of_a_servers_log_the_complaint_is_repeated(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("LOG:  starting\nFATAL:  recovery ended before configured recovery target was reached\nLOG:  bye\n")
    assert last_words(log) == "FATAL:  recovery ended before configured recovery target was reached"


def test_a_report_comes_back_as_it_was_and_a_newer_versions_fields_are_left_out() -> None:
    assert Report.of(GOOD.text()) == GOOD
    assert Report.of(GOOD.text().replace('"archive"', '"unknown": 1, "archive"')) == GOOD
    with pytest.raises(ValueError, match="no report of a drill"):
        Report.of("[]")


def values(text: str) -> dict[str, float]:
    """Series -> value."""
    return {name: float(value) for name, value in re.findall(r"^(\w+)\{archive=\"database-1\"\} (\S+)$", text, re.M)}


def ended_by(error: Exception) -> Report:
    """The report of a drill that such a fault ended."""

    class Faulty(Drill):
        def _compared(self, report: Report) -> Report:
            raise error

    return Faulty(settings=Settings.of(GIVEN), barman=cast(Barman, None), say=print).run()


@pytest.mark.req("P19")
@pytest.mark.parametrize(("error", "busy"), [(BusyError("no pause"), 1.0), (BarmanError("no pause"), 0.0)])
def test_a_drill_without_a_quiet_moment_is_told_from_one_that_failed(error: Exception, busy: float) -> None:
    report = ended_by(error)
    found = values(metrics(report, "database-1", 60, reachable=True))
    assert (report.good, report.problems) == (False, ["no pause"])
    assert (found["restore_drill_good"], found["restore_drill_busy"]) == (0.0, busy)


def test_without_any_drill_the_last_good_one_is_as_old_as_can_be() -> None:
    found = values(metrics(None, "database-1", 60, reachable=True))
    assert (found["restore_drill_last_good_timestamp_seconds"], found["restore_drill_every_seconds"]) == (0.0, 60.0)


class Source:
    """A store with a report, or one that does not answer."""

    report: Report | None = GOOD
    down = False

    def newest(self) -> Report | None:
        """The report."""
        if self.down:
            raise StoreError("the store does not answer")
        return self.report


@pytest.fixture
def shown() -> Iterator[tuple[Source, str]]:
    """An exporter, and its address."""
    source = Source()
    server = serve(Settings.of(GIVEN), source)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield source, f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


def read(url: str) -> str:
    """The text behind an address of the exporter."""
    with urllib.request.urlopen(url) as answer:  # noqa: S310 -- an address of this test
        text: str = answer.read().decode()
    return text


def test_the_newest_report_is_served_as_metrics_and_whole(shown: tuple[Source, str]) -> None:
    _, url = shown
    found = values(read(f"{url}/metrics"))
    assert (found["restore_drill_rows"], found["restore_drill_good"]) == (7.0, 1.0)
    assert found["restore_drill_store_reachable"] == 1.0
    assert Report.of(read(f"{url}/report")) == GOOD


def test_a_store_that_is_gone_is_a_metric_and_no_restart(shown: tuple[Source, str]) -> None:
    source, url = shown
    source.down = True
    assert values(read(f"{url}/metrics"))["restore_drill_store_reachable"] == 0.0
    assert read(f"{url}/healthz") == "ok\n"
