"""The application role's password: made once per generation, given to workloads as a Secret."""

import base64
import secrets

import pulumi

from omnibase_infra.naming import labels
from omnibase_infra.objects import Manifest
from omnibase_infra.postgres import names

_PASSWORD_BYTES = 32


def generated_password(parent: pulumi.Resource, name: str, generation: int) -> pulumi.Output[str]:
    """32 random bytes in hexadecimal. The stash keeps its first value, later inputs are ignored.

    Args:
        parent: the component.
        name: the component's name, and the role's where it is not the first.
        generation: another one makes another password.
    """
    made = pulumi.Stash(
        f"{name}-password-{generation}",
        input=pulumi.Output.secret(secrets.token_hex(_PASSWORD_BYTES)),
        opts=pulumi.ResourceOptions(parent=parent, ignore_changes=["input"]),
    )
    return pulumi.Output.secret(made.output)


def role_secret(
    name: str, namespace: str, environment: str, *, role: str, password: pulumi.Output[str], generation: int,
    secret: str = "",
) -> Manifest:  # fmt: skip
    """The Secret of a role, with the keys `username` and `password`; called as for the application role of the
    component of that name, unless `secret` says another name."""
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "name": secret or names.app_secret(name),
            "namespace": namespace,
            # with this label the operator gives a changed password to the role at once
            "labels": {**labels(name, "database", environment), "cnpg.io/reload": "true"},
            "annotations": {"omnibase.io/generation": str(generation)},
        },
        "type": "kubernetes.io/basic-auth",
        "data": {"username": _base64(role), "password": password.apply(_base64)},
    }


def _base64(text: object) -> str:
    return base64.b64encode(str(text).encode()).decode()
