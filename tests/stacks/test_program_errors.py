"""The program refuses bad input with one message, before anything of ours is registered."""

from __future__ import annotations

import pulumi
import pytest

from tests.stacks.support import stacks

SHOWN = 32


def refused(monkeypatch: pytest.MonkeyPatch, stack: str, **environ: str) -> str:
    messages: list[str] = []
    monkeypatch.setattr(pulumi.log, "error", lambda text, *_: messages.append(text))
    made: list[str] = []
    monkeypatch.setattr("omnibase_infra.program._register", lambda args: made.append(args.stack))
    with pytest.raises(SystemExit) as ended:
        stacks.record_stack(stack, environ)
    assert ended.value.code == SHOWN
    assert made == []
    (message,) = messages
    return message


@pytest.mark.req("C1.3")
def test_wrong_settings_are_one_message_and_register_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    changes = {"OMNIBASE__QUOTA__PODS": "1", "OMNIBASE__POSTGRES__INSTANCS": "3"}
    message = refused(monkeypatch, "dev", **changes)
    assert "have 2 problems" in message
    assert "OMNIBASE__QUOTA__PODS: quota.pods = 1" in message
    assert "did you mean 'instances'?" in message


def test_an_up_without_built_images_says_how_to_build_them(monkeypatch: pytest.MonkeyPatch) -> None:
    message = refused(monkeypatch, "dev", OMNIBASE_IMAGES_LOCK="/nonexistent/lock.json")
    assert "run `make up`, which builds the images" in message


def test_missing_third_party_manifests_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "OMNIBASE_VENDOR_DIR is not set" in refused(monkeypatch, "dev", OMNIBASE_VENDOR_DIR="")


def test_an_image_of_another_major_version_than_declared_is_not_deployed_in_silence(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    message = refused(monkeypatch, "dev", OMNIBASE__POSTGRES__VERSION="18")
    assert "postgres.version is 18, this machine built 127.0.0.1:5000/omnibase/postgres:17.0-unbuilt" in message
    assert "run `make up`, which builds it" in message
