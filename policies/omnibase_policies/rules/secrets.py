"""Passwords, keys and tokens: where they must not stand, and how a program is given them."""

from __future__ import annotations

from collections.abc import Iterator

from omnibase_policies.checks import at_most, if_set
from omnibase_policies.credentials import (
    is_credential,
    is_literal,
    is_placeholder,
    is_random,
    names_credential,
    option,
)
from omnibase_policies.model import Level, Problem, Severity, missing, object_rule, pod_rule, undecided, violated
from omnibase_policies.objects import Object, Pod
from omnibase_policies.parameters import Parameters
from omnibase_policies.texts import as_text
from omnibase_policies.values import View

_TOKEN = "kubernetes.io/service-account-token"  # noqa: S105 - the name of a type
_DAY = 86400
_LITERAL = "must not be a credential as plain text"
_ENV = "spec.containers.0.env"


@pod_rule(
    "no-plaintext-secret-in-env-args",
    "No credential as plain text in a pod",
    severity=Severity.CRITICAL,
    frameworks=("CIS Docker 4.10", "OWASP K03", "kubescape C-0012", "Polaris sensitiveContainerEnvVar", "NSA"),
    rationale="Everybody who may read pods, and every copy of the manifest, has it.",
    remedy="Put it into a Secret and mount that as a file; give the program the file's path.",
    bad={_ENV: [{"name": "DATABASE_PASSWORD", "value": "hunter2"}]},
    good={_ENV: [{"name": "DATABASE_PASSWORD_FILE", "value": "/run/secrets/password"}]},
)
def no_plaintext_secret_in_env_args(pod: Pod, parameters: Parameters) -> Iterator[Problem]:
    """No variable and no word of a command is a credential, by its name or by its form."""
    for container in pod.containers:
        for variable in container["env"].items():
            yield from _plain(variable["value"], variable["name"])
        for list_name in ("command", "args"):
            yield from _words(container[list_name].items())


def _plain(value: View, name: View) -> Iterator[Problem]:
    """A value under a name; a value that only the update makes is judged by its name."""
    if (value.is_unknown and names_credential(name.text())) or (name.is_unknown and not value.is_absent):
        yield undecided(value, _LITERAL)
    elif is_credential(value.text()) or (names_credential(name.text()) and is_literal(value.text())):
        yield violated(value, _LITERAL)


def _words(words: list[View]) -> Iterator[Problem]:
    for word, following in zip(words, [*words[1:], None], strict=False):
        name, value = option(word.text())
        if word.is_unknown:
            yield undecided(word, _LITERAL)
        elif is_credential(word.text()) or (names_credential(name) and value and is_literal(value)):
            yield violated(word, _LITERAL)
        elif names_credential(name) and following is not None and _is_value(following):
            yield violated(following, _LITERAL)


def _is_value(word: View) -> bool:
    return not word.text().startswith("-") and is_literal(word.text())


@pod_rule(
    "no-default-credential",
    "No password that everybody tries first",
    severity=Severity.CRITICAL,
    frameworks=("OWASP K03", "CWE-1392"),
    rationale="changeme, admin and the like are in every list that is tried on every open port.",
    remedy="Make a random one, for example with RandomPassword, and keep it in a Secret.",
    bad={_ENV: [{"name": "DATABASE_PASSWORD", "value": "changeme"}]},
    good={_ENV: [{"name": "LOG_LEVEL", "value": "default"}]},
)
def no_default_credential(pod: Pod, parameters: Parameters) -> Iterator[Problem]:
    """No variable of a credential's name has a well-known value; one that the update makes has none."""
    for container in pod.containers:
        for variable in container["env"].items():
            value, name = variable["value"], variable["name"]
            if names_credential(name.text()) and is_placeholder(value.text()):
                yield violated(value, "must not be a well-known password")


@pod_rule(
    "secret-as-file-not-env",
    "Secrets are files, not variables",
    severity=Severity.MEDIUM,
    level=Level.ADVISORY,
    frameworks=("CIS Kubernetes 5.4.1", "Kyverno disallow-secrets-from-env-vars", "kubescape C-0207"),
    rationale="Variables are in crash reports, in child processes and in what the runtime shows; files can be renewed.",
    remedy="Mount the Secret as a volume and read the file.",
    bad={_ENV: [{"name": "PASSWORD", "valueFrom": {"secretKeyRef": {"name": "orders", "key": "password"}}}]},
    good={"spec.volumes": [{"name": "secrets", "secret": {"secretName": "orders"}}]},
)
def secret_as_file_not_env(pod: Pod, parameters: Parameters) -> Iterator[Problem]:
    """No variable comes from a Secret."""
    for container in pod.containers:
        references = [variable.at("valueFrom", "secretKeyRef") for variable in container["env"].items()]
        references += [source["secretRef"] for source in container["envFrom"].items()]
        for reference in references:
            yield from if_set(reference, lambda value: False, "should be a mounted file")


@object_rule(
    "configmap-no-secret",
    "No credential in a ConfigMap",
    kinds=("ConfigMap",),
    severity=Severity.CRITICAL,
    frameworks=("Polaris sensitiveConfigmapContent", "Trivy KSV-0109", "kubescape C-0012"),
    rationale="ConfigMaps are read by everybody, stored as plain text and shown in every diff.",
    remedy="Put it into a Secret.",
    bad={"kind": "ConfigMap", "data.DATABASE_PASSWORD": "hunter2"},
    good={"kind": "ConfigMap", "data.DATABASE_PASSWORD_FILE": "/run/secrets/password"},
)
def configmap_no_secret(found: Object, parameters: Parameters) -> Iterator[Problem]:
    """No key of a credential's name with a value, and no value of a credential's form."""
    if found.view["data"].is_unknown:
        yield undecided(found.view["data"], _LITERAL)
    for name, value in found.view["data"].fields():
        if value.is_unknown and _is_key(name):
            yield undecided(value, _LITERAL)
        elif is_credential(value.text()) or (_is_key(name) and is_literal(value.text())):
            yield violated(value, _LITERAL)


def _is_key(name: str) -> bool:
    """Keys with an ending are names of files, for example `tokens.yaml`, which hold other things too."""
    return names_credential(name) and "." not in name


@object_rule(
    "no-secret-in-metadata",
    "No credential in labels and annotations",
    severity=Severity.HIGH,
    frameworks=("OWASP K03",),
    rationale="Labels and annotations are copied into metrics, events and logs.",
    remedy="Put it into a Secret.",
    bad={"metadata.annotations.example.org/token": "glpat-AAAAAAAAAAAAAAAAAAAA"},
    good={"metadata.annotations.example.org/token-rotation": "2026-11-26"},
)
def no_secret_in_metadata(found: Object, parameters: Parameters) -> Iterator[Problem]:
    """No value of a label or annotation has a credential's form."""
    metadata = [found.metadata, *(pod.template["metadata"] for pod in found.pods if found.kind != "Pod")]
    for each in metadata:
        for place in ("labels", "annotations"):
            for _, value in each[place].fields():
                message = "must not be a credential"
                yield from if_set(value, lambda text: not is_credential(as_text(text)), message)


@object_rule(
    "no-sa-token-secret",
    "No token that lives for ever",
    kinds=("Secret", "ServiceAccount"),
    severity=Severity.HIGH,
    frameworks=("Kyverno deny-secret-service-account-token-type, check-serviceaccount-secrets", "CIS Kubernetes 5.1.6"),
    rationale="A Secret of this type is a key of the API server without an end, for whoever finds it.",
    remedy="Mount a projected token with `expirationSeconds`; remove `secrets` from the ServiceAccount.",
    bad={"kind": "Secret", "type": _TOKEN},
    good={"kind": "Secret", "type": "Opaque"},
)
def no_sa_token_secret(found: Object, parameters: Parameters) -> Iterator[Problem]:
    """No Secret is a service account's token, and no account lists one."""
    if found.kind == "Secret":
        yield from if_set(found.view["type"], lambda value: value != _TOKEN, "must not be a token of an account")
    elif found.view["secrets"].items():
        yield violated(found.view["secrets"], "must be empty")


@object_rule(
    "external-secret-preferred",
    "Secrets come from a store",
    kinds=("Secret",),
    severity=Severity.LOW,
    level=Level.ADVISORY,
    frameworks=("CIS Kubernetes 5.4.2", "kubescape C-0208, C-0234"),
    rationale="A value that stands in the program is in its state and its history, and nobody renews it.",
    remedy="Use an ExternalSecret with a `refreshInterval`, or a random value that the program makes.",
    bad={"kind": "Secret", "stringData.password": "hunter2"},
    good={"kind": "Secret", "metadata.annotations.reconcile.external-secrets.io/data-hash": "1", "stringData.a": "b"},
)
def external_secret_preferred(found: Object, parameters: Parameters) -> Iterator[Problem]:
    """A Secret with a value of its own is one that a store's operator wrote."""
    managed = any(
        name.startswith("reconcile.external-secrets.io/") for name, _ in found.metadata["annotations"].fields()
    )
    for place in ("data", "stringData"):
        if not managed and any(value.text() for _, value in found.view[place].fields()):
            yield violated(found.view[place], "should come from a store of secrets")


@object_rule(
    "secret-not-placeholder",
    "No Secret holds a placeholder",
    kinds=("Secret",),
    severity=Severity.CRITICAL,
    frameworks=("CWE-1392",),
    rationale="The value that was to be replaced is the one that is tried first.",
    remedy="Make a random value, or take it from a store of secrets.",
    bad={"kind": "Secret", "stringData.password": "CHANGE_ME"},
    good={"kind": "Secret", "stringData.level": "default"},
)
def secret_not_placeholder(found: Object, parameters: Parameters) -> Iterator[Problem]:
    """No key of a credential's name has a well-known value; one that the update makes has none."""
    for name, value in found.view["stringData"].fields():
        if names_credential(name) and is_placeholder(value.text()):
            yield violated(value, "must not be a well-known password")


@pod_rule(
    "no-random-literal",
    "No variable is as random as a key",
    severity=Severity.MEDIUM,
    level=Level.ADVISORY,
    frameworks=("checkov CKV_SECRET_6",),
    rationale="A long random text in a variable is mostly a key under a name that nobody looks for.",
    remedy="Put it into a Secret, or shorten what is none.",
    bad={_ENV: [{"name": "SALT", "value": "q8Zt1LxW0rYb7NfC4mKd9VhGs2PjEu6A"}]},
    good={_ENV: [{"name": "SALT", "value": "orders"}]},
)
def no_random_literal(pod: Pod, parameters: Parameters) -> Iterator[Problem]:
    """No value of a variable is a long word of high entropy."""
    for container in pod.containers:
        for variable in container["env"].items():
            if is_random(variable["value"].text()):
                yield violated(variable["value"], "should not be a random text")


@pod_rule(
    "projected-token-expires",
    "Projected tokens end soon",
    severity=Severity.MEDIUM,
    level=Level.ADVISORY,
    frameworks=("NSA",),
    rationale="A token that was copied is of use until it ends.",
    remedy="Set `expirationSeconds` to 86400 or less; the kubelet renews it in time.",
    bad={
        "spec.volumes": [{"name": "t", "projected": {"sources": [{"serviceAccountToken": {"expirationSeconds": 9e9}}]}}]
    },
    good={"spec.volumes": [{"name": "t", "projected": {"sources": [{"serviceAccountToken": {"path": "token"}}]}}]},
)
def projected_token_expires(pod: Pod, parameters: Parameters) -> Iterator[Problem]:
    """`expirationSeconds` is at most a day; without a word it is an hour."""
    for volume in pod.spec["volumes"].items():
        for source in volume.at("projected", "sources").items():
            field = source.at("serviceAccountToken", "expirationSeconds")
            message = "should be 86400 or less"
            yield from if_set(field, at_most(_DAY), message)


@object_rule(
    "no-automount-on-account",
    "Accounts hand out no token unasked",
    kinds=("ServiceAccount",),
    severity=Severity.MEDIUM,
    level=Level.ADVISORY,
    frameworks=("CIS Kubernetes 5.1.6", "Kyverno restrict-sa-automount-sa-token", "kubescape C-0190"),
    rationale="What the account says counts for every pod that says nothing, also for the next one.",
    remedy="Set `automountServiceAccountToken: false` on the account.",
    right=False,
    bad={"kind": "ServiceAccount", "automountServiceAccountToken": None},
    good={"kind": "ServiceAccount", "automountServiceAccountToken": False},
)
def no_automount_on_account(found: Object, parameters: Parameters) -> Iterator[Problem]:
    """`automountServiceAccountToken` of the account is false."""
    field = found.view["automountServiceAccountToken"]
    if field.is_absent:
        yield missing(field, "should be set to false")
    else:
        yield from if_set(field, lambda value: value is False, "should be set to false")
