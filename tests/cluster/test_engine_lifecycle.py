"""A stack's life on the real engine with our language host: up, no change, drift, import, configuration, destroy."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
import yaml

from local.engine import CHANGES_FOUND
from local.engine.history import RECORDS, STATES
from tests.cluster.engine_kit import Checkout, checkout

_PROGRAM = """
    import pulumi
    import pulumi_kubernetes as k8s
    from pulumi.dynamic import CreateResult, Resource, ResourceProvider

    class Doubler(ResourceProvider):
        def create(self, props):
            return CreateResult("doubled", {"value": props["value"] * 2})

    class Doubled(Resource):
        value: pulumi.Output[int]

        def __init__(self, name, value, opts=None):
            super().__init__(Doubler(), name, {"value": value}, opts)

    class Pair(pulumi.ComponentResource):
        def __init__(self, name, opts=None):
            super().__init__("tiny:index:Pair", name, {}, opts)
            child = pulumi.ResourceOptions(parent=self)
            stash = pulumi.Stash(f"{name}-stash", input=pulumi.Config().require("greeting"), opts=child)
            self.kept = stash.output
            self.doubled = Doubled(f"{name}-doubled", 21, opts=child)
            self.register_outputs({})

    pair = Pair("pair")
    k8s.core.v1.ConfigMap("settings", metadata={"name": "settings", "namespace": "here"}, data={"key": "value"})
    pulumi.export("kept", pair.kept)
    pulumi.export("doubled", pair.doubled.value)
    pulumi.export("password", pulumi.Output.secret("hidden"))
"""


@pytest.fixture
def project(tmp_path: Path) -> Checkout:
    made = checkout(tmp_path, _PROGRAM)
    made.serve_kubernetes_from_files()
    return made


def test_up_creates_a_second_up_changes_nothing_and_destroy_leaves_nothing(project: Checkout) -> None:
    engine = project.engine()
    assert engine.outputs() == {}

    assert engine.up() == 0
    assert engine.outputs() == {"kept": "hello", "doubled": 42, "password": "hidden"}
    assert engine.preview("--expect-no-changes") == 0
    project.output.clear()
    assert engine.up() == 0
    assert "5 unchanged" in project.text
    assert "created" not in project.text

    assert engine.destroy() == 0
    assert not engine.export()["deployment"].get("resources")
    assert not list(project.objects.rglob("*.json"))


def test_drift_is_shown_by_refresh_and_repaired_by_up(project: Checkout) -> None:
    engine = project.engine()
    assert engine.up() == 0
    live = project.objects / "here" / "settings.json"
    live.write_text(live.read_text().replace('"value"', '"changed by hand"'))

    assert engine.refresh("--expect-no-changes") == CHANGES_FOUND
    project.output.clear()
    assert engine.preview("--diff") == 0
    assert "changed by hand" in project.text
    assert engine.up() == 0
    assert engine.preview("--expect-no-changes") == 0

    assert json.loads(live.read_text())["data"] == {"key": "value"}


_PROTECTED = """
    import pulumi
    import pulumi_kubernetes as k8s

    keep = pulumi.ResourceOptions(protect=True, retain_on_delete=True)
    database = k8s.core.v1.ConfigMap(
        "database", metadata={"name": "database", "namespace": "here"}, data={"from": "FROM"}, opts=keep
    )
    k8s.core.v1.ConfigMap(
        "pooler", metadata={"name": "pooler", "namespace": "here"}, data={"of": database.metadata.name},
        opts=pulumi.ResourceOptions(depends_on=[database]),
    )
"""


@pytest.mark.req("R10")
def test_a_protected_object_that_an_operator_deletes_is_made_anew_and_what_depends_on_it_stays(
    project: Checkout,
) -> None:
    """How docs/runbooks/restore.md brings a database of prod back."""
    project.program(_PROTECTED.replace("FROM", "nothing"))
    engine = project.engine()
    assert engine.up() == 0
    database, pooler = (project.objects / "here" / f"{name}.json" for name in ("database", "pooler"))
    written = pooler.stat().st_mtime_ns

    database.unlink()
    project.program(_PROTECTED.replace("FROM", "backup"))
    assert engine.refresh() == 0
    assert engine.up() == 0

    assert json.loads(database.read_text())["data"] == {"from": "backup"}
    assert pooler.stat().st_mtime_ns == written
    assert engine.preview("--expect-no-changes") == 0
    (again,) = (each for each in engine.export()["deployment"]["resources"] if each.get("id") == "here/database")
    assert again["protect"]


def test_an_update_removes_the_oldest_records_and_an_earlier_state_can_be_imported(project: Checkout) -> None:
    backend = project.paths.pulumi_backend / ".pulumi"
    for number in range(RECORDS):
        for name in (f"history/tiny/dev/dev-{number}.history.json", f"backups/tiny/dev/dev.{number}.json"):
            (backend / name).parent.mkdir(parents=True, exist_ok=True)
            (backend / name).write_text("{}")
    engine = project.engine()

    assert engine.up() == 0
    assert engine.destroy() == 0

    records = sorted(path.name for path in (backend / "history/tiny/dev").glob("*.history.json"))
    assert len(records) == RECORDS
    assert {"dev-0.history.json", "dev-1.history.json"}.isdisjoint(records)
    states = sorted((backend / "backups/tiny/dev").iterdir(), key=lambda path: int(path.name.split(".")[1]))
    assert len(states) == STATES
    deployed = json.loads(states[-2].read_text())  # the last one is that of the destroyed stack
    text = json.dumps({"version": deployed["version"], "deployment": deployed["checkpoint"]["latest"]})
    pulumi = [str(project.paths.bin / "pulumi"), "stack", "import", "--stack", "dev"]
    subprocess.run(pulumi, cwd=project.root, env=engine.env, input=text, text=True, check=True, capture_output=True)
    assert engine.outputs()["kept"] == "hello"


def test_the_checkout_stays_clean_and_the_salt_survives_a_change_of_the_stack_file(project: Checkout) -> None:
    source = project.root / "Pulumi.dev.yaml"
    before = source.read_text()
    assert project.engine().up() == 0
    copy = project.paths.pulumi_config / "Pulumi.dev.yaml"
    salt = yaml.safe_load(copy.read_text())["encryptionsalt"]
    assert source.read_text() == before

    source.write_text("config:\n  tiny:greeting: good morning\n  tiny:more: settings\n")
    assert project.engine().up() == 0

    assert yaml.safe_load(copy.read_text())["encryptionsalt"] == salt
    assert "encryptionsalt" not in source.read_text()
    assert {path.name for path in project.root.iterdir()} == {"Pulumi.yaml", "Pulumi.dev.yaml", "__main__.py"}


@pytest.mark.req("C1.4")
def test_secret_settings_reach_the_program_and_stay_encrypted_in_the_state(project: Checkout) -> None:
    project.program("""
        import pulumi
        pulumi.export("length", pulumi.Config().require_secret("token").apply(len))
        pulumi.export("plain", pulumi.Config().require("greeting"))
    """)
    engine = project.engine()
    pulumi = [str(project.paths.bin / "pulumi"), "config", "set", "--stack", "dev", "--secret", "token", "s3cret"]
    engine.select_or_create()
    subprocess.run(pulumi, cwd=project.root, env=engine.env, check=True, capture_output=True)

    engine = project.engine()
    assert engine.up() == 0

    assert engine.outputs() == {"length": 6, "plain": "hello"}
    assert "s3cret" not in json.dumps(engine.export()) + (project.root / "Pulumi.dev.yaml").read_text()


def test_an_existing_object_is_imported_and_its_code_is_written(project: Checkout) -> None:
    project.program("")
    engine = project.engine()
    engine.select_or_create()
    (project.objects / "here").mkdir(parents=True)
    (project.objects / "here" / "old.json").write_text(
        json.dumps({"metadata": {"name": "old", "namespace": "here"}, "data": {"a": "b"}})
    )
    argv = ["import", "--yes", "--stack", "dev", "kubernetes:core/v1:ConfigMap", "old", "here/old"]
    options = ["--config-file", str(project.paths.pulumi_config / "Pulumi.dev.yaml"), "--generate-code=false"]
    done = subprocess.run(
        [str(project.paths.bin / "pulumi"), *argv, *options],
        cwd=project.root,
        env=engine.env,
        check=False,
        capture_output=True,
        text=True,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert [r["id"] for r in engine.export()["deployment"]["resources"] if "ConfigMap" in r["type"]] == ["here/old"]


@pytest.mark.parametrize(
    ("program", "message"),
    [
        ("import nowhere_to_be_found", "No module named 'nowhere_to_be_found'"),
        ("raise ValueError('not today')", "not today"),
        ("import sys; sys.exit(3)", "program exited with non-zero exit code: 3"),
    ],
)
def test_a_failing_program_fails_the_preview_with_its_own_message(
    project: Checkout, program: str, message: str
) -> None:
    project.program(program)
    assert project.engine().preview() != 0
    assert message in project.text


def test_a_failed_resource_is_reported_without_a_traceback_of_the_program(project: Checkout) -> None:
    project.program("""
        from pulumi.dynamic import Resource, ResourceProvider

        class Failing(ResourceProvider):
            def create(self, props):
                raise RuntimeError("the disk is on fire")

        class Burning(Resource):
            def __init__(self, name):
                super().__init__(Failing(), name, {})

        Burning("one")
    """)
    assert project.engine().up() == 1
    assert "the disk is on fire" in project.text
    assert "KeyboardInterrupt" not in project.text
