"""A service of another team: one HardenedWorkload, and the platform's database by reference. See README.md."""

import sys

import pulumi
import pulumi_kubernetes as kubernetes
from omnibase_infra import ArgsError, HardenedWorkload, HardenedWorkloadArgs, NetworkFlow
from omnibase_infra.naming import stack_namespace
from omnibase_infra.postgres import poolers

NAME = "guestbook"
PORT = 8080
SECRETS = "/run/secrets/database"
AUTHORITY = "/run/secrets/database-ca"

config = pulumi.Config()
reference = config.require("platform")  # organization/omnibase-infra/<stack>
platform = pulumi.StackReference("platform", stack_name=reference)
namespace = stack_namespace(reference.rpartition("/")[2])


def endpoint(output: str, part: int) -> pulumi.Output[str]:
    """One half of an output `host:port`."""
    return platform.require_output(output).apply(lambda text: str(text).rsplit(":", 1)[part])


args: HardenedWorkloadArgs = {
    "namespace": namespace,
    "environment": config.get("environment") or "dev",
    "image": config.get("image") or platform.require_output("images").apply(lambda images: str(images["reference"])),
    "memory_mib": 128,
    "cpu_request_millis": 10,
    "port": PORT,
    "env": {
        "REFERENCE_DATABASE_RW_HOST": endpoint("database_rw_endpoint", 0),
        "REFERENCE_DATABASE_RO_HOST": endpoint("database_ro_endpoint", 0),
        "REFERENCE_DATABASE_PORT": endpoint("database_rw_endpoint", 1),
        "REFERENCE_DATABASE_NAME": platform.require_output("database_name"),
        "REFERENCE_DATABASE_USER": platform.require_output("database_user"),
        "REFERENCE_DATABASE_PASSWORD_FILE": f"{SECRETS}/password",
        "REFERENCE_DATABASE_SSLMODE": "verify-full",
        "REFERENCE_DATABASE_CA_FILE": f"{AUTHORITY}/ca.crt",
    },
    "secret_mounts": [
        {"secret": platform.require_output("database_secret"), "keys": ["password"], "path": SECRETS},
        {"secret": platform.require_output("database_ca_secret"), "keys": ["ca.crt"], "path": AUTHORITY},
    ],
}
context = config.get("context")
cluster = kubernetes.Provider("cluster", context=context, cluster_identifier=context)
options = pulumi.ResourceOptions(providers=[cluster])
try:
    flow = NetworkFlow(
        f"{NAME}-database",
        {
            "source": {"name": NAME, "namespace": namespace, "labels": {"app.kubernetes.io/name": NAME}},
            "destination": poolers("database", namespace),
            "ports": [5432],
        },
        options,
    )
    guestbook = HardenedWorkload(
        NAME, args, pulumi.ResourceOptions.merge(options, pulumi.ResourceOptions(depends_on=[flow]))
    )
except ArgsError as error:
    pulumi.log.error(str(error))
    sys.exit(32)  # the language host's code for "the reason is on the screen already"
pulumi.export("database", platform.require_output("database_rw_endpoint"))
pulumi.export("namespace", namespace)
pulumi.export("cluster_ip", guestbook.cluster_ip)
