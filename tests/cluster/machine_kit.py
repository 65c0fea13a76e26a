"""A small build under the real command line, and a machine that lacks something: root, or room on a disk."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from local.build import go_toolchain
from local.paths import Paths
from tests.cluster.node_kit import wait_for

_ROOT = Path(__file__).resolve().parents[2]
NOBODY = 65534

# `prepare` builds everything; here everything is one small program of our own, so that a build takes seconds.
_COMMAND_LINE = """
import sys
from pathlib import Path
from local import cli, machine
from local.build import Program, go_steps, toolchain_step

def steps(paths):
    return [toolchain_step(paths), *go_steps([Program(name="small", module=Path({module!r}))], paths)]

machine.all_steps = steps
sys.argv[1:] = ["prepare"]
cli.main()
"""


@dataclass(frozen=True, kw_only=True)
class SmallBuild:
    """`python -m local prepare` of one program that needs nothing but Go's library, with caches of its own."""

    directory: Path
    cache: Path
    variables: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        module = self.directory / "module"
        module.mkdir(exist_ok=True)
        (module / "go.mod").write_text("module example.test/small\n\ngo 1.26\n")
        (module / "go.sum").touch()
        (module / "main.go").write_text('package main\n\nimport "fmt"\n\nfunc main() { fmt.Println("built") }\n')

    @property
    def program(self) -> Path:
        """What the build makes."""
        return self.cache / "bin" / "small"

    @property
    def environment(self) -> dict[str, str]:
        """Variables of the command; Go's build cache is empty at first, so that there is something to compile."""
        go = go_toolchain(Paths.from_environment()).parent  # the cache below is empty: Go would be fetched again
        own = {
            "PATH": f"{go}:{os.environ['PATH']}",
            "OMNIBASE_CACHE": str(self.cache),
            "OMNIBASE_STATE": str(self.directory / "state"),
            "GOCACHE": str(self.directory / "go-build"),
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("OMNIBASE_", "PULUMI_"))}
        return {**kept, **own, **self.variables}

    @property
    def command(self) -> list[str]:
        """The command."""
        return [sys.executable, "-c", _COMMAND_LINE.format(module=str(self.directory / "module"))]

    def start(self) -> subprocess.Popen[str]:
        """Start it."""
        return subprocess.Popen(
            self.command, cwd=_ROOT, env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )

    def run(self) -> tuple[int, str]:
        """Run it to its end."""
        process = self.start()
        text, _ = process.communicate(timeout=900)
        return process.returncode, text

    def compilers(self) -> list[int]:
        """Pids of Go's programs that compile for this build; asking Go for its version before is not yet building."""
        found = []
        mark = f"GOTMPDIR={self.cache / 'scratch'}/".encode()
        for entry in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                name = (entry / "cmdline").read_bytes().split(b"\0")[0].rpartition(b"/")[2]
                ours = mark in (entry / "environ").read_bytes()
                if ours and name in (b"go", b"compile", b"link", b"asm"):
                    found.append(int(entry.name))
        return found

    def wait_until_it_compiles(self, process: subprocess.Popen[str], seconds: float = 300) -> None:
        """Wait until Go works on it; a build that ends before has compiled nothing that could be interrupted."""
        deadline = time.monotonic() + seconds
        while not self.compilers():
            assert process.poll() is None, f"it ended before it compiled anything:\n{process.communicate()[0]}"
            assert time.monotonic() < deadline, f"it compiles nothing within {seconds:.0f} s"
            time.sleep(0.02)

    def wait_until_nothing_compiles(self) -> None:
        """Wait until no program of Go works on it."""
        wait_for(lambda: not self.compilers(), 20, lambda: f"Go's programs end, but {self.compilers()}")


def on_small_disk(place: Path, size: str, script: str, environment: dict[str, str]) -> str:
    """Run a shell script for which `place` is a disk of a size of its own, and return all that it printed.

    The disk exists in a mount namespace of the script alone, and ends with it.
    """
    place.mkdir(exist_ok=True)
    mounted = f'mount -t tmpfs -o size={size} tmpfs "{place}"\n{script}'
    done = subprocess.run(
        ["unshare", "--mount", "--propagation=private", "sh", "-c", mounted],
        cwd=_ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
        timeout=1200,
    )  # fmt: skip
    return done.stdout


def as_nobody(command: list[str], environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Run a command as a user without rights, who may only read: the checkout may lie where nobody else looks."""
    drop = [
        "setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "--no-new-privs",
        "--inh-caps=-all,+dac_read_search", "--ambient-caps=-all,+dac_read_search",
    ]  # fmt: skip
    return subprocess.run(
        [*drop, *command], cwd=_ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        check=False, timeout=400,
    )  # fmt: skip
