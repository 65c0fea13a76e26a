"""Which Kubernetes kind a Pulumi type token or an object means, and how objects are named in state."""

from __future__ import annotations

from dataclasses import dataclass

from local.plugins.common.urn import type_of
from local.plugins.common.values import Object, dig

_SHORT_GROUPS = frozenset({"apps", "autoscaling", "batch", "extensions", "policy"})
_LONG_GROUPS = frozenset(
    f"{name}.k8s.io"
    for name in (
        "admissionregistration", "apiextensions", "apiregistration", "auditregistration", "authentication",
        "authorization", "certificates", "coordination", "discovery", "events", "flowcontrol.apiserver",
        "internal.apiserver", "networking", "node", "rbac.authorization", "resource", "scheduling", "settings",
        "storage", "storagemigration",
    )
)  # fmt: skip
_CLUSTER_WIDE = frozenset(
    {
        "APIService", "CertificateSigningRequest", "ClusterRole", "ClusterRoleBinding", "ClusterTrustBundle",
        "CSIDriver", "CSINode", "CustomResourceDefinition", "DeviceClass", "FlowSchema", "IngressClass", "IPAddress",
        "MutatingAdmissionPolicy", "MutatingAdmissionPolicyBinding", "MutatingWebhookConfiguration", "Namespace",
        "Node", "PersistentVolume", "PriorityClass", "PriorityLevelConfiguration", "ResourceSlice", "RuntimeClass",
        "SelfSubjectReview", "ServiceCIDR", "StorageClass", "StorageVersion", "StorageVersionMigration",
        "ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding", "ValidatingWebhookConfiguration",
        "VolumeAttachment", "VolumeAttributesClass",
    }
)  # fmt: skip


@dataclass(frozen=True)
class Kind:
    """Group, version and kind. The core group is the empty string."""

    group: str
    version: str
    kind: str

    @property
    def api_version(self) -> str:
        """As objects spell it: `apps/v1`, and `v1` for the core group."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def builtin(self) -> bool:
        """Whether Kubernetes itself defines the group, so that its types follow Go's rules for empty fields."""
        return not self.group or self.group in _SHORT_GROUPS or self.group in _LONG_GROUPS

    @property
    def likely_namespaced(self) -> bool:
        """Whether its objects live in a namespace, as far as that is known without a server."""
        return not (self.builtin and self.kind in _CLUSTER_WIDE)

    def __str__(self) -> str:
        return f"{self.api_version}/{self.kind}"


def of_object(obj: Object) -> Kind:
    """The kind that an object states; `core/v1` is another spelling of `v1`."""
    api_version, kind = obj.get("apiVersion"), obj.get("kind")
    group, _, version = (api_version if isinstance(api_version, str) else "").rpartition("/")
    return Kind("" if group == "core" else group, version, kind if isinstance(kind, str) else "")


def of_token(token: str) -> Kind:
    """The kind that a type token such as `kubernetes:apps/v1:Deployment` means.

    Short spellings of long groups (`rbac.authorization/v1`) are understood; a Patch resource means the kind it patches.

    Raises:
        ValueError: a token of another shape, for instance a Helm release.
    """
    package, _, rest = token.partition(":")
    module, _, kind = rest.partition(":")
    group, _, version = module.partition("/")
    if package != "kubernetes" or not version or not kind or "/" in version:
        raise ValueError(f"resource type {token!r} is not of the form kubernetes:<group>/<version>:<Kind>")
    if f"{group}.k8s.io" in _LONG_GROUPS:
        group = f"{group}.k8s.io"
    found = Kind("" if group == "core" else group, version, kind)
    if found.builtin and kind.endswith("Patch"):
        return Kind(found.group, version, kind.removesuffix("Patch"))
    return found


def is_patch(urn: str, obj: Object) -> bool:
    """Whether the resource manages single fields of an object that it does not own."""
    token = type_of(urn)
    wanted = token.rpartition(":")[2]
    if not wanted.endswith("Patch"):
        return False
    stated = obj.get("kind")
    return stated == wanted.removesuffix("Patch") if stated else of_object(obj).builtin


def is_list(urn: str) -> bool:
    """Whether the resource is a List of built-in kinds, which exist only so that manifests can be read."""
    token = type_of(urn)
    try:
        kind = of_token(token)
    except ValueError:
        return False
    return kind.builtin and kind.kind.endswith("List")


def name(obj: Object) -> str:
    """`metadata.name`, or the empty string while it is missing or unknown."""
    value = dig(obj, "metadata", "name")
    return value if isinstance(value, str) else ""


def namespace(obj: Object) -> str:
    """`metadata.namespace`, or the empty string while it is missing or unknown."""
    value = dig(obj, "metadata", "namespace")
    return value if isinstance(value, str) else ""


def identity(obj: Object) -> str:
    """The resource id in state: `namespace/name`, or `name` for what has no namespace."""
    return f"{namespace(obj)}/{name(obj)}" if namespace(obj) else name(obj)


def parse_identity(text: str) -> tuple[str, str]:
    """Namespace (may be empty) and name of a resource id."""
    first, slash, second = text.partition("/")
    return (first, second.split("/")[0]) if slash else ("", first)
