"""CertificateAuthority: keys that never leave the engine's state, and what clients trust."""

import json
from typing import Any

import pulumi

from omnibase_infra.certificates import issue
from omnibase_infra.certificates.args import CertificateAuthorityArgs
from omnibase_infra.certificates.checks import authority_problems
from omnibase_infra.errors import refuse
from omnibase_infra.objects import register_outputs


class CertificateAuthority(pulumi.ComponentResource):
    """A certificate authority of the environment's own, ECDSA P-256; its key is in no object of the cluster.

    Makes: a Stash with key and certificate for this generation and, from generation 2 on, for the one before, and a
    Stash with this generation's key signed by the one before (a cross-signed certificate). Servers send it in their
    chain, and the bundle holds both generations, so that old clients accept new servers and new clients old servers:
    nothing fails while a rotation reaches one after the other.

    Raises:
        ArgsError: a name, validity or generation that cannot be used; all problems together.
    """

    signer: pulumi.Output[str]
    """Secret: what a ServerCertificate needs to be made."""
    certificate: pulumi.Output[str]
    """This generation's certificate, PEM, public."""
    bundle: pulumi.Output[str]
    """What clients trust: this generation's certificate and the one before, PEM, public."""
    generation: pulumi.Output[int]
    """This generation."""

    def __init__(self, name: str, args: CertificateAuthorityArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        refuse("CertificateAuthority", name, authority_problems(args))
        inputs: dict[str, Any] = {**args}
        super().__init__("omnibase-infra:index:CertificateAuthority", name, inputs, opts)
        generation = int(args.get("generation", 1))
        current = self._pair(name, args, generation)
        previous = self._pair(name, args, generation - 1) if generation > 1 else None
        chain = self._cross(name, generation, current, previous) if previous is not None else pulumi.Output.secret("")
        before = previous if previous is not None else pulumi.Output.secret("")
        whole = pulumi.Output.all(current=current, chain=chain, previous=before)
        self.signer = pulumi.Output.secret(whole.apply(_signer))
        self.certificate = pulumi.Output.unsecret(current.apply(lambda text: issue.Pair.of_text(text).certificate))
        self.bundle = pulumi.Output.unsecret(self.signer.apply(lambda text: str(json.loads(text)["bundle"])))
        self.generation = pulumi.Output.from_input(generation)
        register_outputs(self)

    def _pair(self, name: str, args: CertificateAuthorityArgs, generation: int) -> pulumi.Output[str]:
        """Key and certificate of one generation; the stash keeps what was made first, so clock and dice count once."""
        subject = f"{args['common_name'].strip()} {generation}"
        fresh = issue.authority(subject, int(args["validity_days"]), issue.now())
        return self._kept(f"{name}-{generation}", pulumi.Output.secret(fresh.to_text()))

    def _cross(
        self, name: str, generation: int, current: pulumi.Output[str], previous: pulumi.Output[str]
    ) -> pulumi.Output[str]:
        def sign(pairs: list[str]) -> str:
            new, old = (issue.Pair.of_text(text) for text in pairs)
            return issue.cross_sign(new, old, issue.now())

        return self._kept(
            f"{name}-{generation}-cross", pulumi.Output.secret(pulumi.Output.all(current, previous).apply(sign))
        )

    def _kept(self, stash: str, value: pulumi.Output[str]) -> pulumi.Output[str]:
        made = pulumi.Stash(
            stash,
            input=value,
            opts=pulumi.ResourceOptions(parent=self, ignore_changes=["input"]),
        )
        return pulumi.Output.secret(made.output)


def _signer(parts: dict[str, str]) -> str:
    current = issue.Pair.of_text(parts["current"])
    old = issue.Pair.of_text(parts["previous"]).certificate if parts["previous"] else ""
    return json.dumps({
        "key": current.key,
        "certificate": current.certificate,
        "chain": parts["chain"],
        "bundle": current.certificate + old,
    })  # fmt: skip
