"""Settings by which PostgreSQL tells which statements cost what, and of transactions over two databases; pure."""

from omnibase_infra.postgres.args import PostgresClusterArgs

_GUARDED = ("staging", "prod")


def parameters(args: PostgresClusterArgs) -> dict[str, str]:
    """Their part of postgresql.conf."""
    return {**_statistics(), **_plans(args["environment"]), **_prepared(args)}


def _statistics() -> dict[str, str]:
    return {
        "pg_stat_statements.max": "10000",  # about 8 MiB of shared memory, and as many texts in a file
        "pg_stat_statements.track": "all",
        # A utility statement keeps its literals, and one of them is the password of CREATE ROLE.
        "pg_stat_statements.track_utility": "off",
        "track_activity_query_size": "4096",
        "compute_query_id": "on",
    }


def _plans(environment: str) -> dict[str, str]:
    """The plan of a slow statement goes into the log, without what users wrote as parameters.

    Counting rows and blocks in every node of every plan costs some per cent of each statement, so it is done where
    people develop; reading the clock there costs more than that, and is done nowhere.
    """
    return {
        "auto_explain.log_min_duration": "1s" if environment in _GUARDED else "250ms",
        "auto_explain.log_analyze": "off" if environment in _GUARDED else "on",
        "auto_explain.log_buffers": "off" if environment in _GUARDED else "on",
        "auto_explain.log_timing": "off",
        "auto_explain.log_format": "text",
        "auto_explain.log_parameter_max_length": "0",
        "auto_explain.log_nested_statements": "off",
    }


def _prepared(args: PostgresClusterArgs) -> dict[str, str]:
    """None unless asked for: a prepared transaction that everybody forgot holds its locks, and vacuum, for ever."""
    count = int(args.get("prepared_transactions", 0))
    return {"max_prepared_transactions": str(count)} if count else {}
