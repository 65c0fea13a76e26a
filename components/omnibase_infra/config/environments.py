"""The four environments, and the words that people really use for them."""

from __future__ import annotations

from enum import StrEnum

from omnibase_infra.config.errors import nearest


class Environment(StrEnum):
    """Which guarantees a stack gives. Several stacks may be of one environment (`judge` is a second staging)."""

    DEV = "dev"
    """May be destroyed at any time; one copy of everything that allows it."""
    TEST = "test"
    """Made by automated runs; leaves nothing behind."""
    STAGING = "staging"
    """The shape of prod; the digests that prod may run are proven here."""
    PROD = "prod"
    """Protected: data is retained, overrides need permission, a weaker setting needs a dated waiver."""


ALIASES = {
    "development": Environment.DEV,
    "local": Environment.DEV,
    "onex-dev": Environment.DEV,
    "ci": Environment.TEST,
    "e2e": Environment.TEST,
    "stability-test": Environment.STAGING,
    "managed-staging": Environment.STAGING,
    "judge": Environment.STAGING,
    "production": Environment.PROD,
    "onex-prod": Environment.PROD,
}


def parse_environment(word: object) -> Environment:
    """Turn a name or an alias into an Environment.

    Raises:
        ValueError: neither; the message names the nearest known word.
    """
    text = str(word).strip().lower()
    if text in ALIASES:
        return ALIASES[text]
    try:
        return Environment(text)
    except ValueError:
        known = [*(member.value for member in Environment), *ALIASES]
        raise ValueError(f"must be dev, test, staging, prod or an alias; {nearest(text, known)}") from None
