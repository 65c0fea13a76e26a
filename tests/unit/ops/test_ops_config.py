"""Effective settings with their origin, and how two stacks differ."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest
import yaml
from rich.console import Console
from typer.testing import CliRunner

from local.errors import InputError
from ops.cli import app
from ops.config import Format, difference, promote, show, validate
from ops.config.change import set_secret, set_value
from ops.config.settings import BUILT_IN, differences, origin, settings_of

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def console() -> Console:
    return Console(highlight=False, width=200)


@pytest.mark.req("C1.2")
def test_every_setting_says_who_set_it() -> None:
    found = settings_of(ROOT, "dev", {"OMNIBASE__POSTGRES__STORAGE_GIB": "3"})
    assert found["postgres.storage_gib"].value == 3
    assert found["postgres.storage_gib"].origin == "OMNIBASE__POSTGRES__STORAGE_GIB"
    assert re.fullmatch(r"Pulumi\.dev\.yaml:[0-9]+:5", found["images.lock"].origin)
    assert found["postgres.instances"].origin == "dev defaults"
    assert {re.sub(r":[0-9:]+$", "", setting.origin) for setting in found.values()} <= {
        BUILT_IN,
        "catalogue.yaml",
        "dev defaults",
        "Pulumi.dev.yaml",
        "OMNIBASE__POSTGRES__STORAGE_GIB",
    }


def test_a_setting_that_nobody_names_comes_from_the_model_or_from_what_is_above() -> None:
    origins = {"a.b": "file", "a": "defaults"}
    assert origin(origins, "a.b") == "file"
    assert origin(origins, "a.x") == "defaults"
    assert origin(origins, "z") == BUILT_IN


@pytest.mark.req("C1.2")
@pytest.mark.parametrize("stack", ["dev", "test", "staging", "prod"])
def test_the_place_of_every_value_of_a_file_is_the_line_that_says_it(stack: str) -> None:
    files = (f"Pulumi.{stack}.yaml", "catalogue.yaml")
    lines = {file: (ROOT / file).read_text(encoding="utf-8").splitlines() for file in files}
    placed = dict.fromkeys(files, 0)
    for setting in settings_of(ROOT, stack, {}).values():
        file, _, place = setting.origin.partition(":")
        if file in files:
            line, column = map(int, place.split(":"))
            key = lines[file][line - 1][column - 1 :].removeprefix("omnibase-infra:").partition(":")[0]
            assert key in setting.keys, setting
            placed[file] += 1
    assert min(placed.values()) >= 4, placed


@pytest.mark.req("C1.9")
def test_staging_and_prod_differ_in_what_their_files_say_and_in_little_else() -> None:
    found = list(differences(settings_of(ROOT, "staging", {}), settings_of(ROOT, "prod", {})))
    paths = [each.path for each in found]
    assert "environment" in paths
    assert "cluster.context" in paths
    assert "postgres.instances" not in paths, "both run production's shape"
    assert len(paths) <= len(settings_of(ROOT, "prod", {})) / 3, paths


def test_a_stack_has_no_difference_to_itself(console: Console, capsys: pytest.CaptureFixture[str]) -> None:
    assert difference("prod", "prod", as_json=False, console=console) == 0
    assert "prod and prod have the same settings" in capsys.readouterr().out


def test_the_difference_for_programs_holds_value_and_origin(
    console: Console, capsys: pytest.CaptureFixture[str]
) -> None:
    assert difference("staging", "prod", as_json=True, console=console) == 0
    found = {each["path"]: each for each in json.loads(capsys.readouterr().out)}
    assert found["environment"]["staging"]["value"] == "staging"
    assert found["environment"]["prod"]["origin"].startswith("Pulumi.prod.yaml:")


@pytest.mark.req("C1.9")
def test_the_table_of_staging_and_prod_is_short_enough_to_be_read(
    console: Console, capsys: pytest.CaptureFixture[str]
) -> None:
    difference("staging", "prod", as_json=False, console=console)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) <= 120, len(lines)
    (absent,) = [line for line in lines if "services.runtime-canary" in line]
    assert re.search(r"-\s.*[0-9]+ settings", absent), "a service that staging does not have is one row"
    (shared,) = [line for line in lines if "rollout.interval_seconds" in line]
    assert "services.*.rollout.interval_seconds (27 services)" in shared
    assert "staging defaults, prod defaults" in shared
    (own,) = [line for line in lines if "services.reference.replicas" in line]
    assert "Pulumi.prod.yaml" in own


def test_the_table_shows_both_values_and_who_set_them(console: Console, capsys: pytest.CaptureFixture[str]) -> None:
    difference("staging", "prod", as_json=False, console=console)
    shown = capsys.readouterr().out
    line = next(line for line in shown.splitlines() if "cluster.context" in line)
    assert "omnibase-staging" in line
    assert "omnibase-prod" in line
    assert re.search(r"Pulumi\.staging\.yaml:[0-9:]+, Pulumi\.prod\.yaml:[0-9:]+", line)


def test_show_prints_everything_with_or_without_origin(console: Console, capsys: pytest.CaptureFixture[str]) -> None:
    assert show("prod", "", Format.JSON, with_origin=True, console=console) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["postgres.instances"] == {"value": 3, "origin": "prod defaults"}
    show("prod", "", Format.JSON, with_origin=False, console=console)
    assert json.loads(capsys.readouterr().out)["postgres.instances"] == 3
    show("prod", "", Format.TABLE, with_origin=True, console=console)
    assert "postgres.instances\t3\tprod defaults\n" in capsys.readouterr().out, "in a pipe: cells parted by tabs"


def test_a_terminal_gets_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    terminal = Console(highlight=False, width=120, force_terminal=True, color_system=None)
    show("prod", "postgres.pooler", Format.TABLE, with_origin=True, console=terminal)
    shown = capsys.readouterr().out
    assert "│ postgres.pooler.instances" in shown
    assert "postgres.instances" not in shown


def test_yaml_is_what_a_stack_file_could_say_with_origins_as_comments(
    console: Console, capsys: pytest.CaptureFixture[str]
) -> None:
    show("prod", "", Format.YAML, with_origin=True, console=console)
    text = capsys.readouterr().out
    assert "  instances: 3  # prod defaults\n" in text
    assert yaml.safe_load(text)["postgres"]["instances"] == 3


def test_no_form_shows_a_secret(console: Console, capsys: pytest.CaptureFixture[str]) -> None:
    for form in Format:
        show("prod", "monitoring.receiver", form, with_origin=True, console=console)
    shown = capsys.readouterr().out
    assert shown.count("[secret]") == len(Format)
    assert "alerts.example.test" not in shown


def test_a_section_that_does_not_exist_is_bad_input_with_the_nearest(console: Console) -> None:
    with pytest.raises(InputError, match=r"at or below postgres\.poler") as refused:
        show("prod", "postgres.poler", Format.TABLE, with_origin=False, console=console)
    assert "did you mean 'postgres.pooler'?" in refused.value.hint


def test_settings_that_cannot_be_used_are_named_all_at_once(monkeypatch: pytest.MonkeyPatch, console: Console) -> None:
    monkeypatch.setenv("OMNIBASE__POSTGRES__INSTANCES", "none")
    monkeypatch.setenv("OMNIBASE__POSTGRESS", "1")
    with pytest.raises(InputError, match=r"postgres\.instances") as refused:
        show("dev", "", Format.TABLE, with_origin=True, console=console)
    assert "postgress" in str(refused.value)


def test_an_unknown_stack_is_bad_input(console: Console) -> None:
    with pytest.raises(InputError, match="stack 'pord' is unknown"):
        difference("pord", "prod", as_json=False, console=console)
    with pytest.raises(InputError, match="stack 'pord' is unknown"):
        validate(["pord"], as_json=False, console=console)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    for file in [*ROOT.glob("Pulumi.*.yaml"), ROOT / "catalogue.yaml"]:
        shutil.copy(file, tmp_path)
    shutil.copytree(ROOT / "migrations", tmp_path / "migrations")
    return tmp_path


@pytest.mark.req("C1.3")
def test_validate_says_all_problems_of_all_stacks_and_ends_as_bad_input(
    checkout: Path, console: Console, capsys: pytest.CaptureFixture[str]
) -> None:
    assert validate([], as_json=False, console=console, root=checkout, environ={}) == 0
    assert capsys.readouterr().out == "dev: good\nprod: good\nstaging: good\ntest: good\n"
    file = checkout / "Pulumi.dev.yaml"
    file.write_text(file.read_text(encoding="utf-8") + "  omnibase-infra:protect: no\n  omnibase-infra:quotas: {}\n")
    assert validate([], as_json=True, console=console, root=checkout, environ={}) == 2
    report = json.loads(capsys.readouterr().out)
    assert (report["valid"], report["stacks"]["prod"]) == (False, {"valid": True, "problems": []})
    assert [each["path"] for each in report["stacks"]["dev"]["problems"]] == ["protect", "quotas"]
    assert set(report["stacks"]["dev"]["problems"][0]) == {"origin", "path", "received", "allowed", "hint"}
    assert validate(["dev"], as_json=False, console=console, root=checkout, environ={}) == 2
    assert capsys.readouterr().out.startswith("dev: 2 problems\n  Pulumi.dev.yaml:")


@pytest.mark.req("C1.3", "C2.3")
@pytest.mark.parametrize(
    ("file", "environ", "said"),
    [
        ("0003_more.up.sql", {}, "0003_more has no down file; write 0003_more.down.sql, or"),
        ("0004_more.up.sql", {}, "up files go to 0004, but 0003 is missing"),
        ("0003_More.up.sql", {}, "0003_More.up.sql: must be named NNNN_name.up.sql"),
        ("", {"TARGET_VERSION": "77"}, "target_version=77: there is no such version; known are 0 to 2"),
        ("", {"DIRECTORY": "migrations/none"}, "migrations/none does not exist"),
    ],
)
def test_validate_reads_the_migrations_that_the_settings_name(
    checkout: Path, capsys: pytest.CaptureFixture[str], file: str, environ: dict[str, str], said: str
) -> None:
    if file:
        (checkout / "migrations" / "reference" / file).write_text("SELECT 1;\n")
    given = {f"OMNIBASE__POSTGRES__DATABASES__REFERENCE__MIGRATIONS__{key}": value for key, value in environ.items()}
    assert validate(["dev"], as_json=True, console=Console(), root=checkout, environ=given) == 2
    problems = json.loads(capsys.readouterr().out)["stacks"]["dev"]["problems"]
    assert any(said in each["allowed"] for each in problems), problems
    assert {each["path"] for each in problems} == {"postgres.databases.reference.migrations.directory"}


@pytest.mark.req("R4")
def test_promoting_copies_digests_and_what_both_share_and_nothing_that_is_the_environments_own(checkout: Path) -> None:
    staging = checkout / "Pulumi.staging.yaml"
    text = staging.read_text(encoding="utf-8")
    found = re.search(r"reference: (\S+/reference):\S+", text)
    assert found
    built = f"{found[1]}:0.2.0@sha256:{'5' * 64}".replace("registry.example.test", "registry.staging.example.test")
    staging.write_text(text.replace(found[0], f"reference: {built}"), encoding="utf-8")
    set_value(checkout, "staging", "services.reference.log_level", "WARNING", {})
    console = Console(highlight=False, width=200)
    assert promote("staging", "prod", write=True, as_json=False, console=console, root=checkout) == 0
    before = settings_of(ROOT, "prod", {})
    after = settings_of(checkout, "prod", {})
    changed = {each.path: each.right.value for each in differences(before, after) if each.right}
    assert changed == {
        "images.references.reference": f"registry.example.test/omnibase/reference:0.2.0@sha256:{'5' * 64}",
        "services.reference.log_level": "WARNING",
    }, "the digest, in the registry that prod pulls from"


def test_promoting_says_why_it_does_not_copy_and_writes_only_on_demand(
    checkout: Path, console: Console, capsys: pytest.CaptureFixture[str]
) -> None:
    text = (checkout / "Pulumi.prod.yaml").read_bytes()
    assert promote("staging", "prod", write=False, as_json=True, console=console, root=checkout) == 0
    report = json.loads(capsys.readouterr().out)
    kept = {each["path"]: each["reason"] for each in report["kept"]}
    assert kept["cluster.context"] == "says where the environment is, or how large"
    assert kept["gateway.hosts"] == "is an address"
    assert kept["gateway.clients.partner.requests_per_minute"] == "is a size"
    assert kept["rotation.since"] == "is about secrets of this environment"
    assert not report["written"]
    assert (checkout / "Pulumi.prod.yaml").read_bytes() == text
    assert not {each["path"] for each in report["changes"]} & set(kept)


def test_nothing_is_promoted_downwards_or_into_what_would_not_work(checkout: Path, console: Console) -> None:
    with pytest.raises(InputError, match=r"prod \(prod\) cannot be promoted into staging"):
        promote("prod", "staging", write=True, as_json=False, console=console, root=checkout)
    staging, prod = checkout / "Pulumi.staging.yaml", checkout / "Pulumi.prod.yaml"
    staging.write_text(staging.read_text("utf-8") + "  omnibase-infra:environment: staging\n", encoding="utf-8")
    before = prod.read_bytes()
    with pytest.raises(InputError, match="must occur once"):
        promote("staging", "prod", write=True, as_json=False, console=console, root=checkout)
    assert prod.read_bytes() == before


@pytest.mark.parametrize(
    ("path", "value", "line"),
    [
        ("postgres.storage_gib", "7", "    storage_gib: 7\n"),
        ("protect", "true", "  omnibase-infra:protect: true\n"),
        ("services.reference.log_level", "ERROR", "      log_level: ERROR\n"),
        ("gateway.routes.notes.path", '"/010"', "        path: /010\n"),
        ("cluster.operator_cidrs", "[192.0.2.0/24]", "    operator_cidrs: [192.0.2.0/24]\n"),
    ],
)
def test_a_setting_is_written_where_it_belongs_and_all_else_stays(
    checkout: Path, path: str, value: str, line: str
) -> None:
    file = checkout / "Pulumi.dev.yaml"
    before = file.read_text(encoding="utf-8")
    set_value(checkout, "dev", path, value, {})
    after = file.read_text(encoding="utf-8")
    assert line in after
    assert set(before.splitlines()) <= set(after.splitlines())
    assert len(after.splitlines()) - len(before.splitlines()) <= path.count(".") + 1


def test_an_entry_of_a_list_is_replaced_in_its_place(checkout: Path) -> None:
    file = checkout / "Pulumi.prod.yaml"
    before = file.read_text(encoding="utf-8")
    set_value(checkout, "prod", "cluster.api_server_cidrs.1", "203.0.113.9/32", {})
    assert file.read_text(encoding="utf-8") == before.replace("- 198.51.100.1/32\n", "- 203.0.113.9/32\n", 1)
    with pytest.raises(InputError, match="7 is no entry of a list of 2"):
        set_value(checkout, "prod", "cluster.api_server_cidrs.7", "203.0.113.9/32", {})


@pytest.mark.parametrize(
    ("path", "value", "complaint"),
    [
        ("postgres.storage_gib", "much", "should be a valid integer"),
        ("postgres.storage_gib", "010", "is octal"),
        ("postgres.storage_gibs", "7", "is an unknown key"),
        ("postgres.storage_gib", "{", "cannot be read"),
        ("postgres..storage_gib", "7", "is no key path"),
        ("protect.really", "true", "should be a valid boolean"),
        ("environment.name", "dev", "single value"),
        ("monitoring.receiver.secret_url", "https://hooks.chat.com/hunter2", "is plain text"),
    ],
)
def test_a_value_that_cannot_be_never_gets_into_the_file(checkout: Path, path: str, value: str, complaint: str) -> None:
    file = checkout / "Pulumi.dev.yaml"
    before = file.read_bytes()
    with pytest.raises(InputError, match=complaint) as refused:
        set_value(checkout, "dev", path, value, {})
    assert file.read_bytes() == before
    assert "hunter2" not in str(refused.value)


def test_a_secret_is_never_taken_from_the_command_line() -> None:
    result = CliRunner().invoke(app, ["config", "set", "monitoring.receiver.secret_url", "hunter2", "--secret"])
    assert isinstance(result.exception, InputError)
    assert "history" in str(result.exception)
    assert "hunter2" not in str(result.exception)


def test_an_empty_secret_is_refused_before_the_engine_is_asked(checkout: Path) -> None:
    with pytest.raises(InputError, match="is empty"):
        set_secret(checkout, "dev", "monitoring.receiver.secret_url", " \n", {})
