"""The invoke `kubernetes:yaml:decode`: manifests as objects."""

from __future__ import annotations

from typing import Any

from local.plugins.common.errors import ResourceError
from local.plugins.common.values import Object, put
from local.plugins.kubernetes import gvk
from local.plugins.kubernetes.session import Session


def decode_yaml(session: Session, text: str, default_namespace: str) -> list[Object]:
    """Every object of a stream of YAML documents; namespaced ones that name no namespace get the default one.

    Documents without kind or apiVersion are left out: manifests hold empty ones.

    Raises:
        ResourceError: the text is not YAML.
    """
    import yaml  # noqa: PLC0415  # seldom needed, and slow to load

    try:
        documents = list(yaml.load_all(text, Loader=_loader(yaml)))
    except yaml.YAMLError as problem:
        raise ResourceError(f"kubernetes:yaml:decode: the text is not valid YAML: {problem}") from problem
    objects: list[Object] = []
    for document in documents:
        if not isinstance(document, dict) or not document.get("kind") or not document.get("apiVersion"):
            continue
        if default_namespace and not gvk.namespace(document) and session.namespaced(gvk.of_object(document)):
            put(document, default_namespace, "metadata", "namespace")
        objects.append(document)
    return objects


def _loader(yaml: Any) -> type:  # noqa: ANN401  # a module imported late
    """Safe, as Kubernetes reads YAML: `=` is text (an enum of the AlertmanagerConfig CRD), dates stay text."""
    base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    loader = type("ManifestLoader", (base,), {})
    loader.yaml_constructors = dict(base.yaml_constructors)  # type: ignore[attr-defined]  # PyYAML's own extension point
    text = yaml.constructor.SafeConstructor.construct_yaml_str
    for tag in ("value", "timestamp"):
        loader.yaml_constructors[f"tag:yaml.org,2002:{tag}"] = text  # type: ignore[attr-defined]  # as above
    return loader
