"""Both servers of a major upgrade in one file system, as the operator's Job has them: the newer image, and the older
server's programs copied beside it. No node, no container: a change root, and uid 26."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass, replace
from pathlib import Path

from omnibase_infra.postgres import cluster_spec

from local.images.catalogue import NEWER_POSTGRES, OLDER_POSTGRES
from local.images.prepare import build_steps
from local.paths import Paths
from local.progress import Progress
from local.steps import run_steps
from tests.stacks.support.samples import postgres

_ROOT = Path(__file__).resolve().parents[2]
_UID = 26
NEW = "/opt/postgresql/bin"
OLD = f"/controller/old{NEW}"
DATA, NEW_DATA = "/data/pgdata", "/data/pgdata-new"
_SETTINGS = {
    **cluster_spec.parameters(postgres(environment="prod")),
    "shared_preload_libraries": "pg_stat_statements,auto_explain",  # in a cluster the operator adds them
    "listen_addresses": "",
    "unix_socket_directories": "/run",
    "fsync": "off",
    "shared_buffers": "16MB",
}


@dataclass(frozen=True, kw_only=True)
class Servers:
    """An older server with a database `app`, and the programs of the newer one."""

    root: Path

    def create(self) -> None:
        """Unpack both images' parts and make the older server's data as the operator makes them."""
        self._unpack()
        for name in ("passwd", "group"):
            shutil.copy(NEWER_POSTGRES.directory(Paths.from_environment()) / name, self.root / "etc" / name)
        for name in ("dev", "proc", "data"):
            (self.root / name).mkdir(exist_ok=True)
        for path in (self.root / "data", self.root / "run"):
            os.chown(path, _UID, _UID)
        locale = "--locale-provider=builtin --builtin-locale=C.UTF-8 --encoding=UTF8"
        self.run(f"{OLD}/initdb -D {DATA} -U postgres -A trust --data-checksums {locale}")
        self._configure(DATA)
        self.start(OLD, DATA)
        self.sql(OLD, "CREATE DATABASE app TEMPLATE template0 LOCALE_PROVIDER builtin BUILTIN_LOCALE 'C.UTF-8'", "")

    def _unpack(self) -> None:
        """Debian's packages, the newer server where the image has it, the older one where the Job copies it to."""
        paths, places = Paths.from_environment(), {NEWER_POSTGRES: NEW, OLDER_POSTGRES: OLD}
        wanted = {f"debian packages of {NEWER_POSTGRES.context}", *(f"fetch {image.programs[0]}" for image in places)}
        steps = [replace(step, after=()) for step in build_steps(paths, [*places]) if step.name in wanted]
        run_steps(steps, paths, Progress(), retry="make test-cluster")
        script = _ROOT / "images" / "shared" / "assemble.sh"
        subprocess.run(["sh", script, NEWER_POSTGRES.debs(paths), self.root], check=True)
        for image, place in places.items():
            target = self.root / place.removeprefix("/").removesuffix("/bin")
            target.mkdir(parents=True)
            archive = paths.bin / image.programs[0]
            subprocess.run(
                ["tar", "-xzf", archive, "-C", target, "--strip-components=1", "--no-same-owner"], check=True
            )

    def start(self, programs: str, data: str) -> None:
        """Start a server; it goes on when the command has ended."""
        self.run(f"{programs}/pg_ctl -w -s -D {data} -l /data/log start </dev/null >/dev/null 2>&1 || cat /data/log")

    def stop(self, programs: str, data: str) -> None:
        """Stop it, as the operator does before it upgrades."""
        self.run(f"{programs}/pg_ctl -w -s -D {data} -m fast stop")

    def sql(self, programs: str, statement: str, database: str = "app") -> str:
        """A statement as superuser."""
        return self.run(f'{programs}/psql -h /run -U postgres -v ON_ERROR_STOP=1 -qtA -d "${{1:-postgres}}" -c "$2"',
                        database, statement).strip()  # fmt: skip

    def upgrade(self) -> subprocess.CompletedProcess[str]:
        """pg_upgrade with the arguments that the operator gives it."""
        self.run(
            f"rm -rf {NEW_DATA} && {NEW}/initdb -D {NEW_DATA} -U postgres -A trust --data-checksums --wal-segsize=16"
        )
        self._configure(NEW_DATA)
        words = f"--link --username postgres --old-bindir {OLD} --old-datadir {DATA} --new-datadir {NEW_DATA}"
        return self._inside(f"cd {NEW_DATA} && {NEW}/pg_upgrade {words}")

    def reasons(self) -> str:
        """What the newest pg_upgrade wrote down beside what it said."""
        files = (self.root / NEW_DATA.removeprefix("/")).glob("pg_upgrade_output.d/*/*.txt")
        return "".join(file.read_text() for file in files)

    def run(self, script: str, *arguments: str) -> str:
        """A command line in this file system; what it prints."""
        done = self._inside(script, *arguments)
        assert done.returncode == 0, done.stdout
        return done.stdout

    def _configure(self, data: str) -> None:
        with (self.root / data.removeprefix("/") / "postgresql.conf").open("a") as file:
            file.writelines(f"{key} = '{value}'\n" for key, value in _SETTINGS.items())

    def _inside(self, script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        mounts = 'mount --rbind /dev "$0/dev" && mount -t proc proc "$0/proc" && cd /'
        enter = f'{mounts} && exec chroot --userspec={_UID}:{_UID} "$0" /bin/sh -c "$@"'
        return subprocess.run(
            ["unshare", "--mount", "--propagation", "private", "sh", "-c", enter, self.root, script, "sh", *arguments],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
            env={"PATH": f"{NEW}:/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8"}, timeout=300,
        )  # fmt: skip
