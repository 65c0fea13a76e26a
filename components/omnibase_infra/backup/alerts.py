"""Alerts on backups that are not made, logs that are not archived and restores that are not proven, pure."""

from omnibase_infra.alert import Alert

_HOUR = 3600
_TRIES = ("archived", "failed")


def backup_alerts(job: str, every_seconds: int) -> list[Alert]:
    """Alerts on the base backups and the archive of the log of one cluster.

    Args:
        job: of the instances' series.
        every_seconds: longest time between two base backups.
    """
    newest = f'max by (job) (barman_cloud_cloudnative_pg_io_last_available_backup_timestamp{{job="{job}"}})'
    archived, failed = (f'max by (job) (cnpg_pg_stat_archiver_last_{what}_time{{job="{job}"}})' for what in _TRIES)
    return [
        {
            "name": "BackupTooOld",
            "expr": f"time() - {newest} > {2 * every_seconds + _HOUR}",
            "for_seconds": 900,
            "severity": "critical",
            "summary": "The newest base backup of {{ $labels.job }} is {{ $value | humanizeDuration }} old.",
            "runbook": "backup-too-old",
        },
        {
            "name": "WALArchiveFailing",
            "expr": f"(time() - {archived}) and {failed} > {archived}",
            "for_seconds": 300,
            "severity": "critical",
            "summary": "The log of {{ $labels.job }} has not been archived for {{ $value | humanizeDuration }}.",
            "runbook": "log-not-archived",
        },
    ]


def drill_alerts(report_job: str) -> list[Alert]:
    """Alerts on restores that were not proven.

    Args:
        report_job: of the series of the restore drill.
    """
    reports = f'{{job="{report_job}"}}'
    return [
        {
            "name": "RestoreDrillFailed",
            "expr": (
                f"restore_drill_good{reports} == 0 and restore_drill_last_timestamp_seconds{reports} > 0 "
                f"unless restore_drill_busy{reports} == 1"
            ),
            "for_seconds": 120,
            "severity": "critical",
            "summary": "The newest restore drill of {{ $labels.archive }} did not bring back what was there.",
            "runbook": "restore-drill",
        },
        {
            "name": "RestoreDrillUndecided",
            "expr": f"restore_drill_busy{reports} == 1",
            "for_seconds": 120,
            "severity": "warning",
            "summary": "The newest restore drill of {{ $labels.archive }} compared nothing: writing never paused.",
            "runbook": "restore-drill",
        },
        {
            "name": "RestoreDrillTooOld",
            "expr": (
                f"time() - restore_drill_last_good_timestamp_seconds{reports} > restore_drill_every_seconds{reports}"
            ),
            "for_seconds": 3600,
            "severity": "warning",
            "summary": "The last good restore drill of {{ $labels.archive }} is {{ $value | humanizeDuration }} old.",
            "runbook": "restore-drill",
        },
    ]
