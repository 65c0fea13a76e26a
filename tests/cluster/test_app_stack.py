"""Those who use the platform's database from outside: a project of another team, with the components from pip and the
platform by StackReference, and a pod in a namespace of others."""

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
from tests.cluster.node_kit import eventually, wait_for
from tests.cluster.platform_kit import NAMESPACE, STACK, silent_engine

Kubectl = Callable[..., str]
_SPACE = "guests"
_CONSUMERS = {
    "guestbook": {"databases": {"reference": {"endpoints": ["rw", "ro"]}}},
    "visitor": {"namespace": _SPACE, "databases": {"reference": {}}},
}
_VISIT = """
import pathlib, psycopg, time
end = time.monotonic() + float(SECONDS)
while True:
    try:
        made = psycopg.connect(pathlib.Path("/run/secrets/databases/reference/url").read_text(), connect_timeout=5)
    except psycopg.OperationalError:
        if time.monotonic() > end:
            raise
        time.sleep(0.5)
    else:
        print(made.execute("SELECT current_user || ' ' || current_database()").fetchone()[0])
        break
"""


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
def consumers(outputs: dict[str, Any], paths: Paths, kubectl: Kubectl) -> Iterator[dict[str, Any]]:
    """Outputs of the platform with two consumers; afterwards it is as it was."""
    kubectl("create", "namespace", _SPACE)
    given = {"OMNIBASE__POSTGRES__AUTHORITY": "environment", "OMNIBASE__POSTGRES__CONSUMERS": json.dumps(_CONSUMERS)}
    engine, said = silent_engine(paths, **given)
    try:
        assert engine.up() == 0, said()
        yield engine.outputs()
    finally:
        engine, said = silent_engine(paths)
        assert engine.up() == 0, said()
        kubectl("delete", "namespace", _SPACE)


@pytest.fixture(scope="module")
def app(consumers: dict[str, Any], paths: Paths, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Example]:
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
    app: Example, consumers: dict[str, Any], outputs: dict[str, Any], kubectl: Kubectl
) -> None:
    document = consumers["database_connections"]["guestbook"]["reference"]["document"]
    assert app.outputs()["database"] == outputs["database_rw_endpoint"]
    assert {each["host"] for each in document["endpoints"].values()} == {
        outputs[f"database_{role}_endpoint"].rpartition(":")[0] for role in ("rw", "ro")
    }

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
    arrow = "database-client-guestbook"
    assert {name.rpartition("/")[2] for name in names} >= {f"{arrow}-egress", f"{arrow}-ingress"}


def _visit(kubectl: Kubectl, consumers: dict[str, Any], name: str, image: str, seconds: float) -> str:
    """What a pod of that name says, which mounts the visitor's Secret, or why it says nothing.

    It tries again for some seconds: until the network policies know the address of a new pod, they refuse it.
    """
    path = consumers["database_connections"]["visitor"]["reference"]
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": _SPACE, "labels": {"app.kubernetes.io/name": name}},
        "spec": {
            "restartPolicy": "Never",
            "containers": [
                {
                    "name": "visit",
                    "image": image,
                    "command": ["/usr/bin/python3.13", "-c", _VISIT.replace("SECONDS", str(seconds))],
                    "volumeMounts": [{"name": "it", "mountPath": "/run/secrets/databases/reference"}],
                }
            ],
            "volumes": [{"name": "it", "secret": {"secretName": path["secret"], "defaultMode": 0o444}}],
        },
    }
    kubectl("apply", "-f", "-", stdin=json.dumps(pod))
    phase = ("get", "pod", name, "-n", _SPACE, "-o", "jsonpath={.status.phase}")
    wait_for(lambda: kubectl(*phase) in ("Succeeded", "Failed"), 60, f"{name} has ended")
    return kubectl("logs", name, "-n", _SPACE).strip()


@pytest.mark.req("C2.8", "C7.1")
def test_a_consumer_in_a_namespace_of_others_logs_in_by_its_secret_and_its_neighbour_is_not_let_in(
    consumers: dict[str, Any], outputs: dict[str, Any], kubectl: Kubectl
) -> None:
    image = outputs["images"]["reference"]
    assert _visit(kubectl, consumers, "visitor", image, 20) == f"{outputs['database_user']} reference"
    refused = _visit(kubectl, consumers, "neighbour", image, 5)
    assert "psycopg.OperationalError: connection" in refused or "ConnectionTimeout" in refused, refused


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
