"""The command line: exit codes, and one message with a remedy whatever goes wrong."""

from __future__ import annotations

import errno
from collections.abc import Callable

import pytest

from local import cli, lint, machine
from local.errors import InputError, LockedError, MachineError


def _raising(error: BaseException) -> Callable[..., int]:
    def call(*_arguments: object, **_options: object) -> int:
        raise error

    return call


def test_the_code_of_a_check_is_the_code_of_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    for code in (0, 1):
        monkeypatch.setattr(lint, "run", lambda *_arguments, code=code: code)
        assert cli.run(["lint"]) == code
    monkeypatch.setattr(machine, "status", lambda *_arguments, **_options: 1)
    assert cli.run(["status"]) == 1


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (InputError("wrong", hint="mend"), 2),
        (LockedError("held", hint="wait"), 3),
        (MachineError("poor", hint="buy"), 4),
    ],
)
def test_a_fault_of_the_operators_is_one_message_with_a_remedy(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], error: InputError, code: int
) -> None:
    monkeypatch.setattr(machine, "up", _raising(error))
    assert cli.run(["up"]) == code
    assert capsys.readouterr().err == f"error: {error.message}\n  -> {error.hint}\n"


def test_brackets_in_a_message_are_shown_as_they_are(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(machine, "up", _raising(InputError("the log ends with [core] and [/foo]")))
    assert cli.run(["up"]) == 2
    assert "[core] and [/foo]" in capsys.readouterr().err


def test_ctrl_c_is_said_and_has_the_code_of_a_shell(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(machine, "up", _raising(KeyboardInterrupt()))
    assert cli.run(["up"]) == 130
    assert "run the same command again" in capsys.readouterr().err


def test_a_full_disk_is_one_message(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(machine, "up", _raising(OSError(errno.ENOSPC, "No space left on device", "/state/x")))
    assert cli.run(["up"]) == 1
    assert capsys.readouterr().err.startswith("error: /state/x: No space left on device\n  -> make room")


@pytest.mark.parametrize("arguments", [["up", "--stack"], ["up", "--unknown"], ["nothing"]])
def test_a_misspelt_command_is_bad_input(capsys: pytest.CaptureFixture[str], arguments: list[str]) -> None:
    assert cli.run(arguments) == 2
    assert "Traceback" not in capsys.readouterr().err


def test_an_unknown_stack_names_the_nearest_before_anything_happens(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["up", "--stack", "stagin"]) == 2
    assert "did you mean STACK=staging?" in capsys.readouterr().err
