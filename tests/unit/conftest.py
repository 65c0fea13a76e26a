"""Unit tests are of no instance, whatever the shell is set to."""

from __future__ import annotations

import pytest

from tests.stacks.support.shared import shared_between_workers

__all__ = ["shared_between_workers"]


@pytest.fixture(autouse=True)
def _no_instance(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else a test that wants to be refused, as its instance has no network, would begin a deployment."""
    for variable in ("OMNIBASE_INSTANCE", "OMNIBASE_NETWORK"):
        monkeypatch.delenv(variable, raising=False)
