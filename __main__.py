"""The omnibase-infra stack: settings in, one Platform out. Everything else is in components/."""

from pathlib import Path

from omnibase_infra.program import run

run(Path(__file__).resolve().parent)
