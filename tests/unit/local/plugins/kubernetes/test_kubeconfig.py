"""Kubeconfigs: text, files, merging, and what they say about server and user."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from local.errors import InputError
from local.plugins.kubernetes import kubeconfig
from local.plugins.kubernetes.credentials import Authorization
from local.plugins.kubernetes.kubeconfig import Connection


def config(name: str = "one", **user: object) -> dict[str, Any]:
    return {
        "current-context": name,
        "clusters": [{"name": name, "cluster": {"server": f"https://{name}.test"}}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": name, "namespace": "space"}}],
        "users": [{"name": name, "user": user or {"token": "t"}}],
    }


def connection(**user: object) -> Connection:
    return Connection(context="c", namespace="n", cluster={"server": "https://x.test"}, user=user)


@pytest.mark.parametrize("write", [json.dumps, yaml.safe_dump])
def test_a_kubeconfig_is_given_as_text_or_as_a_path(tmp_path: Path, write: Callable[[object], str]) -> None:
    file = tmp_path / "config"
    file.write_text(write(config()))
    for given in (write(config()), str(file)):
        chosen = kubeconfig.select(kubeconfig.load(given))
        assert (chosen.context, chosen.namespace, chosen.cluster["server"]) == ("one", "space", "https://one.test")


def test_arguments_win_over_what_the_file_says() -> None:
    merged = config()
    merged["clusters"].append({"name": "two", "cluster": {"server": "https://two.test"}})
    chosen = kubeconfig.select(merged, cluster="two", namespace="other")
    assert (chosen.namespace, chosen.cluster["server"]) == ("other", "https://two.test")


def test_several_files_of_the_environment_are_merged_and_the_first_wins(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).write_text(json.dumps(config(name)))
    merged = kubeconfig.load("", {"KUBECONFIG": f"{tmp_path}/one:{tmp_path}/two:{tmp_path}/missing"})
    assert kubeconfig.select(merged).context == "one"
    assert kubeconfig.select(merged, context="two").cluster["server"] == "https://two.test"


def test_files_named_inside_are_relative_to_the_kubeconfig(tmp_path: Path) -> None:
    text = config()
    text["clusters"][0]["cluster"]["certificate-authority"] = "ca.crt"
    (tmp_path / "config").write_text(json.dumps(text))
    chosen = kubeconfig.select(kubeconfig.load(str(tmp_path / "config")))
    assert chosen.cluster["certificate-authority"] == str(tmp_path / "ca.crt")


@pytest.mark.parametrize(
    ("given", "message"),
    [("no such file", "neither an existing file nor"), ("{", "not valid YAML"), ("- a", "neither an existing file")],
)
def test_text_that_is_no_kubeconfig_is_refused(given: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        kubeconfig.load(given)


def test_a_missing_kubeconfig_says_where_it_was_looked_for(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=str(tmp_path)):
        kubeconfig.load("", {"KUBECONFIG": str(tmp_path / "none")})


def test_an_unknown_context_is_answered_with_the_known_ones() -> None:
    with pytest.raises(InputError, match=r"(?s)no context 'three'.*it has: one"):
        kubeconfig.select(config(), context="three")


def test_tokens_and_passwords_become_headers(tmp_path: Path) -> None:
    assert Authorization(connection(token="t")).headers() == {"Authorization": "Bearer t"}
    (tmp_path / "token").write_text("from-file\n")
    found = Authorization(connection(tokenFile=str(tmp_path / "token"))).headers()
    assert found == {"Authorization": "Bearer from-file"}
    pair = base64.b64encode(b"u:p").decode()
    assert Authorization(connection(username="u", password="p")).headers() == {"Authorization": f"Basic {pair}"}
    assert Authorization(connection()).headers() == {}


def program(tmp_path: Path, body: str) -> dict[str, object]:
    file = tmp_path / "login"
    file.write_text(f"#!/bin/sh\n{body}\n")
    file.chmod(0o755)
    return {"command": str(file), "env": [{"name": "WHO", "value": "me"}], "apiVersion": "v1"}


def test_a_credential_program_is_asked_once_and_again_when_it_was_refused(tmp_path: Path) -> None:
    body = f"""echo x >> {tmp_path}/calls; echo '{{"status": {{"token": "'$WHO'"}}}}'"""
    auth = Authorization(connection(exec=program(tmp_path, body)))
    assert [auth.headers(), auth.headers()] == [{"Authorization": "Bearer me"}] * 2
    assert (tmp_path / "calls").read_text().count("x") == 1
    auth.headers(renew=True)
    assert (tmp_path / "calls").read_text().count("x") == 2


@pytest.mark.parametrize(("body", "message"), [("echo sorry >&2; exit 1", "sorry"), ("echo '{}'", "gave no token")])
def test_a_credential_program_that_fails_is_named_with_its_words(tmp_path: Path, body: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        Authorization(connection(exec=program(tmp_path, body))).headers()


def test_the_removed_auth_provider_is_refused() -> None:
    with pytest.raises(InputError, match=r"removed from Kubernetes in 1\.26"):
        Authorization(connection(**{"auth-provider": {}}))
