"""A project of another team: the components from pip, the platform's database by StackReference."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from local.paths import Paths
from tests.cluster.example_kit import ROOT, Example, copy_example
from tests.cluster.node_kit import eventually
from tests.cluster.platform_kit import NAMESPACE, STACK

Kubectl = Callable[..., str]


def _environment(directory: Path) -> Path:
    """A Python environment with the components installed into it by pip, as `pulumi install` would do.

    What the components need is seen in the running environment, so that nothing is downloaded here.
    """
    shutil.copytree(
        ROOT / "components", directory / "components", ignore=shutil.ignore_patterns("venv", "build", "*.egg-info")
    )
    project = directory / "examples" / "app-stack"
    shutil.copytree(ROOT / "examples" / "app-stack", project, ignore=shutil.ignore_patterns("venv", "Pulumi.*.yaml"))
    environment = directory / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", environment], check=True)
    packages = next((environment / "lib").glob("python3*/site-packages"))
    (packages / "project.pth").write_text(f"{sysconfig.get_path('purelib')}\n")
    python = environment / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet", "--disable-pip-version-check"]
    offline = ["--no-index", "--no-deps", "--no-build-isolation"]
    subprocess.run([*pip, *offline, "-r", "requirements.txt"], cwd=project, check=True)
    asked = [str(python), "-c", "import omnibase_infra; print(omnibase_infra.__file__)"]
    found = subprocess.run(asked, cwd=directory, check=True, capture_output=True, text=True).stdout.strip()
    assert Path(found).is_relative_to(environment), found
    return environment


@pytest.fixture(scope="module")
def app(outputs: dict[str, Any], paths: Paths, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Example]:
    """The example on the tested platform."""
    directory = tmp_path_factory.mktemp("app")
    made = copy_example("app-stack", directory, paths, virtualenv=_environment(directory))
    made.config("platform", f"organization/omnibase-infra/{STACK}")
    made.config("context", f"omnibase-{paths.instance}")
    made.run("up", "--yes", "--skip-preview")
    yield made
    made.run("destroy", "--yes", "--skip-preview")
    made.run("stack", "rm", "--yes")


@pytest.mark.req("C2.8", "C1.12", "R20")
def test_the_workload_runs_and_has_logged_in_at_the_referenced_database(
    app: Example, outputs: dict[str, Any], kubectl: Kubectl
) -> None:
    assert app.outputs()["database"] == outputs["database_rw_endpoint"]

    def read() -> dict[str, Any]:
        found: dict[str, Any] = json.loads(
            kubectl("get", "deployment", "guestbook", "--namespace", NAMESPACE, "--output", "json")
        )
        return found if found["status"].get("readyReplicas") == 1 else {}

    found = eventually(read, 30, "it is ready, which means: a login through the pooler worked")
    container = found["spec"]["template"]["spec"]["containers"][0]
    env = {item["name"]: item.get("value") for item in container["env"]}
    host, _, port = outputs["database_rw_endpoint"].rpartition(":")
    assert (env["REFERENCE_DATABASE_RW_HOST"], env["REFERENCE_DATABASE_PORT"]) == (host, port)
    assert container["image"] == outputs["images"]["reference"]
    assert container["securityContext"]["readOnlyRootFilesystem"]


def test_its_arrow_to_the_database_has_a_policy_on_both_sides(app: Example, kubectl: Kubectl) -> None:
    names = kubectl("get", "networkpolicy", "--namespace", NAMESPACE, "--output", "name").split()
    assert {name.rpartition("/")[2] for name in names} >= {"guestbook-database-egress", "guestbook-database-ingress"}


def test_a_second_up_changes_nothing(app: Example) -> None:
    app.run("preview", "--expect-no-changes")


def test_a_platform_that_does_not_exist_is_named(app: Example) -> None:
    app.config("platform", "organization/omnibase-infra/nowhere")
    try:
        refused = app.run("preview", code=None)
    finally:
        app.config("platform", f"organization/omnibase-infra/{STACK}")
    assert refused.code not in (0, 7)
    assert "organization/omnibase-infra/nowhere" in refused.text
