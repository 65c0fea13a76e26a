"""`python -m services.drill run` drills once; `python -m services.drill serve` serves what came out."""

from __future__ import annotations

import json
import os
import signal
import sys
import time

from services.drill.barman import Barman
from services.drill.drill import Drill, kept
from services.drill.exporter import serve
from services.drill.report import StoreError
from services.drill.settings import Settings, SettingsError
from services.drill.store import Reports


def _say(text: str, **more: object) -> None:
    print(json.dumps({"timestamp": time.time(), "level": "info", "message": text, **more}), flush=True)


def _run(settings: Settings) -> int:
    report = Drill(settings=settings, barman=Barman(settings), say=_say).run()
    try:
        report = kept(report, Reports(settings))
    except StoreError as error:
        _say(f"the report cannot be kept: {error}")
        return 1
    _say("good" if report.good else "; ".join(report.problems), report=json.loads(report.text()))
    return 0 if report.good else 1


def main() -> int:
    """The exit code: 0 good, 1 bad, 2 used wrongly."""
    if sys.argv[1:] not in (["run"], ["serve"]):
        print(f"usage: {__doc__}", file=sys.stderr)
        return 2
    try:
        settings = Settings.of(os.environ)
    except SettingsError as error:
        print(error, file=sys.stderr)
        return 2
    if sys.argv[1] == "run":
        return _run(settings)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    serve(settings, Reports(settings)).serve_forever()
    return 0


if __name__ == "__main__":
    sys.exit(main())
