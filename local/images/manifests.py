"""Third-party manifests and schemas, out of verified Go modules, in the form that programs read fastest.

A program reads its manifests in every run. As YAML of the vendors they are 8 MB, which take a second of CPU time; as
JSON without the schemas' texts they are 1 MB and take 20 ms. So they are converted once, by a step, and both forms are
pinned: the vendor's by the checksum of what was reviewed, ours by the one that the components ask for.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from local.build.go import go_toolchain
from local.errors import LocalError
from local.paths import Paths
from local.steps import Step, StepContext

_DEFINITION = "CustomResourceDefinition"


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """Files of a Go module that components or their tests read."""

    name: str
    """File name below Paths.vendor."""
    module: str
    directory: str
    """Directory in the checkout whose go.mod pins the module and whose go.sum its contents."""
    path: str
    """File in the module, or a pattern: the files that match, in the order of their names, become one."""
    sha256: str
    """Checksum of these files, joined by lines of `---`."""
    objects_sha256: str = ""
    """Checksum of the JSON list of their objects. Empty: the file is no manifest and is kept as it is."""
    without: tuple[str, ...] = ()
    """Definitions that are left out, by name: kinds that nothing here uses, and whose controller starts without."""


_CORE_MANIFESTS = (
    Manifest(
        name="cnpg-1.30.0.json",
        module="github.com/cloudnative-pg/cloudnative-pg",
        directory="images/cloudnative-pg",
        path="releases/cnpg-1.30.0.yaml",
        sha256="f8bede43fe4ee0d478c2355b204a36876b2ae4faac60f2a9452280b293da3b88",
        objects_sha256="079d6c6321e67d2e4cb44f5dd558663f195b943e43378a195511b2bbba5df402",
    ),
    Manifest(
        name="kubernetes-1.34.4-openapi.json",
        module="k8s.io/kubernetes",
        directory="local/node/kube",
        path="api/openapi-spec/swagger.json",
        sha256="d3b0cdc2fda15c753206d25ab459dc7c12df64e2fd652b6809687471ea751c37",
    ),
)

_MONITORING_MANIFESTS = (
    Manifest(
        name="prometheus-operator-crds-0.85.0.json",
        module="github.com/prometheus-operator/prometheus-operator",
        directory="images/prometheus-operator",
        # without PrometheusAgent and ThanosRuler, which nothing here uses: a third of the bytes
        path="example/prometheus-operator-crd/monitoring.coreos.com_[aps]*[!t]s.yaml",
        sha256="f33677ab0bfabbf6cbfbcb7f3c5c23a5a7d40436114858db4be1eb805b9cecb3",
        objects_sha256="5d0942f5f9e0a57f66bd0e2f4bc8085a4c2576160b4c556f82850ad7d2802d2d",
        # of the others that nothing here uses (AlertmanagerConfig, Probe) the operator waits for a list
        without=("scrapeconfigs.monitoring.coreos.com",),
    ),
)

_GATEWAY_MANIFESTS = (
    Manifest(
        name="gateway-api-1.6.1.json",
        module="sigs.k8s.io/gateway-api",
        directory="images/envoy-gateway",
        path="config/crd/standard/gateway.networking.k8s.io_*.yaml",
        sha256="8e941680945398f251d820327d0ba6b503e3a7aed10d08dd9ffeaa89ddffcb8d",
        objects_sha256="49196a55a8560917a92bf7febf222fdcbe287a41b4344361f7320e4b812b1823",
        without=tuple(
            f"{kind}.gateway.networking.k8s.io"
            for kind in ("grpcroutes", "listenersets", "tcproutes", "tlsroutes", "udproutes")
        ),
    ),
    Manifest(
        name="envoy-gateway-1.9.1.json",
        module="github.com/envoyproxy/gateway",
        directory="images/envoy-gateway",
        path="charts/gateway-helm/charts/crds/crds/generated/gateway.envoyproxy.io_*.yaml",
        sha256="5d889d72e0bd31de621c2a3d2b2e3c7a2fa4384721e4b9d7af17dc837b7e7c09",
        objects_sha256="e93f513e3dc37850a576d63e3a25e779171cedd9f89eb19d7aed6a55a220c15b",
        without=("envoyextensionpolicies.gateway.envoyproxy.io", "envoypatchpolicies.gateway.envoyproxy.io"),
    ),
)

_SECRETS_MANIFESTS = (
    Manifest(
        name="external-secrets-1.3.2.json",
        module="github.com/external-secrets/external-secrets",
        directory="tests/stacks/support/external-secrets",
        path="config/crds/bases/external-secrets.io_externalsecrets.yaml",
        sha256="690dbc0d51b5f9bc5266b450b533cfd22c5273268e8569102e528a39519cd4ba",
        objects_sha256="d0da103f32a2fa22311a5ed861744581648af04dcb297af6a52fa13c4723d935",
    ),
)

_BACKUP_MANIFESTS = (
    Manifest(
        name="plugin-barman-cloud-0.14.0.json",
        module="github.com/cloudnative-pg/plugin-barman-cloud",
        directory="images/plugin-barman-cloud",
        path="config/crd/bases/barmancloud.cnpg.io_objectstores.yaml",
        sha256="7c98720494253421339acd03aa77487869326ea20d4768a0c3aef8ff076daaef",
        objects_sha256="91a2122b0bc01f806a529ea0e61aa42a6fd24338b933f4f3f65d0e1669e924c4",
    ),
)

MANIFESTS = (
    *_CORE_MANIFESTS,
    *_MONITORING_MANIFESTS,
    *_GATEWAY_MANIFESTS,
    *_SECRETS_MANIFESTS,
    *_BACKUP_MANIFESTS,
)


class _Loader(yaml.CSafeLoader):
    """The fast loader, which by itself fails on a bare `=` (an enum value in some CRDs)."""


_Loader.add_constructor("tag:yaml.org,2002:value", lambda loader, node: str(node.value))


def manifest_steps(paths: Paths) -> list[Step]:
    """The step `vendor manifests`: third-party manifests and schemas, out of verified Go modules into Paths.vendor."""
    targets = [paths.vendor / manifest.name for manifest in MANIFESTS]

    def run(context: StepContext) -> None:
        paths.vendor.mkdir(parents=True, exist_ok=True)
        for manifest, target in zip(MANIFESTS, targets, strict=True):
            _copy(manifest, target, context)

    inputs: list[Path | str] = [repr(MANIFESTS)]
    return [
        Step(name="vendor manifests", run=run, inputs=inputs, outputs=targets, after=["go toolchain"], seconds=15),
    ]


def prepared(manifest: Manifest, content: bytes) -> bytes:
    """What is kept of a vendor's files: their objects as one line of JSON, or the file itself.

    Raises:
        LocalError: the objects are not the pinned ones, or one that is to be left out is not there.
    """
    if not manifest.objects_sha256:
        return content
    objects = [found for found in yaml.load_all(content, Loader=_Loader) if found]  # _Loader is a safe loader
    names = {found["metadata"]["name"] for found in objects if found["kind"] == _DEFINITION}
    if unknown := sorted(set(manifest.without) - names):
        raise LocalError(f"{manifest.path} of module {manifest.module} defines no {', '.join(unknown)}")
    kept = [
        found for found in objects if found["kind"] != _DEFINITION or found["metadata"]["name"] not in manifest.without
    ]
    for schema in (schema for found in kept for schema in _schemas(found)):
        strip(schema)
    result = json.dumps(kept, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
    _require(f"the list of objects in {manifest.path} of module {manifest.module}", result, manifest.objects_sha256)
    return result


def strip(schema: object) -> None:
    """Remove the description of a schema and of all below, 60 % of its bytes; a *property* called so stays."""
    if not isinstance(schema, dict):
        return
    schema.pop("description", None)
    for key in ("properties", "patternProperties"):
        for below in schema.get(key, {}).values():
            strip(below)
    for key in ("items", "additionalProperties", "not"):
        strip(schema.get(key))
    for key in ("allOf", "anyOf", "oneOf"):
        for below in schema.get(key, []):
            strip(below)


def _schemas(found: dict[str, Any]) -> Iterator[object]:
    if found["kind"] == _DEFINITION:
        for version in found["spec"]["versions"]:
            yield version["schema"]["openAPIV3Schema"]


def _copy(manifest: Manifest, target: Path, context: StepContext) -> None:
    module = context.paths.root / manifest.directory
    go = go_toolchain(context.paths)
    # `download` compares the module with go.sum; `list` then tells where its files are.
    context.command([go, "mod", "download", manifest.module], cwd=module)
    answer = subprocess.run(
        [go, "list", "-m", "-json", manifest.module], cwd=module, capture_output=True, text=True, check=False
    )
    if answer.returncode != 0:
        raise LocalError(f"go list -m {manifest.module} failed: {answer.stderr.strip()}")
    content = _content(Path(json.loads(answer.stdout)["Dir"]), manifest)
    _require(f"{manifest.path} of module {manifest.module}", content, manifest.sha256)
    building = target.with_name(f".{target.name}")
    building.write_bytes(prepared(manifest, content))
    building.replace(target)


def _content(module: Path, manifest: Manifest) -> bytes:
    files = sorted(module.glob(manifest.path))
    if not files:
        raise LocalError(f"module {manifest.module} has no file {manifest.path}")
    return b"\n---\n".join(file.read_bytes() for file in files)


def _require(what: str, content: bytes, wanted: str) -> None:
    found = hashlib.sha256(content).hexdigest()
    if found != wanted:
        raise LocalError(
            f"{what} has sha256 {found}, pinned is {wanted}",
            hint="after a wanted change of version, review the file and renew the pin in local/images/manifests.py",
        )
