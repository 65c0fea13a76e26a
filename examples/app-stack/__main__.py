"""A service of another team: one HardenedWorkload, and the platform's database by reference. See README.md."""

import sys
from collections.abc import Callable
from typing import Any

import pulumi
import pulumi_kubernetes as kubernetes
from omnibase_infra import ArgsError, HardenedWorkload, HardenedWorkloadArgs
from omnibase_infra.naming import stack_namespace

NAME = "guestbook"
"""Of the service, and of the consumer in the settings of the platform's stack."""
PORT = 8080

config = pulumi.Config()
reference = config.require("platform")  # organization/omnibase-infra/<stack>
platform = pulumi.StackReference("platform", stack_name=reference)
database = config.get("database") or "reference"


def connection(connections: dict[str, Any] | None) -> dict[str, Any]:
    """What the platform gives this consumer: the name of a Secret, and a document that says how to connect."""
    try:
        found: dict[str, Any] = (connections or {})[NAME][database]
    except KeyError:
        raise ValueError(
            f"stack {reference} gives consumer {NAME!r} no database {database!r}; its settings need "
            f"postgres.consumers.{NAME}.databases.{database}, see README.md"
        ) from None
    return found


given = platform.get_output("database_connections").apply(connection)


def port(document: dict[str, Any]) -> int:
    """Of the pooler. On the way between stacks every number becomes a float."""
    return int(document["endpoints"]["rw"]["port"])


def told(value: Callable[[dict[str, Any]], object]) -> pulumi.Output[str]:
    """Something of the document."""
    return given.apply(lambda known: str(value(known["document"])))


args: HardenedWorkloadArgs = {
    "namespace": config.get("namespace") or stack_namespace(reference.rpartition("/")[2]),
    "environment": config.get("environment") or "dev",
    "image": config.get("image") or platform.require_output("images").apply(lambda images: str(images["reference"])),
    "memory_mib": 128,
    "cpu_request_millis": 10,
    "port": PORT,
    "env": {
        "REFERENCE_DATABASE_RW_HOST": told(lambda document: document["endpoints"]["rw"]["host"]),
        "REFERENCE_DATABASE_RO_HOST": told(lambda document: document["endpoints"]["ro"]["host"]),
        "REFERENCE_DATABASE_PORT": told(port),
        "REFERENCE_DATABASE_NAME": told(lambda document: document["dbname"]),
        "REFERENCE_DATABASE_USER": told(lambda document: document["user"]),
        "REFERENCE_DATABASE_SSLMODE": told(lambda document: document["sslmode"]),
        "REFERENCE_DATABASE_PASSWORD_FILE": told(lambda document: document["password_file"]),
        "REFERENCE_DATABASE_CA_FILE": told(lambda document: document["ca_file"]),
    },
    "secret_mounts": [
        {
            "secret": given.apply(lambda known: str(known["secret"])),
            "keys": ["password", "ca.crt"],
            "path": f"/run/secrets/databases/{database}",  # the consumer's `directory`, as the document says
        }
    ],
}
context = config.get("context")
cluster = kubernetes.Provider("cluster", context=context, cluster_identifier=context)
try:
    guestbook = HardenedWorkload(NAME, args, pulumi.ResourceOptions(providers=[cluster]))
except ArgsError as error:
    pulumi.log.error(str(error))
    sys.exit(32)  # the language host's code for "the reason is on the screen already"
pulumi.export("database", told(lambda document: f"{document['endpoints']['rw']['host']}:{port(document)}"))
pulumi.export("namespace", args["namespace"])
pulumi.export("cluster_ip", guestbook.cluster_ip)
