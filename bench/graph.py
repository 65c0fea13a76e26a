"""How long the program of a stack takes to build its graph, with the engine played by the tests' recorder.

    python -m bench.graph            prod, three times
    python -m bench.graph STACK

Prints services, resources, and the least of three CPU and wall clock times from reading the settings to the last
registration; imports are not counted. Target: 3 s for prod. `make test` must have fetched the vendor files once.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass

from omnibase_infra.program import save_time

from tests.stacks.support import stacks

_REPEATS = 3
TARGET_SECONDS = 3.0


@dataclass(frozen=True, kw_only=True, order=True)
class Built:
    """One graph."""

    cpu_seconds: float
    wall_seconds: float
    resources: int
    services: int


def measure(stack: str) -> Built:
    """Build the graph of a stack once."""
    cpu, wall = time.process_time(), time.monotonic()
    recorder = stacks.record_stack(stack)
    cpu, wall = time.process_time() - cpu, time.monotonic() - wall
    found = recorder.registrations()
    services = {item.name for item in found if item.type.endswith(":HardenedWorkload")}
    return Built(cpu_seconds=cpu, wall_seconds=wall, resources=len(found), services=len(services))


def main(arguments: Sequence[str]) -> int:
    """Measure and print; 2 for a stack that does not exist."""
    stack = arguments[0] if arguments else "prod"
    if stack not in stacks.STACKS:
        print(f"bench.graph: unknown stack {stack!r}; known are {', '.join(stacks.STACKS)}", file=sys.stderr)
        return 2
    save_time()
    best = min(measure(stack) for _ in range(_REPEATS))
    print(
        f"{stack}: {best.services} workloads, {best.resources} resources: {best.cpu_seconds:.1f} s of CPU time, "
        f"{best.wall_seconds:.1f} s (target {TARGET_SECONDS:.0f} s)"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
