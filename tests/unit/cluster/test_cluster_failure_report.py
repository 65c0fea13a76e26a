"""What the report of a failed cluster test shows, and what it hides."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from local.paths import Paths
from tests.cluster import failure_report

_SECRET, _KEY = "correct horse", "-----BEGIN KEY-----\nfirst line of a key\nsecond line of it\n-----END KEY-----"
_SICK = {
    "metadata": {"name": "web", "namespace": "shop"},
    "status": {"phase": "Running", "containerStatuses": [{"ready": False, "restartCount": 2}]},
}
_WELL = {
    "metadata": {"name": "fine", "namespace": "shop"},
    "status": {"phase": "Running", "containerStatuses": [{"ready": True, "restartCount": 0}]},
}
_KUBECTL = """#!/bin/sh
case "$*" in
  *"get secrets"*) cat {directory}/secrets ;;
  *"pods -A -o json"*) cat {directory}/pods ;;
  *"get pods"*) echo "shop web 0/1 CrashLoopBackOff" ;;
  *"get events"*) for i in $(seq 100); do echo "event $i"; done ;;
  *"logs -n"*)
    echo "$*"; echo "login with correct horse, $(printf 'correct horse' | base64)"; echo "second line of it" ;;
esac
"""


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    """A place with a kubectl that knows a sick pod, a well one, and two secrets."""
    data = {"password": base64.b64encode(_SECRET.encode()).decode(), "key": base64.b64encode(_KEY.encode()).decode()}
    (tmp_path / "secrets").write_text(json.dumps({"items": [{"data": data}]}))
    (tmp_path / "pods").write_text(json.dumps({"items": [_SICK, _WELL]}))
    made = replace(Paths.from_environment({}), cache=tmp_path, state=tmp_path)
    made.bin.mkdir()
    kubectl = made.bin / "kubectl"
    kubectl.write_text(_KUBECTL.format(directory=tmp_path))
    kubectl.chmod(0o755)
    return made


@pytest.fixture(autouse=True)
def _no_engine_lines() -> Iterator[None]:
    failure_report.ENGINE_LINES.clear()
    yield
    failure_report.ENGINE_LINES.clear()


def test_it_shows_pods_events_and_logs_of_what_is_not_well(paths: Paths) -> None:
    failure_report.remember("creating\nerror: it failed\n")
    found = dict(failure_report.sections(paths))
    assert "CrashLoopBackOff" in found[f"Cluster: pods of {paths.instance}"]
    events = found[f"Cluster: events of {paths.instance}"].splitlines()
    assert (len(events), events[-1]) == (40, "event 100")
    assert "--previous" in found["Cluster: log of shop/web"], "why it was restarted"
    assert "Cluster: log of shop/fine" not in found
    assert found["Cluster: last lines of the engine"] == "creating\nerror: it failed"


def test_no_value_of_a_secret_is_in_it(paths: Paths) -> None:
    failure_report.remember("the password is correct horse")
    text = str(failure_report.sections(paths))
    assert "login with ****" in text
    assert "the password is ****" in text
    for value in ("correct horse", base64.b64encode(_SECRET.encode()).decode(), "second line of it"):
        assert value not in text


def test_a_cluster_that_is_gone_is_said_and_does_not_fail_the_report(paths: Paths) -> None:
    (paths.bin / "kubectl").unlink()
    found = dict(failure_report.sections(paths))
    assert found[f"Cluster: pods of {paths.instance}"].startswith("no answer: ")
    assert failure_report.sections(None) == []


_ADVICE = """\
    - [advisory] [severity: low]  user-namespace  (kubernetes:apps/v1:Deployment: web)
      The pod has a user namespace of its own
"""
_STOPS = """\
    - [mandatory] [severity: high]  image-digest  (kubernetes:apps/v1:Deployment: web)
      An image is named by its digest
        spec.template.spec.containers[0].image: has none
"""


def test_reasons_stand_before_the_end_of_what_a_command_printed_wherever_they_were() -> None:
    error = "    error: web was not created: 2 errors:\n      * no node takes the pod\n\n"
    outputs = "".join(f"    output_{number}: text\n" for number in range(400))
    said = failure_report.told(f"creating\n{_ADVICE}{_STOPS}{_ADVICE}Diagnostics:\n{error}Outputs:\n{outputs}")
    reasons, _, end = said.partition("[...]\n")
    assert reasons == _STOPS + error.rstrip("\n") + "\n"
    assert end == outputs[-4000:]


def test_what_is_short_or_without_a_reason_is_shown_as_its_end_alone() -> None:
    assert failure_report.told("error: no\n") == "error: no\n"
    assert failure_report.told("creating\n" * 1000) == ("creating\n" * 1000)[-4000:]
    assert len(failure_report.told("error: no\n" * 9000)) < 13_000
