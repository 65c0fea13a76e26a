"""What a program sets in its interpreter to be done sooner, and how to have it otherwise."""

from __future__ import annotations

import asyncio
import atexit
import gc
import inspect
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pulumi
import pytest
from omnibase_infra.objects import child
from omnibase_infra.plain_values import restore_conversions, serialize_property
from omnibase_infra.program import DEBUG_VARIABLE, begin_requests, save_time
from pulumi.runtime import resource as registering
from pulumi.runtime import rpc
from pulumi.runtime import stack as running

from tests.stacks.support import recorder
from tests.stacks.support.recorder import record

DEBUG, STACK, THRESHOLD = pulumi.log.debug, registering._get_stack_trace, gc.get_threshold()


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    yield
    pulumi.log.debug, registering._get_stack_trace = DEBUG, STACK
    restore_conversions()
    gc.set_threshold(*THRESHOLD)
    atexit.unregister(gc.freeze)


async def nothing() -> None:
    pass


def test_the_sdk_sends_no_debug_messages_and_can_still_be_called_as_before() -> None:
    save_time({})

    assert pulumi.log.debug is not DEBUG
    assert rpc.serialize_property is serialize_property
    assert list(inspect.signature(pulumi.log.debug).parameters) == list(inspect.signature(DEBUG).parameters)
    pulumi.log.debug("text", stream_id=1, ephemeral=True)


def test_a_registration_carries_no_line_numbers_which_would_make_every_edit_a_change_of_the_state() -> None:
    def program() -> None:
        child(pulumi.ComponentResource("t:index:T", "t"), "c", {"apiVersion": "v1", "kind": "Service", "metadata": {}})

    _, before = record(program, as_sdk=True).requests[-1]
    save_time({})
    _, after = record(program, as_sdk=True).requests[-1]

    assert before.stackTrace.frames
    assert not after.stackTrace.frames
    assert not after.HasField("sourcePosition")


def test_whoever_looks_for_a_fault_of_the_sdk_still_gets_its_messages_and_its_own_conversions() -> None:
    restore_conversions()
    own = rpc.serialize_property

    save_time({DEBUG_VARIABLE: "1"})
    assert rpc.serialize_property is own

    assert pulumi.log.debug is DEBUG
    assert registering._get_stack_trace is STACK


def test_a_value_that_fails_still_ends_the_program() -> None:
    def refuse(_: object) -> None:
        raise ValueError("refused on purpose")

    def program() -> None:
        made = child(pulumi.ComponentResource("t:index:T", "t"), "c", {"apiVersion": "v1", "kind": "S", "metadata": {}})
        made.urn.apply(refuse)

    save_time({})

    with pytest.raises(ValueError, match="refused on purpose"):
        record(program)


def test_garbage_is_looked_for_rarely_but_is() -> None:
    save_time({})

    assert gc.isenabled()
    assert gc.get_threshold()[0] >= 10_000


@pytest.mark.parametrize(("prepare", "said"), [("", "collected\n"), ("save_time({})", "")])
def test_a_process_that_ends_does_not_look_for_garbage_once_more(prepare: str, said: str) -> None:
    code = f"""
from omnibase_infra.program import save_time

class Ring:
    def __init__(self):
        self.next = self

    def __del__(self):
        print("collected")

{prepare}
Ring()
"""
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout == said


@pytest.mark.parametrize(("begin", "least", "most"), [(begin_requests, 0, 1_000), (None, 3_000, 10_000)])
def test_the_end_of_a_program_does_not_count_all_outputs_again_for_each_that_is_there(
    monkeypatch: pytest.MonkeyPatch, begin: Callable[[], Awaitable[None]] | None, least: int, most: int
) -> None:
    """The second case is the SDK alone: should it wait otherwise one day, `begin_requests` can go."""
    looked_at: list[int] = []

    async def wait(outputs: Any, **options: Any) -> Any:  # noqa: ANN401 - the SDK's
        looked_at.append(len(outputs))
        return await asyncio.wait(outputs, **options)

    def program() -> None:
        parent = pulumi.ComponentResource("t:index:T", "t")
        for number in range(100):
            child(parent, f"c{number}", {"apiVersion": "v1", "kind": "Service", "metadata": {}})

    monkeypatch.setattr(running, "asyncio", SimpleNamespace(**{**vars(asyncio), "wait": wait}))
    monkeypatch.setattr(recorder, "begin_requests", begin or nothing)
    assert len(record(program).requests) == 102  # with the stack and the parent
    assert least <= sum(looked_at) <= most
