"""The namespace that an environment lives in."""

from omnibase_infra.environment.component import Environment, EnvironmentArgs
from omnibase_infra.environment.manifests import MONITORED_BY, limit_range, namespace, quota

__all__ = ["MONITORED_BY", "Environment", "EnvironmentArgs", "limit_range", "namespace", "quota"]
