"""SecretSet: secrets that exist once, and a Secret for each consumer with nothing but its own keys."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pulumi

from omnibase_infra.errors import ArgsError, refuse
from omnibase_infra.naming import content_digest, content_name
from omnibase_infra.objects import child
from omnibase_infra.secrets import manifests
from omnibase_infra.secrets.args import DEFAULT_ALPHABET, DEFAULT_LENGTH, PREVIOUS, SecretEntry, SecretSetArgs
from omnibase_infra.secrets.checks import problems, value_problem
from omnibase_infra.secrets.generate import random_text


@dataclass(frozen=True, kw_only=True)
class _Material:
    """One key of a consumer's Secret."""

    value: pulumi.Output[str]
    """Secret."""
    mark: pulumi.Output[str]
    """Public; another value has another mark."""


class SecretSet(pulumi.ComponentResource):
    """Secrets of a namespace: generated, imported, or left in an external store, and given to named consumers only.

    Makes: a Stash for each generated entry and generation (random when first made, kept from then on) and for each
    imported entry; for each consumer an immutable Secret `<name>-<consumer>-<digest>` with exactly its keys; for its
    external keys an ExternalSecret `<name>-<consumer>-external`, which needs the External Secrets Operator. Another
    content is another name: consumers move to it, and the old Secret is removed at the end of the same update.

    Raises:
        ArgsError: a key, length, alphabet or source that cannot be used, a consumer of an entry that does not exist, an
            entry without consumer, an imported value in plain text, all problems together; while deploying: an
            imported value that is empty or a placeholder.
    """

    secrets: pulumi.Output[dict[str, str]]
    """Consumer -> name of its Secret, known once it exists."""
    external_secrets: pulumi.Output[dict[str, str]]
    """Consumer -> name of the Secret that the External Secrets Operator keeps for it."""

    def __init__(self, name: str, args: SecretSetArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        refuse("SecretSet", name, problems(name, args))
        super().__init__("omnibase-infra:index:SecretSet", name, _hidden(args), opts)
        self._name, self._args = name, args
        self._material: dict[str, _Material] = {}
        for key, entry in args["entries"].items():
            self._add(key, entry)
        self._names = {consumer: made for consumer in args["consumers"] if (made := self._secret(consumer))}
        external = {consumer: made for consumer in args["consumers"] if (made := self._external(consumer))}
        self.secrets = pulumi.Output.all(**self._names).apply(dict)
        self.external_secrets = pulumi.Output.all(**external).apply(dict)
        self.register_outputs({"secrets": self.secrets, "external_secrets": self.external_secrets})

    def secret(self, consumer: str) -> pulumi.Output[str]:
        """Name of the Secret of one consumer.

        Raises:
            KeyError: no such consumer, or all of its keys are external.
        """
        return self._names[consumer]

    def value(self, key: str) -> pulumi.Output[str]:
        """A generated or imported value as a secret Output, for a server's configuration that is computed from it.

        Raises:
            KeyError: no such entry, or it is external: such values never come here.
        """
        return self._material[key].value

    def _add(self, key: str, entry: SecretEntry) -> None:
        if entry["source"] == "generated":
            generation = int(entry.get("generation", 1))
            self._material[key] = self._generated(key, entry, generation)
            if entry.get("overlap") and generation > 1:
                self._material[key + PREVIOUS] = self._generated(key, entry, generation - 1)
        elif entry["source"] == "imported":
            self._material[key] = self._imported(key, entry)

    def _generated(self, key: str, entry: SecretEntry, generation: int) -> _Material:
        length, alphabet = int(entry.get("length", DEFAULT_LENGTH)), entry.get("alphabet", DEFAULT_ALPHABET)
        # Length and alphabet are part of the name, as the stash would ignore a change of them for ever.
        return self._kept(f"{self._name}-{key}-{generation}-{alphabet}-{length}", length, alphabet)

    def _kept(self, stash: str, length: int, alphabet: str) -> _Material:
        """A text that is made once: the stash keeps its first value, later inputs are ignored."""
        made = pulumi.Stash(
            stash,
            input=pulumi.Output.secret(random_text(length, alphabet)),
            opts=pulumi.ResourceOptions(parent=self, ignore_changes=["input"]),
        )
        # A stash's content lives and dies with its id, which is public: no digest of the value is needed.
        return _Material(value=pulumi.Output.secret(made.output), mark=made.id)

    def _imported(self, key: str, entry: SecretEntry) -> _Material:
        def check(value: object) -> str:
            problem = value_problem(str(value or ""))
            if problem:
                raise ArgsError("SecretSet", self._name, [f"entry {key!r}: the imported value {problem}"])
            return str(value)

        value = pulumi.Output.secret(entry["value"]).apply(check)
        # Another value is another stash, and so another id. A digest of the value would let everybody test guesses of a
        # short one; and a value that comes back must not meet the object that the engine still has to delete.
        opts = pulumi.ResourceOptions(parent=self, replace_on_changes=["input"])
        return _Material(value=value, mark=pulumi.Stash(f"{self._name}-{key}-imported", input=value, opts=opts).id)

    def _secret(self, consumer: str) -> pulumi.Output[str] | None:
        wanted = self._args["consumers"][consumer]
        keys = [key for key in self._material if key.removesuffix(PREVIOUS) in wanted["keys"]]
        if not keys:
            return None
        marks = pulumi.Output.all(*(self._material[key].mark for key in keys))
        object_name = marks.apply(
            lambda found: content_name(self._name, consumer, digest=content_digest([*keys, *found]))
        )
        made = child(
            self,
            f"{self._name}-{consumer}-{self._asked(keys)}",
            manifests.secret(
                object_name,
                namespace=wanted.get("namespace", self._args["namespace"]),
                consumer=consumer,
                environment=self._args["environment"],
                values={key: self._material[key].value for key in keys},
            ),
            name_follows_content=True,
            named_before=f"{self._name}-{consumer}",
        )
        return pulumi.Output.all(made.urn, object_name).apply(lambda found: str(found[1]))

    def _asked(self, keys: Sequence[str]) -> str:
        """Part of the resource's name: what is taken back, after an update that failed, is then the resource that is
        still there, and not a second one of the same object."""
        entries = {key: self._args["entries"][key.removesuffix(PREVIOUS)] for key in keys}
        return content_digest([
            (key, int(entry.get("generation", 1)), entry.get("alphabet", ""), int(entry.get("length", 0)))
            for key, entry in entries.items()
        ])  # fmt: skip

    def _external(self, consumer: str) -> pulumi.Output[str] | None:
        wanted, entries = self._args["consumers"][consumer], self._args["entries"]
        keys = [key for key in wanted["keys"] if entries[key]["source"] == "external"]
        if not keys:
            return None
        object_name = f"{manifests.base_name(self._name, consumer)}-external"
        manifest = manifests.external_secret(
            object_name,
            namespace=wanted.get("namespace", self._args["namespace"]),
            consumer=consumer,
            environment=self._args["environment"],
            entries={key: entries[key] for key in keys},
            store=self._args["store"],
        )
        made = child(self, f"{self._name}-{consumer}-external", manifest)
        return made.urn.apply(lambda _: object_name)


def _hidden(args: SecretSetArgs) -> dict[str, Any]:
    """The inputs as the state may show them: imported values are marked secret whatever the caller passed."""
    entries = {
        key: {**entry, "value": pulumi.Output.secret(entry["value"])} if "value" in entry else {**entry}
        for key, entry in args["entries"].items()
    }
    return {**args, "entries": entries}
