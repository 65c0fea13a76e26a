"""Delivery: a new version of a service proves itself before it replaces the old one."""

from omnibase_infra.rollout.alerts import rollout_alerts
from omnibase_infra.rollout.args import RolloutArgs
from omnibase_infra.rollout.component import Rollout

__all__ = ["Rollout", "RolloutArgs", "rollout_alerts"]
