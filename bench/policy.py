"""What the policy pack costs: CPU time and memory, in the engine and beside checkov on the same manifests.

    python -m bench.policy                the pack alone, in the engine, and `ops policy check`
    python -m bench.policy --checkov      also checkov, installed into a virtual environment that is thrown away

Manifests are made here: Deployment, Service, ServiceAccount, ConfigMap and NetworkPolicy in turn, every second group
defective. CPU time is user and system time of the whole process, its start included; wall time of busy cores says
little. Rows go into docs/benchmarks.md.
"""

from __future__ import annotations

import datetime
import json
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from bench import policy_engine
from bench.cost import Cost, of_command
from bench.page import Place

ROOT = Path(__file__).resolve().parents[1]
PLACE = Place("bench-policy", "The policy pack")
CHECKOV = "checkov==3.3.30"
SIZES = (100, 1000)
_LABELS = {"app.kubernetes.io/name": "orders"}
_MILLISECONDS = 1000
_WITHOUT, _WITH = "preview of 1000 resources without the pack", "the same with the pack"
_IN_PACK = """
import json, sys
from google.protobuf import json_format, struct_pb2
from pulumi.runtime.proto import analyzer_pb2
import pulumi_policy
from omnibase_policies.pack import NAME, Servicer, policies
servicer = Servicer(NAME, "1", policies(), pulumi_policy.EnforcementLevel.MANDATORY)
stack = analyzer_pb2.AnalyzeStackRequest()
for line in open(sys.argv[1], encoding="utf-8"):
    manifest = json.loads(line)
    version = manifest["apiVersion"]
    token = f"kubernetes:{version if '/' in version else 'core/' + version}"
    values = json_format.ParseDict(manifest, struct_pb2.Struct())
    of = {"type": f"{token}:{manifest['kind']}", "properties": values, "urn": manifest["metadata"]["name"]}
    servicer.Analyze(analyzer_pb2.AnalyzeRequest(**of), None)
    stack.resources.add(**of)
servicer.AnalyzeStack(stack, None)
"""
"""What the engine asks of the pack, without the engine: each resource alone, then all together."""


def manifests(count: int) -> list[dict[str, Any]]:
    """So many objects, in groups of five that belong together."""
    return [each for group in range(count // 5) for each in _group(f"orders-{group}", is_good=group % 2 == 0)]


def _group(name: str, *, is_good: bool) -> list[dict[str, Any]]:
    selector = {**_LABELS, "app.kubernetes.io/instance": name}
    security: dict[str, Any] = {
        "allowPrivilegeEscalation": not is_good,
        "capabilities": {"drop": ["ALL"]} if is_good else {"add": ["SYS_ADMIN"]},
        "readOnlyRootFilesystem": is_good,
    }
    container = {
        "name": "orders",
        "image": f"registry.example/orders@sha256:{'1' * 64}" if is_good else "orders:latest",
        "ports": [{"containerPort": 8080}],
        "resources": {"requests": {"cpu": "100m", "memory": "64Mi"}, "limits": {"memory": "64Mi"}} if is_good else {},
        "securityContext": security,
    }
    pod = {
        "serviceAccountName": name,
        "automountServiceAccountToken": not is_good,
        "hostPID": not is_good,
        "securityContext": {"runAsNonRoot": is_good, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [container],
    }
    template = {"metadata": {"labels": selector}, "spec": pod}
    return [
        _object("apps/v1", "Deployment", name, spec={"selector": {"matchLabels": selector}, "template": template}),
        _object("v1", "Service", name, spec={"selector": selector, "ports": [{"port": 80, "targetPort": 8080}]}),
        _object("v1", "ServiceAccount", name, automountServiceAccountToken=False),
        _object("v1", "ConfigMap", name, data={"level": "info"}),
        _object(
            "networking.k8s.io/v1",
            "NetworkPolicy",
            name,
            spec={"podSelector": {"matchLabels": selector}, "policyTypes": ["Ingress", "Egress"]},
        ),
    ]


def _object(version: str, kind: str, name: str, **fields: object) -> dict[str, Any]:
    metadata = {"name": name, "namespace": "orders", "labels": _LABELS}
    return {"apiVersion": version, "kind": kind, "metadata": metadata, **fields}


def measure(directory: Path, checkov: Path | None) -> dict[str, Cost]:
    """Every figure by its name."""
    ops = [sys.executable, "-c", "from ops.cli import main; main()", "policy"]
    found = {
        "start: `ops policy list`": of_command([*ops, "list"], directory),
        "start: the pack serves": min(policy_engine.start_of_pack() for _ in range(3)),
    }
    for size in SIZES:
        lines, text = directory / f"{size}.jsonl", directory / f"{size}.yaml"
        made = manifests(size)
        lines.write_text("".join(f"{json.dumps(each)}\n" for each in made), encoding="utf-8")
        text.write_text(yaml.safe_dump_all(made), encoding="utf-8")
        found[f"the pack, {size} resources"] = of_command([sys.executable, "-c", _IN_PACK, str(lines)], directory)
        found[f"`ops policy check`, {size} manifests"] = of_command([*ops, "check", str(text)], directory)
        if checkov is not None:
            command = [str(checkov), "--framework", "kubernetes", "--compact", "--quiet", "-o", "json", "-f", str(text)]
            found[f"checkov, {size} manifests"] = of_command(command, directory)
    in_engine = policy_engine.previews(directory, manifests(max(SIZES)))
    return found | {_WITHOUT: in_engine[False], _WITH: in_engine[True]}


def install(directory: Path) -> Path | None:
    """Checkov in an environment of its own, which the project's does not fit; None if the index does not have it."""
    uv, made = Path(sys.executable).with_name("uv"), directory / "checkov"
    steps = (
        [uv, "venv", "-q", "--python", sys.executable, made],
        [uv, "pip", "install", "-q", "--python", made, CHECKOV],
    )
    for step in steps:
        ended = subprocess.run([str(word) for word in step], capture_output=True, text=True, check=False)
        if ended.returncode:
            print(f"bench.policy: {CHECKOV} cannot be installed: {ended.stderr.strip()[-300:]}", file=sys.stderr)
            return None
    return made / "bin" / "checkov"


def rows(found: dict[str, Cost]) -> str:
    """A table for the page."""
    day = datetime.datetime.now(tz=datetime.UTC).date()
    head = f"{day}, {os.cpu_count()} cores, Python {platform.python_version()}:\n\n"
    head += "| what | CPU time | wall time | memory |\n|-|-:|-:|-:|\n"
    table = "".join(
        f"| {name} | {each.cpu_seconds:.2f} s | {each.wall_seconds:.1f} s | {_mebibytes(each)} |\n"
        for name, each in found.items()
    )
    cpu, wall = per_resource(found)
    of_each = f"For each resource the pack costs the engine {cpu:.1f} ms of CPU time, and {wall:.1f} ms in all."
    return f"{head}{table}\n{of_each}\n"


def _mebibytes(cost: Cost) -> str:
    return "" if cost.memory_mib is None else f"{cost.memory_mib:.0f} MiB"


def per_resource(found: dict[str, Cost]) -> tuple[float, float]:
    """Milliseconds of CPU and wall time that a preview takes longer with the pack."""
    without, with_pack = found[_WITHOUT], found[_WITH]
    cpu, wall = with_pack.cpu_seconds - without.cpu_seconds, with_pack.wall_seconds - without.wall_seconds
    return cpu / max(SIZES) * _MILLISECONDS, wall / max(SIZES) * _MILLISECONDS


def misses(found: dict[str, Cost]) -> list[str]:
    """Targets that were not met."""
    check, pack = found["`ops policy check`, 1000 manifests"], found["the pack, 1000 resources"]
    held = [
        (check.cpu_seconds <= 3, "`ops policy check` of 1,000 manifests: 3 s"),  # noqa: PLR2004
        (found["start: `ops policy list`"].cpu_seconds <= 0.5, "start: 0.5 s"),  # noqa: PLR2004
        (found["start: the pack serves"].cpu_seconds <= 0.5, "start of the pack: 0.5 s"),  # noqa: PLR2004
        ((pack.memory_mib or 0) <= 120, "memory at 1,000 resources: 120 MiB"),  # noqa: PLR2004
        (per_resource(found)[0] <= 4, "in the engine: 4 ms per resource"),  # noqa: PLR2004
    ]
    for size, share in zip(SIZES, (4, 2), strict=True):
        other = found.get(f"checkov, {size} manifests")
        if other is not None:
            ours = found[f"the pack, {size} resources"].cpu_seconds
            held.append((ours * share <= other.cpu_seconds, f"{size} resources: 1/{share} of checkov"))
    return [target for is_held, target in held if not is_held]


def main(arguments: Sequence[str]) -> int:
    """Measure, write the page, and say which targets are missed; 1 if any is."""
    if set(arguments) - {"--checkov"}:
        print(__doc__, file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory(prefix="bench-policy-") as name:
        directory = Path(name)
        found = measure(directory, install(directory) if arguments else None)
    PLACE.write(rows(found).rstrip("\n"))
    print(rows(found))
    missed = misses(found)
    print("\n".join(f"not met: {target}" for target in missed) or "every target is met")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
