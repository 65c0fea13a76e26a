"""Named changes to third-party objects, pure. Each is `(objects, args) -> objects` and changes only what it names."""

from collections.abc import Callable, Iterator

from omnibase_infra.objects import Manifest
from omnibase_infra.pods import hardened, spread
from omnibase_infra.vendor.args import VendorManifestArgs

Transform = Callable[[list[Manifest], VendorManifestArgs], list[Manifest]]
POD_KINDS = ("Deployment", "StatefulSet", "DaemonSet", "Job")


def pod_specs(objects: list[Manifest]) -> Iterator[Manifest]:
    """The pod spec of every object that makes pods."""
    for manifest in objects:
        if manifest["kind"] in POD_KINDS:
            yield manifest["spec"]["template"]["spec"]


def containers(objects: list[Manifest]) -> Iterator[Manifest]:
    """Every container and init container."""
    for spec in pod_specs(objects):
        yield from spec.get("initContainers", [])
        yield from spec["containers"]


def images_by_digest(objects: list[Manifest], args: VendorManifestArgs) -> list[Manifest]:
    """`images`: each image is replaced by its reference with digest, and pulled only when absent."""
    for container in containers(objects):
        container["image"] = args["images"][container["image"]]
        container["imagePullPolicy"] = "IfNotPresent"
    return objects


def environment(objects: list[Manifest], args: VendorManifestArgs) -> list[Manifest]:
    """`env`: variables get the given values where the manifest sets them."""
    for container in containers(objects):
        for variable in container.get("env", []):
            if variable["name"] in args.get("env", {}):
                variable["value"] = args.get("env", {})[variable["name"]]
    return objects


def resources(objects: list[Manifest], args: VendorManifestArgs) -> list[Manifest]:
    """`resources`: memory request = limit, a CPU request, no CPU limit (throttling delays leader election)."""
    memory, cpu = f"{int(args['memory_mib'])}Mi", f"{int(args['cpu_request_millis'])}m"
    for container in containers(objects):
        container["resources"] = {"requests": {"cpu": cpu, "memory": memory}, "limits": {"memory": memory}}
    return objects


def hardened_pods(objects: list[Manifest], args: VendorManifestArgs) -> list[Manifest]:
    """`hardened-pods`: the same security context as for workloads of ours; users stay as the manifest has them."""
    for spec in pod_specs(objects):
        spec["enableServiceLinks"] = False
        spec["securityContext"] = {
            **spec.get("securityContext", {}),
            "runAsNonRoot": True,
            "seccompProfile": {"type": "RuntimeDefault"},
        }
    for container in containers(objects):
        container["terminationMessagePolicy"] = "FallbackToLogsOnError"
        container["securityContext"] = {
            **container.get("securityContext", {}),
            **hardened(),
        }
    return objects


def replicas(objects: list[Manifest], args: VendorManifestArgs) -> list[Manifest]:
    """`replicas`: number of pods of each Deployment, spread over zones and nodes."""
    for manifest in objects:
        if manifest["kind"] == "Deployment":
            manifest["spec"]["replicas"] = int(args["replicas"])
            manifest["spec"]["template"]["spec"]["topologySpreadConstraints"] = spread(manifest["spec"]["selector"])
    return objects


def pod_security(objects: list[Manifest], args: VendorManifestArgs) -> list[Manifest]:
    """`pod-security`: namespaces enforce the level, with warnings and audit at the same."""
    level = args.get("pod_security", "restricted")
    for manifest in objects:
        if manifest["kind"] == "Namespace":
            found = manifest["metadata"].setdefault("labels", {})
            for mode in ("enforce", "audit", "warn"):
                found[f"pod-security.kubernetes.io/{mode}"] = level
                found[f"pod-security.kubernetes.io/{mode}-version"] = "latest"
    return objects


def without_descriptions(objects: list[Manifest], args: VendorManifestArgs) -> list[Manifest]:
    """`without-descriptions`: schemas lose their texts, which are 60 % of a CRD's bytes and of every state file.

    Manifests of this project lost them when they were prepared.
    """
    for manifest in objects:
        if manifest["kind"] == "CustomResourceDefinition":
            for version in manifest["spec"]["versions"]:
                _strip(version["schema"]["openAPIV3Schema"])
    return objects


def _strip(schema: object) -> None:
    """Remove the description of a schema and of all below; a *property* called description stays."""
    if not isinstance(schema, dict):
        return
    schema.pop("description", None)
    for key in ("properties", "patternProperties"):
        for below in schema.get(key, {}).values():
            _strip(below)
    for key in ("items", "additionalProperties", "not"):
        _strip(schema.get(key))
    for key in ("allOf", "anyOf", "oneOf"):
        for below in schema.get(key, []):
            _strip(below)


TRANSFORMS: dict[str, Transform] = {
    "images": images_by_digest,
    "env": environment,
    "resources": resources,
    "hardened-pods": hardened_pods,
    "replicas": replicas,
    "pod-security": pod_security,
    "without-descriptions": without_descriptions,
}
NEEDS = {"resources": ("cpu_request_millis", "memory_mib"), "replicas": ("replicas",), "env": ("env",)}
"""Arguments that a transform cannot do without."""
