"""A docker provider over an engine that is made up."""

from __future__ import annotations

import pytest

from tests.unit.local.plugins.docker.fake_engine import FakeEngine
from tests.unit.local.plugins.docker.service_kit import Service


@pytest.fixture
def engine() -> FakeEngine:
    return FakeEngine()


@pytest.fixture
def service(engine: FakeEngine) -> Service:
    return Service(engine)
