"""What the engine keeps of a stack: which values it encrypts, what it protects, through which provider it works."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from omnibase_policies.checks import at_least, required
from omnibase_policies.credentials import is_credential, is_literal, names_credential
from omnibase_policies.model import (
    Level,
    Problem,
    Severity,
    resource_rule,
    stack_rule,
    undecided,
    violated,
)
from omnibase_policies.objects import Object
from omnibase_policies.parameters import Parameters
from omnibase_policies.values import View

_ALWAYS: Mapping[str, tuple[str, ...]] = {
    "AwsRdsCluster": ("masterPassword",),
    "AwsRdsInstance": ("password",),
    "DockerBuildImage": ("registries.*.password", "secrets.*"),
    "DockerImage": ("registry.password",),
    "DockerProvider": ("keyMaterial", "registryAuth.*.password"),
    "DockerRegistryImage": ("authConfig.password", "build.authConfigs.*.password", "build.authConfigs.*.identityToken"),
    "DockerRemoteImage": ("build.authConfigs.*.password", "build.authConfigs.*.identityToken"),
    "GcpSqlInstance": ("rootPassword",),
    "PostgresqlProvider": ("password",),
    "PostgresqlRole": ("password", "passwordWo"),
}
"""Inputs that are secrets whatever they hold; `*` is each entry of a list or mapping."""
_BY_NAME: Mapping[str, tuple[str, ...]] = {
    "DockerBuildImage": ("buildArgs",),
    "DockerImage": ("build.args",),
    "DockerRemoteImage": ("build.buildArg", "build.buildArgs"),
    "PostgresqlServer": ("options",),
    "PostgresqlUserMapping": ("options",),
}
"""Mappings some of whose values are secrets, as their names say."""
_MARKED = "must be marked as a secret"
_SHORTEST = 24
_SHORTEST_SECRET = 16


@resource_rule(
    "sensitive-input-is-pulumi-secret",
    "What is secret is marked as a secret",
    severity=Severity.CRITICAL,
    frameworks=("pulumi/pulumi-policy 241",),
    rationale="What is not marked stands in the stack's state, in its history and in each diff as plain text.",
    remedy="Wrap it with `pulumi.Output.secret`, or read it with `config.require_secret`.",
    bad={"kind": "PostgresqlUserMapping", "options": {"user": "orders", "password": "hunter2"}},
    good={"kind": "PostgresqlUserMapping", "options": {"user": "orders"}},
)
def sensitive_input_is_pulumi_secret(found: Object, parameters: Parameters) -> Iterator[Problem]:
    """Inputs that hold credentials, which their provider's schema does not all mark, carry the mark."""
    yield from _unmarked(found, _sensitive(found))


def _unmarked(found: Object, views: Iterable[View]) -> Iterator[Problem]:
    """Those that nobody marked; none where the marks are not known."""
    if found.registered is not None and not found.registered.keeps_marks:
        return
    for view in views:
        if view.is_secret:
            continue
        if view.is_unknown:
            yield undecided(view, _MARKED)
        elif is_literal(view.text()):
            yield violated(view, _MARKED)


def _sensitive(found: Object) -> Iterator[View]:
    for path in _ALWAYS.get(found.kind, ()):
        yield from _at(found.view, path.split("."))
    for path in _BY_NAME.get(found.kind, ()):
        for place in _at(found.view, path.split(".")):
            unknown = [place] if place.is_unknown else []
            yield from (*unknown, *(value for name, value in place.fields() if names_credential(name)))
    if found.kind == "DockerContainer":
        yield from (each for each in found.view["envs"].items() if names_credential(each.text().partition("=")[0]))
        yield from (each["content"] for each in found.view["uploads"].items() if _holds_credential(each))
    if found.kind == "KubernetesProvider" and any(sign in found.view["kubeconfig"].text() for sign in "\n{"):
        yield found.view["kubeconfig"]  # else it is the path of one
    if found.kind == "PostgresqlSubscription" and "password=" in found.view["conninfo"].text():
        yield found.view["conninfo"]


def _at(view: View, keys: Sequence[str]) -> Iterator[View]:
    if not keys:
        yield view
    elif keys[0] != "*":
        yield from _at(view[keys[0]], keys[1:])
    else:
        for each in (*view.items(), *(value for _, value in view.fields())):
            yield from _at(each, keys[1:])


def _holds_credential(upload: View) -> bool:
    name = upload["file"].text().rpartition("/")[2]
    return names_credential(name.partition(".")[0]) or is_credential(upload["content"].text())


@resource_rule(
    "random-secret-rotatable",
    "Random secrets are long, hidden and can be renewed",
    severity=Severity.MEDIUM,
    level=Level.ADVISORY,
    rationale="A RandomString is plain text in the state; a password without keepers stays until somebody deletes it.",
    remedy="Use RandomPassword with `length` 24 or more and `keepers`, one of which a rotation changes.",
    bad={"kind": "RandomPassword", "keepers": None},
    good={"kind": "RandomPassword", "keepers": {"rotation": "2"}},
)
def random_secret_rotatable(found: Object, parameters: Parameters) -> Iterator[Problem]:
    """RandomPassword has keepers and a length of 24; no RandomString is as long, or named, as a secret is."""
    if found.kind == "RandomPassword":
        yield from required(found.view["length"], at_least(_SHORTEST), f"should be {_SHORTEST} or more")
        yield from required(found.view["keepers"], lambda value: value != {}, "should name what renews it")
    elif found.kind == "RandomString":
        named = found.registered is not None and names_credential(found.registered.name)
        if named or at_least(_SHORTEST_SECRET)(found.view["length"].value):
            yield violated(found.view["length"], "should be a RandomPassword, which is kept as a secret")


@stack_rule(
    "stack-output-no-plaintext-secret",
    "No output of a stack is a secret in plain text",
    severity=Severity.CRITICAL,
    rationale="Outputs are printed at the end of each update, and every stack that refers to this one reads them.",
    remedy="Wrap the output with `pulumi.Output.secret`, or export the name of the Secret instead.",
)
def stack_output_no_plaintext_secret(
    objects: Sequence[Object], parameters: Parameters
) -> Iterator[tuple[Object, Problem]]:
    """No output that is not marked has the name or the form of a credential, at any depth; names of Secrets may."""
    stacks = [found for found in objects if found.kind == "PulumiStack"]
    names = frozenset(_names_of_secrets(objects)) if stacks else frozenset()
    for found in stacks:
        if found.registered is None or found.registered.keeps_marks:
            for problem in _readable("", found.view, names, set()):
                yield found, problem


def _names_of_secrets(objects: Sequence[Object]) -> Iterator[str]:
    """Of those that the stack makes, and of those that its pods mount, which an operator may have made."""
    for found in objects:
        if found.kind == "Secret":
            yield found.name
        for pod in found.pods:
            for volume in pod.spec["volumes"].items():
                yield volume.at("secret", "secretName").text()
                yield from (each.at("secret", "name").text() for each in volume.at("projected", "sources").items())


_STATED = "must be marked as a secret, or not be an output"


def _readable(name: str, view: View, names: frozenset[str], seen: set[int]) -> Iterator[Problem]:
    """Texts that are credentials by their form or by the name of what they are in; each value once."""
    if view.is_secret or id(view.value) in seen:
        return
    if view.is_unknown:
        if names_credential(name):
            yield undecided(view, _STATED)
        return
    text = view.text()
    if is_credential(text) or (names_credential(name) and is_literal(text) and text not in names):
        yield violated(view, _STATED)
    if isinstance(view.value, list | Mapping):
        seen.add(id(view.value))
    for each in view.items():
        yield from _readable(name, each, names, seen)
    for key, value in view.fields():
        yield from _readable(key, value, names, seen)


_STATEFUL = frozenset(
    {
        "AwsBucket", "AwsMskCluster", "AwsRdsCluster", "AwsRdsInstance", "GcpBucket", "GcpSqlInstance",
        "PersistentVolumeClaim", "PostgresqlDatabase",
    }
)  # fmt: skip
_OF_OPERATORS = frozenset({("postgresql.cnpg.io", "Cluster"), ("postgresql.cnpg.io", "Database")})


@stack_rule(
    "protect-stateful",
    "What holds data is protected from deletion",
    severity=Severity.HIGH,
    only_in_prod=True,
    frameworks=("users V22",),
    rationale="A renamed resource, or a wrong stack in the terminal, deletes the data with it.",
    remedy="Set `opts=pulumi.ResourceOptions(protect=True)`; our components take `protect`.",
)
def protect_stateful(objects: Sequence[Object], parameters: Parameters) -> Iterator[tuple[Object, Problem]]:
    """Claims, stateful sets with claims, databases and buckets are protected, where the engine says what is."""
    for found in objects:
        if found.registered is not None and found.registered.protect is False and _holds_data(found):
            yield found, violated(found.view, "must be protected")


def _holds_data(found: Object) -> bool:
    if found.kind == "StatefulSet":
        return bool(found.view.at("spec", "volumeClaimTemplates").items())
    return found.kind in _STATEFUL or (found.group, found.kind) in _OF_OPERATORS


_WITHOUT_PROVIDER = frozenset({"PulumiStack", "RandomPassword", "RandomString"})


@stack_rule(
    "explicit-provider",
    "Resources name their provider",
    severity=Severity.MEDIUM,
    level=Level.ADVISORY,
    rationale="The default provider takes whatever cluster or engine the shell points to at that moment.",
    remedy="Make a provider, with its kubeconfig or host as a secret, and pass it as `opts.provider`.",
)
def explicit_provider(objects: Sequence[Object], parameters: Parameters) -> Iterator[tuple[Object, Problem]]:
    """No resource uses a default provider; each such provider is spoken of once, at its first resource."""
    said: set[str] = set()
    for found in objects:
        provider = found.registered.provider if found.registered is not None else ""
        if provider.startswith("default") and found.kind not in _WITHOUT_PROVIDER and provider not in said:
            said.add(provider)
            yield found, violated(found.view, "should have a provider of the program's own")
