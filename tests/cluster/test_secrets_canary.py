"""A generated and an imported value are looked for everywhere that the engine writes to: only the Secret holds them."""

from __future__ import annotations

import base64
import json
import re
import subprocess
import urllib.parse
from collections.abc import Iterator

import pytest

from tests.cluster.kubernetes_plugin_kit import Stack

IMPORTED = 'canary "7d1e5b0c94a2f683" ümlaut'

_PROGRAM = """
    from omnibase_infra import SecretSet

    here = k8s.core.v1.Namespace("here", metadata={"name": space})
    made = SecretSet(
        "own",
        {
            "namespace": space,
            "environment": "test",
            "entries": {
                "generated": {"source": "generated", "generation": GENERATION, "overlap": True},
                "imported": {"source": "imported", "value": pulumi.Config().require_secret("canary")},
            },
            "consumers": {"web": {"keys": ["generated", "imported"]}, "job": {"keys": ["generated"]}},
        },
        pulumi.ResourceOptions(depends_on=[here]),
    )
    k8s.core.v1.ConfigMap("follower", metadata={"namespace": space}, data={"secret": made.secret("web")})
    pulumi.export("secrets", made.secrets)
    pulumi.export("value", made.value("imported"))
"""
_FAILING = """
    # the API server refuses it, after the Secret that it waits for was made
    refused = {"data": {"refused on purpose": made.secret("web")}}
    k8s.core.v1.ConfigMap("refused", metadata={"namespace": space}, **refused)
"""
_LEAKING = """
    value = pulumi.Config().require_secret("canary")
    value.apply(lambda text: pulumi.log.info(f"the value is {text}"))
    pulumi.export("leaked", pulumi.Output.unsecret(value))
"""


def forms(value: str) -> Iterator[str]:
    """How a value can look: plain, base64 at three alignments, hex, in a URL, in JSON, reversed, halves."""
    raw = value.encode()
    yield value
    for shift in range(3):
        text = base64.b64encode(b"\0" * shift + raw).decode()
        yield text[4 * (shift > 0) : -4]
    yield raw.hex()
    yield urllib.parse.quote(value)
    yield json.dumps(value)[1:-1]
    yield value[::-1]
    yield value[: len(value) // 2]
    yield value[len(value) // 2 :]


def leaks(value: str, texts: dict[str, str]) -> set[str]:
    """Names of the texts in which a value can be read in any form."""
    return {name for name, text in texts.items() if any(form in text for form in forms(value))}


def configure(stack: Stack, value: str) -> None:
    engine = stack.checkout.engine()
    engine.select_or_create()
    command = [str(stack.checkout.paths.bin / "pulumi"), "config", "set", "--stack", "dev", "--secret", "canary", value]
    subprocess.run(command, cwd=stack.checkout.root, env=engine.env, check=True, capture_output=True)


def everything_written(stack: Stack, shown: dict[str, str]) -> dict[str, str]:
    """What commands printed, the exported state, and every file of engine, project and machine state."""
    texts = {**shown, "export": json.dumps(stack.checkout.engine().export())}
    for directory in (stack.checkout.root, stack.checkout.paths.state):
        for file in directory.rglob("*"):
            if file.is_file() and not file.is_symlink():
                texts[str(file)] = file.read_bytes().decode("utf-8", "replace")
    return texts


def run_all(stack: Stack) -> dict[str, str]:
    return {
        "preview": stack.run("preview", "--diff"),
        "preview as JSON": stack.run("preview", "--json"),
        "up": stack.run("up", "--diff", "--show-config"),
        "refresh": stack.run("refresh", "--diff"),
        # from 8 on the engine's trace writes every message to and from plugins in full: docs/architecture/secrets.md
        "debug log": stack.run("preview", "--diff", "-v=7", "--logtostderr"),
    }


def data(stack: Stack, name: str) -> dict[str, str]:
    found = stack.get("v1", "Secret", name)["data"]
    return {key: base64.b64decode(text).decode() for key, text in found.items()}


@pytest.mark.req("C1.4")
def test_a_secret_is_readable_in_its_consumers_object_only(stack: Stack) -> None:
    configure(stack, IMPORTED)
    stack.program(_PROGRAM.replace("GENERATION", "1"))
    shown = run_all(stack)
    names = stack.outputs()["secrets"]
    web, job = data(stack, names["web"]), data(stack, names["job"])
    assert web["imported"] == IMPORTED
    assert sorted(job) == ["generated"]
    assert job["generated"] == web["generated"]

    objects = stack.kubectl("get", "configmaps,events,serviceaccounts", "-o", "yaml")
    texts = {**everything_written(stack, shown), "other objects": objects}
    assert leaks(IMPORTED, texts) == set()
    assert leaks(web["generated"], texts) == set()
    metadata = json.dumps(stack.get("v1", "Secret", names["web"])["metadata"])
    assert leaks(IMPORTED, {"metadata": metadata}) == set(), "annotations and managed fields show no values"
    stack.run("destroy")


def test_the_search_finds_a_program_that_leaks_on_purpose(stack: Stack) -> None:
    configure(stack, IMPORTED)
    stack.program(_LEAKING)
    found = leaks(IMPORTED, everything_written(stack, {"up": stack.run("up")}))
    # What a program logs the engine masks by itself, as it knows the settings that are secret.
    assert "export" in found


@pytest.mark.req("C5.5")
def test_a_rotated_secret_is_a_new_object_that_users_move_to_before_the_old_one_goes(stack: Stack) -> None:
    configure(stack, IMPORTED)
    stack.program(_PROGRAM.replace("GENERATION", "1"))
    stack.run("up")
    stack.run("preview", "--expect-no-changes")
    old = stack.outputs()["secrets"]["web"]
    before = data(stack, old)["generated"]

    stack.program(_PROGRAM.replace("GENERATION", "2"))
    stack.run("preview", "--diff")
    said = stack.run("up")
    new = stack.outputs()["secrets"]["web"]
    found = data(stack, new)
    assert found["generated.previous"] == before
    assert found["generated"] != before
    patterns = (r"own-web-\w+ created", r"follower created replacement", r"own-web-\w+ deleted")
    places = [found.start() for found in (re.search(pattern, said) for pattern in patterns) if found]
    assert len(places) == len(patterns), said
    assert places == sorted(places), said
    assert stack.cluster.get("v1", "Secret", stack.namespace, old) is None
    stack.run("preview", "--expect-no-changes")
    stack.run("destroy")


@pytest.mark.req("R24")
@pytest.mark.parametrize("change", ["generation", "import"])
def test_a_change_that_is_taken_back_after_a_failed_update_gives_the_consumers_what_they_had(
    stack: Stack, change: str
) -> None:
    """As after a canary that was refused: the new Secret exists, and the old one was not deleted."""

    def values() -> dict[str, str]:
        return data(stack, stack.outputs()["secrets"]["web"])

    configure(stack, IMPORTED)
    stack.program(_PROGRAM.replace("GENERATION", "1"))
    stack.run("up")
    before = values()

    if change == "import":
        configure(stack, "another value, 8c0d")
    stack.program(_PROGRAM.replace("GENERATION", "2" if change == "generation" else "1") + _FAILING)
    assert "refused on purpose" in stack.run("up", code=None)

    configure(stack, IMPORTED)
    stack.program(_PROGRAM.replace("GENERATION", "1"))
    stack.run("up")
    assert values() == before
    stack.run("preview", "--expect-no-changes")
    stack.run("destroy")


def test_a_secret_deleted_by_hand_is_shown_as_drift_and_comes_back_the_same(stack: Stack) -> None:
    configure(stack, IMPORTED)
    stack.program(_PROGRAM.replace("GENERATION", "1"))
    stack.run("up")
    name = stack.outputs()["secrets"]["web"]
    before = data(stack, name)
    stack.kubectl("delete", "secret", name)

    stack.run("refresh", "--expect-no-changes", code=7)
    stack.run("up")
    assert stack.outputs()["secrets"]["web"] == name
    assert data(stack, name) == before
    stack.run("destroy")


def test_a_changed_import_reaches_its_consumers_and_an_empty_one_stops_the_update(stack: Stack) -> None:
    configure(stack, IMPORTED)
    stack.program(_PROGRAM.replace("GENERATION", "1"))
    stack.run("up")
    names = stack.outputs()["secrets"]
    configure(stack, "another value, 8c0d")
    stack.run("up")
    after = stack.outputs()["secrets"]
    assert data(stack, after["web"])["imported"] == "another value, 8c0d"
    assert after["job"] == names["job"], "a consumer without the changed key stays where it is"

    configure(stack, "  ")
    assert "entry 'imported': the imported value is empty" in stack.run("preview", code=None)
    assert data(stack, after["web"])["imported"] == "another value, 8c0d"
    configure(stack, IMPORTED)
    stack.run("destroy")
