"""What the engine keeps of a stack: marks of secrets, protection, providers, outputs."""

from __future__ import annotations

from typing import Any

import pytest
from omnibase_policies import Finding, check_registrations, evaluate
from omnibase_policies.values import View

_KEY = "4dabf18193072939515e22adb298388d"
_SECRET = "1b47061264138c4ac30d75fd1eb44270"
_OUTPUT = "d0e6a833031e9bbcd3f4e8bde6ca49a4"
LATER = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
URN = "urn:pulumi:prod::orders::{}::orders"


def secret(value: object) -> dict[str, object]:
    return {_KEY: _SECRET, "value": value}


def resource(token: str, **inputs: object) -> dict[str, Any]:
    return {"type": token, "urn": URN.format(token), "inputs": inputs}


def found(rule: str, *resources: dict[str, Any], tier: str = "prod") -> list[Finding]:
    return [each for each in check_registrations(resources, tier=tier) if each.rule == rule]


@pytest.mark.parametrize(
    "value",
    [
        secret("hunter2"),
        secret(LATER),
        {_KEY: _SECRET, "ciphertext": "v1:abc"},
        {_KEY: _OUTPUT, "value": "hunter2", "secret": True},
        {_KEY: _OUTPUT, "value": secret("hunter2")},
        "[secret]",
    ],
)
def test_a_value_is_a_secret_by_its_own_mark_or_by_that_of_what_it_is_in(value: object) -> None:
    view = View({"args": {"a": [value]}, "all": {_KEY: _SECRET, "value": {"a": ["b"]}}, "plain": [1]})
    assert view.at("args", "a").items()[0].is_secret
    assert view.at("all", "a").items()[0].is_secret
    assert not view.at("args", "a").is_secret
    assert not view["plain"].items()[0].is_secret
    assert not view["nothing"]["at"].is_secret


SENSITIVE: list[tuple[str, dict[str, Any], str]] = [
    ("docker:index/container:Container", {"envs": ["ORDERS_PASSWORD=x1"]}, "envs[0]"),
    ("docker:index/container:Container", {"uploads": [{"file": "/run/token", "content": "x1"}]}, "uploads[0].content"),
    ("docker:index/image:Image", {"build": {"args": {"API_TOKEN": "x1"}}}, "build.args.API_TOKEN"),
    ("docker:index/remoteImage:RemoteImage", {"build": {"authConfigs": [{"identityToken": "x1"}]}},
     "build.authConfigs[0].identityToken"),
    ("docker-build:index:Image", {"buildArgs": {"NPM_TOKEN": "x1"}}, "buildArgs.NPM_TOKEN"),
    ("docker-build:index:Image", {"secrets": {"npm": "x1"}}, "secrets.npm"),
    ("docker-build:index:Image", {"registries": [{"password": "x1"}]}, "registries[0].password"),
    ("pulumi:providers:docker", {"keyMaterial": "x1"}, "keyMaterial"),
    ("pulumi:providers:kubernetes", {"kubeconfig": "apiVersion: v1\nkind: Config\n"}, "kubeconfig"),
    ("postgresql:index/role:Role", {"password": "x1"}, "password"),
    ("postgresql:index/server:Server", {"options": {"secret_key": "x1"}}, "options.secret_key"),
    ("postgresql:index/userMapping:UserMapping", {"options": {"password": "x1"}}, "options.password"),
    ("postgresql:index/subscription:Subscription", {"conninfo": "host=db password=x1"}, "conninfo"),
    ("aws:rds/instance:Instance", {"password": "x1"}, "password"),
]  # fmt: skip


@pytest.mark.parametrize("path", ["~/.kube/config", "/etc/kubeconfig", "", LATER])
def test_the_path_of_a_kubeconfig_is_no_secret(path: str) -> None:
    said = found("sensitive-input-is-pulumi-secret", resource("pulumi:providers:kubernetes", kubeconfig=path))
    assert [each for each in said if each.state == "violated"] == []


def _marked(value: object) -> object:
    """The same with each text as a secret."""
    if isinstance(value, dict):
        return {key: _marked(below) for key, below in value.items()}
    return [_marked(each) for each in value] if isinstance(value, list) else secret(value)


@pytest.mark.req("C1.11", "C5.9", "V11")
@pytest.mark.parametrize(("token", "inputs", "path"), SENSITIVE)
def test_an_input_that_holds_a_credential_must_be_marked(token: str, inputs: dict[str, Any], path: str) -> None:
    rule = "sensitive-input-is-pulumi-secret"
    assert [each.path for each in found(rule, resource(token, **inputs))] == [path]
    assert found(rule, resource(token, **{key: _marked(value) for key, value in inputs.items()})) == []


@pytest.mark.req("C1.11", "V11")
def test_an_output_of_a_stack_with_a_readable_credential_is_stopped_at_any_depth() -> None:
    stack = {
        "type": "pulumi:pulumi:Stack",
        "outputs": {
            "adminPassword": "hunter2",
            "broker": {"users": [{"token": "hunter3"}]},
            "url": "postgresql://orders:hunter4@db/orders",
            "masked": secret("hunter5"),
            "tokenFile": "/run/secrets/token",
            "laterPassword": LATER,
        },
    }
    said = found("stack-output-no-plaintext-secret", stack)
    assert [(each.path, each.state) for each in said] == [
        ("adminPassword", "violated"),
        ("broker.users[0].token", "violated"),
        ("laterPassword", "unknown"),
        ("url", "violated"),
    ]
    assert "hunter" not in str(said)


@pytest.mark.req("C1.11", "V11")
def test_an_output_may_be_the_name_of_a_secret_that_the_stack_makes_or_mounts() -> None:
    volumes = [
        {"name": "keys", "secret": {"secretName": "database-ca"}},
        {"name": "more", "projected": {"sources": [{"secret": {"name": "bus-ca"}}]}},
    ]
    names = {"database_secret": "database-app-1a2b3c", "ca_secret": "database-ca", "bus_ca_secret": "bus-ca"}
    said = found(
        "stack-output-no-plaintext-secret",
        resource("kubernetes:core/v1:Secret", kind="Secret", metadata={"name": "database-app-1a2b3c"}),
        resource("kubernetes:core/v1:Pod", kind="Pod", metadata={"name": "orders"}, spec={"volumes": volumes}),
        {"type": "pulumi:pulumi:Stack", "outputs": {**names, "admin_secret": "hunter2"}},
    )
    assert [each.path for each in said] == ["admin_secret"]


@pytest.mark.parametrize(
    ("token", "inputs", "name", "said"),
    [
        ("random:index/randomPassword:RandomPassword", {"length": 8, "keepers": {"rotation": "1"}}, "x", ["length"]),
        ("random:index/randomPassword:RandomPassword", {"length": 32, "keepers": {}}, "x", ["keepers"]),
        ("random:index/randomPassword:RandomPassword", {"length": 32.0, "keepers": {"rotation": "1"}}, "x", []),
        ("random:index/randomString:RandomString", {"length": 32}, "x", ["length"]),
        ("random:index/randomString:RandomString", {"length": 6}, "database-password", ["length"]),
        ("random:index/randomString:RandomString", {"length": 6}, "suffix", []),
    ],
)
def test_random_secrets_are_long_hidden_and_renewable(
    token: str, inputs: dict[str, Any], name: str, said: list[str]
) -> None:
    made = {"type": token, "name": name, "inputs": inputs}
    assert [each.path for each in found("random-secret-rotatable", made)] == said


def _claim(**registered: object) -> dict[str, Any]:
    token = "kubernetes:core/v1:PersistentVolumeClaim"
    return {**resource(token, kind="PersistentVolumeClaim", metadata={"name": "a", "namespace": "b"}), **registered}


@pytest.mark.req("V22")
def test_what_holds_data_must_be_protected_and_in_prod_this_stops() -> None:
    rule = "protect-stateful"
    assert [each.level for each in found(rule, _claim())] == ["mandatory"]
    assert [each.level for each in found(rule, _claim(), tier="staging")] == ["advisory"]
    assert found(rule, _claim(protect=True)) == []
    stateful = resource("kubernetes:apps/v1:StatefulSet", kind="StatefulSet", spec={"volumeClaimTemplates": [{}]})
    bare = resource("kubernetes:apps/v1:StatefulSet", kind="StatefulSet", spec={})
    cluster = resource("kubernetes:postgresql.cnpg.io/v1:Cluster", apiVersion="postgresql.cnpg.io/v1", kind="Cluster")
    database = resource("postgresql:index/database:Database", name="orders")
    assert [each.object_index for each in found(rule, stateful, bare, cluster, database)] == [0, 2, 3]


def test_of_a_plain_manifest_nobody_knows_whether_it_is_protected() -> None:
    manifest = _claim()["inputs"]
    assert "protect-stateful" not in [each.rule for each in evaluate([manifest], tier="prod")]


def test_a_default_provider_is_spoken_of_once() -> None:
    default = "urn:pulumi:prod::orders::pulumi:providers:kubernetes::default_4_34_2::0f"
    own = "urn:pulumi:prod::orders::pulumi:providers:kubernetes::cluster::0f"
    said = found("explicit-provider", _claim(provider=own), _claim(provider=default), _claim(provider=default))
    assert [each.object_index for each in said] == [1]
