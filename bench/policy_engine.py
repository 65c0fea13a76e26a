"""What the pack costs where it is used: previews of one generated program by the real engine, with and without it.

The program registers plain resources, and a process that takes everything stands in for the cluster's provider: what is
measured is the engine, the program and the pack.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench.cost import Cost, of_children, of_ended
from local import machine
from local.paths import Paths
from local.progress import Progress
from local.steps import run_steps
from tests.cluster.engine_kit import Checkout, checkout

_PACK = Path(__file__).resolve().parents[1] / "policies"
_LEVELS = _PACK / "environments" / "dev.json"
_REPEATS = 2
_PROGRAM = """
    import json
    import pathlib
    import pulumi

    for each in json.loads(pathlib.Path("registers.json").read_text(encoding="utf-8")):
        group, _, version = each["apiVersion"].rpartition("/")
        token = f"kubernetes:{group or 'core'}/{version}:{each['kind']}"
        pulumi.CustomResource(token, f"{each['kind']}-{each['metadata']['name']}", each)
"""


def start_of_pack() -> Cost:
    """From nothing until the pack serves, which it says on its first line."""
    began = time.monotonic()
    with subprocess.Popen([sys.executable, "__main__.py"], cwd=_PACK, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None  # noqa: S101 - PIPE above
        process.stdout.readline()
        process.kill()
        return of_ended(process, began)


def previews(directory: Path, manifests: Sequence[dict[str, Any]]) -> dict[bool, Cost]:
    """The least of two previews without the pack (False), and with it (True) at the levels of dev, which let it pass.

    Raises:
        RuntimeError: a preview failed.
    """
    paths = Paths.from_environment()
    run_steps(machine.engine_steps(paths), paths, Progress(), retry="make bench-policy")
    made = checkout(directory, _PROGRAM)
    made.serve_kubernetes_from_files()
    _preview(made, manifests[:5], with_pack=True)  # makes the stack, and compiles
    found: dict[bool, list[Cost]] = {False: [], True: []}
    for _ in range(_REPEATS):
        for with_pack, costs in found.items():
            costs.append(_preview(made, manifests, with_pack=with_pack))
    return {with_pack: min(costs) for with_pack, costs in found.items()}


def _preview(made: Checkout, manifests: Sequence[dict[str, Any]], *, with_pack: bool) -> Cost:
    (made.root / "registers.json").write_text(json.dumps(list(manifests)), encoding="utf-8")
    made.output.clear()
    packs, levels = ((_PACK,), (_LEVELS,)) if with_pack else ((), ())
    engine, codes = made.engine(policy_packs=packs, policy_configs=levels), list[int]()
    found = of_children(lambda: codes.append(engine.preview()))
    if codes != [0]:
        raise RuntimeError(f"the preview ended with {codes}: {made.text[-1000:]}")
    return found
