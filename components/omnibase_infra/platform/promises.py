"""What people are told of what was promised: objectives of services, and ages of credentials."""

from __future__ import annotations

from omnibase_infra.alert import Alert
from omnibase_infra.config.objectives import SPENT
from omnibase_infra.config.rotation import due_times
from omnibase_infra.monitoring import objective_alerts
from omnibase_infra.platform.room import Room
from omnibase_infra.secrets import credential_alerts


def promised_alerts(room: Room) -> list[Alert]:
    """Alerts on objectives that burn, and on credentials that are due."""
    config = room.config
    objectives, kept_days = config.objectives, config.monitoring.prometheus.retention_days
    burns = {span: objectives.burn(span) for span in SPENT}
    return [
        *objective_alerts(objectives.effective(), burns, kept_days),
        *credential_alerts(due_times(config.rotation, config.secrets, config.gateway, config.messaging)),
    ]
