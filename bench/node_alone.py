"""Start the local node with its add-ons and no stack, so that its memory can be measured alone."""

from __future__ import annotations

from local.machine import start_machine
from local.paths import Paths
from local.progress import Progress

if __name__ == "__main__":
    start_machine(Paths.from_environment(), Progress())
