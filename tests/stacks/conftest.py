"""Stacks that one worker recorded are there for the others."""

from tests.stacks.support.shared import shared_between_workers

__all__ = ["shared_between_workers"]
