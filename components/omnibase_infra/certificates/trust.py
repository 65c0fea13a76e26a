"""TrustBundle: what clients of one namespace trust, under a name that stays."""

from typing import Any

import pulumi

from omnibase_infra.certificates.args import CA_KEY, TrustBundleArgs
from omnibase_infra.errors import refuse
from omnibase_infra.naming import dns_label, labels
from omnibase_infra.objects import Manifest, child, encoded


class TrustBundle(pulumi.ComponentResource):
    """The certificates of an authority, for clients.

    Makes: a Secret of a fixed name with ca.crt. It is changed in place by a rotation: files of running pods follow
    within about a minute, and until then the servers' chains lead back to the old authority. A Secret and not a
    ConfigMap, although nothing in it is secret, because workloads mount only Secrets.

    Raises:
        ArgsError: a name that is no DNS label.
    """

    secret: pulumi.Output[str]
    """Name of the Secret, known once it exists."""

    def __init__(self, name: str, args: TrustBundleArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        refuse("TrustBundle", name, _problems(args))
        inputs: dict[str, Any] = {**args}
        super().__init__("omnibase-infra:index:TrustBundle", name, inputs, opts)
        manifest: Manifest = {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {
                "name": args["secret"],
                "namespace": args["namespace"],
                "labels": labels(args["secret"], "certificates", args["environment"]),
            },
            "type": "Opaque",
            "data": {CA_KEY: pulumi.Output.from_input(args["bundle"]).apply(encoded)},
        }
        made = child(self, f"{name}-secret", manifest)
        self.secret = made.urn.apply(lambda _: args["secret"])
        self.register_outputs({"secret": self.secret})


def _problems(args: TrustBundleArgs) -> list[str]:
    found = []
    for field, value in (("namespace", args["namespace"]), ("secret", args["secret"])):
        try:
            if dns_label(value) != value:
                found.append(f"{field}={value!r} is longer than 63 characters")
        except ValueError as error:
            found.append(f"{field}: {error}")
    return found
