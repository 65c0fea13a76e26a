"""Logs of pods in one place."""

from omnibase_infra.logging.alerts import logging_alerts
from omnibase_infra.logging.args import LoggingStackArgs
from omnibase_infra.logging.component import LoggingStack
from omnibase_infra.logging.names import STORE_PORT, store

__all__ = ["STORE_PORT", "LoggingStack", "LoggingStackArgs", "logging_alerts", "store"]
