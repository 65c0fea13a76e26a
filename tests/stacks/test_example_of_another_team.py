"""The example of another team, on what the platform really says of a consumer."""

from __future__ import annotations

import functools
import runpy
from typing import Any

import pytest
from google.protobuf import struct_pb2
from pulumi.runtime.proto import resource_pb2

from tests.stacks.support.fleet import record_prod
from tests.stacks.support.recorder import Recorder, record
from tests.stacks.support.stacks import ROOT

_PROJECT = "app-stack"
_REFERENCE = "organization/omnibase-infra/prod"


@functools.cache
def told() -> dict[str, Any]:
    """What the platform's stack says of its one consumer."""
    consumers = {"guestbook": {"databases": {"reference": {"endpoints": ["rw", "ro"]}}}}
    found = record_prod({}, postgres={"authority": "environment", "consumers": consumers})
    outputs = next(each for urn, each in found.outputs.items() if ":Platform::" in urn)
    return {key: outputs[key] for key in ("database_connections", "database_rw_endpoint", "images")}


def recorded(monkeypatch: pytest.MonkeyPatch, outputs: dict[str, Any], **settings: str) -> Recorder:
    """The program's graph beside a platform with these outputs."""

    def read(_: Recorder, request: resource_pb2.ReadResourceRequest) -> resource_pb2.ReadResourceResponse:
        assert request.type == "pulumi:pulumi:StackReference"
        properties = struct_pb2.Struct()
        properties.update({"name": _REFERENCE, "outputs": outputs, "secretOutputNames": []})
        return resource_pb2.ReadResourceResponse(urn=request.name, properties=properties)

    monkeypatch.setattr(Recorder, "ReadResource", read)
    config = {"platform": _REFERENCE, "environment": "prod", "context": "nowhere", **settings}
    program = ROOT / "examples" / _PROJECT / "__main__.py"
    return record(
        lambda: runpy.run_path(str(program)),
        project=_PROJECT,
        config={f"{_PROJECT}:{key}": value for key, value in config.items()},
    )


@pytest.mark.req("C2.8", "R20")
def test_it_finds_everything_in_the_document_and_the_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    found = recorded(monkeypatch, told()).registrations()
    (deployment,) = [each.manifest for each in found if each.type == "kubernetes:apps/v1:Deployment"]
    assert deployment["metadata"]["namespace"] == "omnibase-prod"
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    env = {each["name"].removeprefix("REFERENCE_DATABASE_"): each.get("value") for each in container["env"]}
    host, _, port = told()["database_rw_endpoint"].rpartition(":")
    assert (env["RW_HOST"], env["PORT"], env["NAME"], env["SSLMODE"]) == (host, port, "reference", "verify-full")
    given = told()["database_connections"]["guestbook"]["reference"]
    volumes = {each["name"]: each["secret"] for each in deployment["spec"]["template"]["spec"]["volumes"]
               if "secret" in each}  # fmt: skip
    (mount,) = [each for each in container["volumeMounts"] if each["name"] in volumes]
    assert volumes[mount["name"]]["secretName"] == given["secret"]
    keys = {each["key"] for each in volumes[mount["name"]]["items"]}
    assert {env["PASSWORD_FILE"], env["CA_FILE"]} == {f"{mount['mountPath']}/{key}" for key in keys}


def test_a_platform_that_does_not_know_it_is_named_with_the_setting_to_make(monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = r"postgres\.consumers\.guestbook\.databases\.ledger, see README"
    with pytest.raises(Exception, match=wanted) as failed:
        recorded(monkeypatch, told(), database="ledger")
    assert _REFERENCE in str(failed.value)
