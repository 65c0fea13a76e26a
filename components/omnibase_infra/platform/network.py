"""The network policies of an environment as a whole, for whoever watches over them."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import pulumi

_POLICY = "kubernetes:networking.k8s.io/v1:NetworkPolicy"


class DeclaredPolicies:
    """Every network policy that the parts have registered so far, whichever component made it."""

    def __init__(self) -> None:
        self._names: dict[str, set[str]] = {}

    def note(self, made: pulumi.ResourceTransformationArgs) -> None:
        """A transformation that changes nothing: the platform and so all below it call it for each resource."""
        if made.type_ == _POLICY:
            metadata: Any = made.props["metadata"]  # a policy's names are plain, see NetworkFlow
            self._names.setdefault(metadata["namespace"], set()).add(metadata["name"])

    def of(self, namespaces: Collection[str]) -> dict[str, set[str]]:
        """Namespace -> names of its policies, of these namespaces."""
        return {namespace: names for namespace, names in self._names.items() if namespace in namespaces}
