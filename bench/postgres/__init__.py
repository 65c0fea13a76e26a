"""PostgreSQL under load and faults, ours beside the operator's defaults: `python -m bench.postgres --help`."""
