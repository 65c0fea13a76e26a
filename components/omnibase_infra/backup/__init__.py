"""Backups: the operator's plugin, an object store for the local node, the drill that proves a restore."""

from omnibase_infra.backup.alerts import backup_alerts, drill_alerts
from omnibase_infra.backup.args import BarmanPluginArgs, ObjectStoreServerArgs, RestoreDrillArgs
from omnibase_infra.backup.drill import RestoreDrill
from omnibase_infra.backup.names import (
    ACCESS_KEY,
    PLUGIN_NAMESPACE,
    REGION,
    SECRET_KEY,
    STORE_PORT,
    drill_party,
    plugin_hosts,
    report_name,
    store_hosts,
    store_party,
    store_url,
)
from omnibase_infra.backup.plugin import BarmanPlugin
from omnibase_infra.backup.store import ObjectStoreServer

__all__ = [
    "ACCESS_KEY",
    "PLUGIN_NAMESPACE",
    "REGION",
    "SECRET_KEY",
    "STORE_PORT",
    "BarmanPlugin",
    "BarmanPluginArgs",
    "ObjectStoreServer",
    "ObjectStoreServerArgs",
    "RestoreDrill",
    "RestoreDrillArgs",
    "backup_alerts",
    "drill_alerts",
    "drill_party",
    "plugin_hosts",
    "report_name",
    "store_hosts",
    "store_party",
    "store_url",
]
