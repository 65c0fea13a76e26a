"""`ops status`: what the engine declared, what the cluster runs, and one verdict."""

from ops.status.command import status
from ops.status.report import Report, build_report

__all__ = ["Report", "build_report", "status"]
