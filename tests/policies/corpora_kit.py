"""Labelled cases: our own ones, and larger collections where they are at hand.

A collection is a directory of `<corpus>.jsonl.gz` files; a line is {"id", "corpus", "rule", "expect", "objects",
"parameters"?}. It is looked for in OMNIBASE_CORPORA, or else in a directory `corpora` of a directory beside the
checkout.
"""

from __future__ import annotations

import copy
import functools
import gzip
import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from omnibase_policies.examples import POD, change

HERE = Path(__file__).resolve().parent
OWN = HERE / "corpora" / "pod_security.yaml"
DEFAULT_VERSION = "1.34"
_BARE = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "orders"},
    "spec": {"containers": [{"name": "a"}], "initContainers": [{"name": "b"}]},
}


@dataclass(frozen=True, kw_only=True)
class Case:
    """Objects and the verdict on them."""

    id: str
    corpus: str
    rule: str
    bad: bool
    version: str
    objects: list[Any]
    parameters: dict[str, Any] | None = None
    """Settings that the case assumes, by the names of its corpus."""


def collections() -> dict[str, Path]:
    """Files of larger collections by the name of the corpus; empty where there are none."""
    given = os.environ.get("OMNIBASE_CORPORA")
    directories = [Path(given)] if given else sorted(HERE.parents[2].glob("*/corpora"))
    if given:
        assert directories[0].is_dir(), f"OMNIBASE_CORPORA={given} is no directory"
    return {file.name.split(".")[0]: file for each in directories for file in sorted(each.glob("*.jsonl.gz"))}


@functools.cache
def cases(corpus: str) -> tuple[Case, ...]:
    """All cases of a larger collection."""
    with gzip.open(collections()[corpus], "rt", encoding="utf-8") as lines:
        return tuple(_case(json.loads(line)) for line in lines)


def _case(line: dict[str, Any]) -> Case:
    version = re.search(r"/v(\d+\.\d+)/", line["id"])
    return Case(
        id=line["id"],
        corpus=line["corpus"],
        rule=line["rule"],
        bad=line["expect"] == "bad",
        version=version[1] if version else DEFAULT_VERSION,
        objects=line["objects"],
        parameters=line.get("parameters"),
    )


def own_cases() -> Iterator[Case]:
    """Our own cases, each as a bare pod, in a Deployment, in a CronJob and in a List."""
    for profile, verdicts in yaml.load(OWN.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader).items():
        for verdict, changes in verdicts.items():
            for index, each in enumerate(changes):
                yield from _own(profile, verdict, index, each)


def _own(profile: str, verdict: str, index: int, changes: dict[str, Any]) -> Iterator[Case]:
    pod = copy.deepcopy(_BARE if profile == "baseline" else _restricted())
    for path, value in changes.items():
        if path != "version":
            change(pod, path, value)
    for form, manifest in _forms(pod):
        yield Case(
            id=f"{profile}/{verdict}/{index}/{form}",
            corpus=profile,
            rule=profile,
            bad=verdict == "bad",
            version=str(changes.get("version", DEFAULT_VERSION)),
            objects=[manifest],
        )


def _restricted() -> dict[str, Any]:
    pod = copy.deepcopy(POD)
    del pod["spec"]["hostUsers"]
    return pod


def _forms(pod: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    template = {"metadata": pod["metadata"], "spec": pod["spec"]}
    yield "pod", pod
    yield "deployment", {"apiVersion": "apps/v1", "kind": "Deployment", "spec": {"template": template}}
    job = {"spec": {"template": template}}
    yield "cronjob", {"apiVersion": "batch/v1", "kind": "CronJob", "spec": {"jobTemplate": job}}
    yield "list", {"apiVersion": "v1", "kind": "List", "items": [pod]}
