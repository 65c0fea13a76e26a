"""ServerCertificate: a key and a certificate for one server, as a Secret."""

import json
from typing import Any

import pulumi

from omnibase_infra.certificates import issue
from omnibase_infra.certificates.args import CA_KEY, CERTIFICATE_KEY, PRIVATE_KEY, ServerCertificateArgs
from omnibase_infra.certificates.checks import server_problems
from omnibase_infra.errors import ArgsError, refuse
from omnibase_infra.naming import content_digest, labels
from omnibase_infra.objects import Manifest, child, encoded


class ServerCertificate(pulumi.ComponentResource):
    """A server's key and certificate from a CertificateAuthority.

    Makes: a Stash with both, anew for other hosts, another validity or another generation of either, and an immutable
    Secret `<name>-<digest>` of type kubernetes.io/tls with tls.crt (certificate and chain), tls.key and ca.crt (the
    authority's bundle). A new certificate is a new Secret: servers move to it, then the old one is removed.

    Raises:
        ArgsError: hosts, validity or generation that cannot be used, all problems together; while deploying: the
            authority has ended, or is not the one that signed the kept certificate.
    """

    secret: pulumi.Output[str]
    """Name of the Secret, known once it exists."""
    certificate: pulumi.Output[str]
    """The certificate, PEM, public."""

    def __init__(self, name: str, args: ServerCertificateArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        refuse("ServerCertificate", name, server_problems(name, args))
        inputs: dict[str, Any] = {**args, "authority": pulumi.Output.secret(args["authority"])}
        super().__init__("omnibase-infra:index:ServerCertificate", name, inputs, opts)
        signer: pulumi.Output[str] = pulumi.Output.secret(args["authority"])
        # Every plain argument that the certificate depends on is in the name: the stash ignores changes of its input.
        asked = content_digest(_asked(args))
        stash = pulumi.Stash(
            f"{name}-{asked}",
            input=signer.apply(lambda text: _make(name, args, text)),
            opts=pulumi.ResourceOptions(parent=self, ignore_changes=["input"]),
        )
        pair: pulumi.Output[str] = pulumi.Output.secret(stash.output)
        self.certificate = pulumi.Output.unsecret(pair.apply(lambda text: issue.Pair.of_text(text).certificate))
        object_name = stash.id.apply(lambda made: f"{name}-{content_digest([asked, made])}")
        manifest = _secret(name, args, object_name, pulumi.Output.all(pair, signer))
        # What was asked for is in the resource's name too: what is taken back, after an update that failed, is then the
        # resource that is still there, and not a second one of the same object.
        secret = child(
            self, f"{name}-secret-{asked}", manifest, name_follows_content=True, named_before=f"{name}-secret"
        )
        self.secret = pulumi.Output.all(secret.urn, object_name).apply(lambda found: str(found[1]))
        self.register_outputs({"secret": self.secret, "certificate": self.certificate})


def _secret(
    name: str, args: ServerCertificateArgs, object_name: pulumi.Output[str], texts: pulumi.Output[list[str]]
) -> Manifest:
    def data(found: list[str]) -> dict[str, str]:
        pair, signer = issue.Pair.of_text(found[0]), json.loads(found[1])
        if not issue.issued_by(pair, issue.Pair.of_text(found[1])):
            problem = "the kept certificate is of another authority, which was lost; raise the generation"
            raise ArgsError("ServerCertificate", name, [problem])
        chain = pair.certificate + signer["chain"]
        content = {CERTIFICATE_KEY: chain, PRIVATE_KEY: pair.key, CA_KEY: signer["bundle"]}
        return {key: encoded(text) for key, text in content.items()}

    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "name": object_name,
            "namespace": args["namespace"],
            "labels": labels(name, "certificates", args["environment"]),
        },
        "type": "kubernetes.io/tls",
        "immutable": True,
        "data": texts.apply(data),
    }


def _asked(args: ServerCertificateArgs) -> list[object]:
    numbers = [args["authority_generation"], args.get("generation", 1), args["validity_days"]]
    return [*map(int, numbers), *(["client"] if args.get("also_client") else []), *args["hosts"]]


def _make(name: str, args: ServerCertificateArgs, signer: str) -> str:
    try:
        made = issue.server(
            issue.Pair.of_text(signer),
            list(args["hosts"]),
            int(args["validity_days"]),
            issue.now(),
            also_client=bool(args.get("also_client")),
        )
    except ValueError as error:
        raise ArgsError("ServerCertificate", name, [str(error)]) from error
    return made.to_text()
