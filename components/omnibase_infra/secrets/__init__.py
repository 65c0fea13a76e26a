"""Secrets of an environment: made, imported or referred to, and given to whom they are meant for."""

from omnibase_infra.secrets.alerts import credential_alerts
from omnibase_infra.secrets.args import SecretConsumer, SecretEntry, SecretSetArgs, SecretStore
from omnibase_infra.secrets.component import SecretSet

__all__ = ["SecretConsumer", "SecretEntry", "SecretSet", "SecretSetArgs", "SecretStore", "credential_alerts"]
