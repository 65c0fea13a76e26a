"""`ops db upgrade-check`: what is judged of the answers, and what the command says. The questions themselves are in
tests/cluster/test_ops_db_upgrade.py, asked of a real server."""

from __future__ import annotations

import datetime
import io
import json
import re
from pathlib import Path
from typing import Any, cast

import pytest
from omnibase_infra.config.postgres_versions import ANYTHING
from rich.console import Console

from local.errors import InputError, LocalError
from local.plugins.kubernetes.client import Client, UnreachableError
from ops.db import upgrade
from ops.db.access import Place
from ops.db.backups import Backups

ROOT = Path(__file__).resolve().parents[3]
NOW = datetime.datetime(2026, 11, 26, 12, tzinfo=datetime.UTC)
DAY = datetime.timedelta(days=1)
EMPTY = {"extensions": ["plpgsql", "pg_trgm"], "types": [], "nullable": [], "subscriptions": []}
SERVER = upgrade.Server(
    version=(17, 11), prepared=[], slots=[], closed=[], bytes=3 << 30, databases={"orders": EMPTY, "events": EMPTY}
)
HEALTHY: dict[str, Any] = {
    "status": {"phase": "Cluster in healthy state", "instances": 3, "readyInstances": 3},
}


def saved(**known: Any) -> Backups:  # noqa: ANN401 -- any field
    whole = {"archive": "database-1", "first_recoverability_point": "x", "archiving": True}
    return Backups(cluster="database", **{**whole, "last_backup": "2026-11-26T09:00:00Z", **known})


def test_the_next_major_version_is_meant_unless_one_is_named() -> None:
    assert upgrade.target_version("", (17, 11)) == (18, ANYTHING)
    assert upgrade.target_version("18.7", (17, 11)) == (18, 7)


@pytest.mark.parametrize(
    ("to", "said"), [("next", "--to 'next' is no version"), ("17.12", "is PostgreSQL 17.11 already")]
)
def test_a_version_that_is_none_or_no_newer_one_is_bad_input(to: str, said: str) -> None:
    with pytest.raises(InputError, match=said) as wrong:
        upgrade.target_version(to, (17, 11))
    assert wrong.value.hint


def test_each_thing_that_stands_against_it_is_named_with_its_database_and_a_remedy() -> None:
    full = upgrade.Server(**{**vars(SERVER), "slots": ["feed"], "databases": {
        "orders": EMPTY, "events": {**EMPTY, "extensions": ["plpgsql", "vector"]},
    }})  # fmt: skip
    found = {each.name: each for each in upgrade.judge(full, (18, 7), upgrade.CONTRIB) if not each.good}
    assert found["extensions"].found == "events: vector"
    assert "--has" in found["extensions"].remedy
    assert found["logical slots"].found == "feed"
    assert all(each.good for each in upgrade.judge(SERVER, (18, 7), upgrade.CONTRIB))


@pytest.mark.parametrize(
    ("known", "good", "said"),
    [
        ({}, True, "2026-11-26T09:00:00+00:00"),
        ({"last_backup": "2026-11-24T09:00:00Z"}, False, "2026-11-24T09:00:00+00:00"),
        ({"archive": ""}, False, "database has no backups"),
        ({"archiving": False}, False, "the log is not archived"),
    ],
)
def test_there_is_a_way_back_where_a_base_backup_is_fresh_and_the_log_is_archived(
    known: dict[str, Any], good: bool, said: str
) -> None:
    found = upgrade.back(saved(**known), DAY, NOW)
    assert (found.good, said in found.found, bool(found.remedy)) == (good, True, not good)


def test_an_old_base_backup_leads_to_the_step_that_makes_another() -> None:
    said = upgrade.back(saved(last_backup="2026-11-24T09:00:00Z"), DAY, NOW).remedy
    found = re.fullmatch(r"make one, as step (\d) of (\S+) says", said)
    assert found
    text = (ROOT / found[2]).read_text(encoding="utf-8")
    (step,) = re.findall(rf"^{found[1]}\. (.*?)^\d\. ", text, re.MULTILINE | re.DOTALL)
    assert "kind: Backup" in step


def test_a_cluster_that_lacks_an_instance_is_mended_first() -> None:
    assert upgrade.whole(HEALTHY).good
    lacking = {"status": {**HEALTHY["status"], "readyInstances": 2}}
    assert upgrade.whole(lacking).found == "Cluster in healthy state, 2 of 3 instances ready"
    assert not upgrade.whole(lacking).good
    assert not upgrade.whole({}).good


class _Client:
    def request(self, _method: str, _path: str) -> dict[str, Any]:
        return HEALTHY


def _checked(monkeypatch: pytest.MonkeyPatch, server: upgrade.Server, *, as_json: bool = False) -> tuple[int, str]:
    monkeypatch.setattr(upgrade, "cluster_client", lambda *_: cast(Client, _Client()))
    monkeypatch.setattr(upgrade, "_read", lambda _place: server)
    monkeypatch.setattr(
        upgrade, "read_backups", lambda *_: saved(last_backup=datetime.datetime.now(datetime.UTC).isoformat())
    )
    out = io.StringIO()
    console = Console(file=out, width=240)
    code = upgrade.upgrade_check(Place(stack="dev"), upgrade.Wanted(to="18.7"), as_json=as_json, console=console)
    return code, out.getvalue()


def test_the_command_ends_with_one_where_anything_stands_against_it(monkeypatch: pytest.MonkeyPatch) -> None:
    code, text = _checked(monkeypatch, SERVER)
    assert code == 0
    assert text.splitlines()[-1] == "PostgreSQL 17.11 to 18.7, each standby clones 3.0 GiB: nothing stands against it"
    code, text = _checked(monkeypatch, upgrade.Server(**{**vars(SERVER), "prepared": ["left"]}))
    assert code == 1
    assert "1 of 10 checks are not good" in text


def test_scripts_get_every_check_as_json(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert _checked(monkeypatch, SERVER, as_json=True)[0] == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["from"], found["to"], found["bytes"]) == ("17.11", "18.7", 3 << 30)
    assert [each["name"] for each in found["checks"]][-2:] == ["the cluster is whole", "a fresh base backup"]
    assert {*found["checks"][0]} == {"name", "good", "found", "remedy"}


def test_an_api_server_that_is_gone_is_said_plainly() -> None:
    class Gone:
        def request(self, *_words: str) -> None:
            raise UnreachableError("refused")

    with pytest.raises(LocalError, match="the cluster does not answer: refused"):
        upgrade._declared(cast(Client, Gone()), "omnibase-dev", "database")
