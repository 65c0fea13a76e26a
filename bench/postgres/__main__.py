"""PostgreSQL as PostgresCluster declares it, beside direct connections and beside the operator's defaults.

Makes a node of its own (OMNIBASE_INSTANCE, default `bench`), both clusters of three instances on it, then rounds of
load (pgbench) and of faults under two writers, all in turns. Every round is kept in build/ at once: a run that was
interrupted, or that had to end after --minutes, goes on where it stopped. The node is removed at the end.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from bench.own_node import own_paths
from bench.postgres import load, manifests, report
from bench.postgres.cluster import Cluster, install_operator
from bench.postgres.faults import FAULTS
from bench.postgres.run import Bench, Extent
from local import machine
from local.errors import InputError, LocalError
from local.lock import exclusive
from local.paths import Paths
from local.progress import Progress

ROOT = Path(__file__).resolve().parents[2]
RESULTS = ROOT / "build" / "bench-postgres.json"
CASES = tuple(dict.fromkeys([*(each.case for each in load.LOADS), *(each.name for each in FAULTS)]))


def main(arguments: Sequence[str]) -> int:
    """Measure; 1 where something could not be measured. What is there then stays."""
    options = _parser().parse_args(arguments)
    results = report.Results.read(options.results, fresh=options.fresh)
    progress = Progress()
    try:
        if not options.report:
            _measure(options, results, progress)
    except LocalError as error:
        progress.say(f"bench.postgres: {error}")
        return error.exit_code
    text = f"{report.table(results)}\n\n{report.raw(results)}"
    print(text)
    if options.write:
        report.PLACE.write(text)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="bench.postgres", description=__doc__)
    parser.add_argument("--rounds", type=_positive, default=10, help="of each case (default 10)")
    parser.add_argument("--seconds", type=_positive, default=15, help="of each load (default 15)")
    parser.add_argument("--untuned", type=int, default=3, help="rounds of faults of the untuned cluster (default 3)")
    parser.add_argument("--quick", action="store_true", help="the same as --rounds 1 --seconds 5")
    parser.add_argument("--only", default="", metavar="CASE,...", help=f"some of: {', '.join(CASES)}")
    parser.add_argument("--minutes", type=float, default=600, help="begin no round after so many minutes")
    parser.add_argument("--results", type=Path, default=RESULTS, help="file of all rounds (default in build/)")
    parser.add_argument("--fresh", action="store_true", help="forget earlier rounds")
    parser.add_argument("--keep", action="store_true", help="leave node and clusters for the next run")
    parser.add_argument("--report", action="store_true", help="measure nothing, print the table")
    parser.add_argument("--write", action="store_true", help="put the table into docs/benchmarks.md")
    return parser


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{number} is less than 1")
    return number


def _measure(options: argparse.Namespace, results: report.Results, progress: Progress) -> None:
    unknown = set(filter(None, options.only.split(","))) - set(CASES)
    if unknown:
        raise InputError(f"--only {', '.join(sorted(unknown))}: known are {', '.join(CASES)}")
    paths = own_paths()
    extent = Extent(
        rounds=1 if options.quick else options.rounds,
        seconds=5 if options.quick else options.seconds,
        untuned_rounds=options.untuned,
        only=frozenset(filter(None, options.only.split(","))),
        deadline=time.monotonic() + 60 * options.minutes,
    )
    try:
        with exclusive(paths, "make bench-postgres"):
            clusters = prepare(paths, progress)
        with tempfile.TemporaryDirectory() as scratch:
            kept = Path(scratch)
            Bench(clusters=clusters, extent=extent, results=results, progress=progress, scratch=kept).measure()
    finally:
        if not options.keep:
            machine.clean(paths, progress)


def prepare(paths: Paths, progress: Progress) -> dict[str, Cluster]:
    """Node, operator and both clusters, by namespace; what is there already stays."""
    machine.start_machine(paths, progress, retry="make bench-postgres")
    images = json.loads(paths.images_lock.read_text())["images"]
    with progress.step("operator", 30):
        install_operator(paths, images)
    # the operator's defaults leave the poolers out of the certificate
    plain = Cluster(paths=paths, namespace=manifests.PLAIN, sslmode="verify-ca")
    made = {manifests.TUNED: Cluster(paths=paths, namespace=manifests.TUNED), manifests.PLAIN: plain}
    for namespace, objects in ((manifests.TUNED, manifests.tuned), (manifests.PLAIN, manifests.plain)):
        with progress.step(f"cluster {namespace}", 120):
            made[namespace].make(objects(images))
    return made


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
