"""The gRPC service: messages, errors with their details, configuration, invokes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import grpc
import pytest
from google.protobuf import empty_pb2
from pulumi.runtime.proto import provider_pb2, status_pb2

from local.errors import InputError
from local.plugins.common.convert import decode, encode
from local.plugins.common.values import UNKNOWN, Json, Object, Secret
from local.plugins.kubernetes import checking, settings
from local.plugins.kubernetes.provider import KubernetesProvider
from local.plugins.kubernetes.session import Session
from local.plugins.kubernetes.settings import Settings
from tests.unit.local.plugins.kubernetes.fake_api import PLACE, FakeApi, config_map, disconnected, session, urn


class AbortedError(Exception):
    """What gRPC raises when a call is aborted."""


class Context:
    """The part of a gRPC context that the service uses."""

    def __init__(self) -> None:
        self.trailing: dict[str, bytes] = {}

    def abort(self, code: grpc.StatusCode, details: str) -> NoReturn:
        raise AbortedError(f"{code.name}: {details}")

    def set_trailing_metadata(self, metadata: Json) -> None:
        self.trailing = dict(metadata)


@pytest.fixture
def context() -> Json:  # passes for a gRPC context
    return Context()


def provider(made: Session) -> KubernetesProvider:
    found = KubernetesProvider()
    found._configured = made
    return found


def test_the_handshake_takes_secrets_and_nothing_newer(context: Json) -> None:
    answer = KubernetesProvider().Handshake(provider_pb2.ProviderHandshakeRequest(), context)
    assert answer.accept_secrets
    assert answer.supports_autonaming_configuration
    assert not answer.accept_outputs
    assert not answer.accept_resources


def test_the_version_says_that_it_is_the_stand_in(context: Json) -> None:
    assert KubernetesProvider().GetPluginInfo(empty_pb2.Empty(), context).version == "4.34.2+omnibase.offline"


def test_an_object_lives_through_the_whole_service(tmp_path: Path, context: Json) -> None:
    api = FakeApi()
    service = provider(session(api, tmp_path, mutable_config_maps=True))
    news = encode({"metadata": {"name": "thing"}, "data": {"a": "x"}})
    checked = service.Check(provider_pb2.CheckRequest(urn=urn(), news=news), context).inputs
    assert decode(checked) == config_map(a="x")
    created = service.Create(provider_pb2.CreateRequest(urn=urn(), properties=checked), context)
    assert created.id == "space/thing"
    changed = encode(config_map(a="y"))
    planned = service.Diff(provider_pb2.DiffRequest(urn=urn(), olds=created.properties, news=changed), context)
    assert planned.changes == provider_pb2.DiffResponse.DIFF_SOME
    assert {path: entry.kind for path, entry in planned.detailedDiff.items()} == {
        "data.a": provider_pb2.PropertyDiff.UPDATE
    }
    updated = service.Update(provider_pb2.UpdateRequest(urn=urn(), olds=created.properties, news=changed), context)
    assert decode(updated.properties)["data"] == {"a": "y"}
    request = provider_pb2.ReadRequest(urn=urn(), id="space/thing", properties=updated.properties, inputs=changed)
    assert decode(service.Read(request, context).inputs) == config_map(a="y")
    service.Delete(provider_pb2.DeleteRequest(urn=urn(), id="space/thing", properties=updated.properties), context)
    assert PLACE not in api.objects
    request = provider_pb2.ReadRequest(urn=urn(), id="space/thing", properties=updated.properties, inputs=changed)
    assert service.Read(request, context).id == ""


def test_inputs_that_stay_are_no_change_but_a_job_may_have_to_be_made_anew(tmp_path: Path, context: Json) -> None:
    service = provider(session(FakeApi(), tmp_path))
    olds, same = encode({"__inputs": {"data": {"a": "was compared"}}}), encode(config_map(a="x"))
    none, some = provider_pb2.DiffResponse.DIFF_NONE, provider_pb2.DiffResponse.DIFF_SOME

    def planned(news: Object, old_inputs: Object | None) -> int:
        request = provider_pb2.DiffRequest(urn=urn(), olds=olds, news=encode(news))
        if old_inputs is not None:
            request.old_inputs.CopyFrom(encode(old_inputs))
        return int(service.Diff(request, context).changes)

    assert planned(config_map(a="x"), decode(same)) == none
    assert planned(config_map(a="y"), decode(same)) == some
    assert planned(config_map(a="x"), None) == some  # an engine that does not send them
    job = {**config_map(a="x"), "apiVersion": "batch/v1", "kind": "Job"}
    assert planned(job, job) == some


def test_inputs_that_were_checked_before_are_not_read_again_and_drift_is(
    tmp_path: Path, context: Json, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = provider(session(FakeApi(), tmp_path))

    def checked(olds: Object, news: Object) -> Object:
        request = provider_pb2.CheckRequest(urn=urn(), olds=encode(olds), news=encode(news))
        return decode(service.Check(request, context).inputs)

    once = checked({}, {"metadata": {"name": "thing"}, "data": {"a": "x"}})
    assert checked(once, once) == once
    reads: list[Object] = []

    def check(_session: Session, _urn: str, _old: Object, new: Object, _naming: object) -> Object:
        reads.append(new)
        return new

    monkeypatch.setattr(checking, "check", check)
    assert checked(once, once) == once
    assert not reads
    drifted = {**once, "data": {"a": "changed by hand"}}
    assert checked(drifted, once) == once
    assert checked({}, once) == once
    assert reads == [once, once]


def test_a_preview_without_a_cluster_returns_secrets_and_unknowns_as_they_came(context: Json) -> None:
    service = provider(disconnected())
    news = encode({**config_map(a="x"), "data": {"a": Secret("hidden"), "b": UNKNOWN}})
    answer = service.Create(provider_pb2.CreateRequest(urn=urn(), properties=news, preview=True), context)
    assert (answer.id, answer.properties) == ("", news)


def test_a_failed_wait_is_an_error_that_carries_the_state(tmp_path: Path, context: Json) -> None:
    service = provider(session(FakeApi(), tmp_path))
    metadata = {"name": "web", "namespace": "space", "annotations": {"pulumi.com/timeoutSeconds": "0"}}
    news: Object = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": {}}
    with pytest.raises(AbortedError, match="timed out waiting to be Ready"):
        service.Create(provider_pb2.CreateRequest(urn=urn("apps/v1:Deployment"), properties=encode(news)), context)
    status = status_pb2.Status.FromString(context.trailing["grpc-status-details-bin"])
    detail = provider_pb2.ErrorResourceInitFailed()
    assert status.details[0].Unpack(detail)
    assert detail.id == "space/web"
    assert decode(detail.properties)["__inputs"] == news
    assert "timed out" in detail.reasons[0]


def test_cancel_ends_waits_at_once(tmp_path: Path, context: Json) -> None:
    made = session(FakeApi(), tmp_path)
    service = KubernetesProvider()
    service._configured = made
    made.cancelled = service._cancelled
    service.Cancel(empty_pb2.Empty(), context)
    news: Object = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "namespace": "space"}}
    with pytest.raises(AbortedError, match="was cancelled for 'web'"):
        service.Create(provider_pb2.CreateRequest(urn=urn("apps/v1:Deployment"), properties=encode(news)), context)


def test_manifests_are_decoded_with_a_default_namespace(tmp_path: Path, context: Json) -> None:
    text = """
apiVersion: v1
kind: ConfigMap
metadata: {name: a}
data: {when: 2020-01-01, sign: =}
---
---
apiVersion: v1
kind: Namespace
metadata: {name: b}
"""
    service = provider(session(FakeApi(), tmp_path))
    args = encode({"text": text, "defaultNamespace": "space"})
    answer = service.Invoke(provider_pb2.InvokeRequest(tok="kubernetes:yaml:decode", args=args), context)
    first, second = decode(getattr(answer, "return"))["result"]
    assert first["metadata"] == {"name": "a", "namespace": "space"}
    assert first["data"] == {"when": "2020-01-01", "sign": "="}
    assert second["metadata"] == {"name": "b"}


@pytest.mark.parametrize(
    ("tok", "args", "message"),
    [
        ("kubernetes:yaml:decode", {}, "missing required field 'text'"),
        ("kubernetes:yaml:decode", {"text": "{"}, "not valid YAML"),
        ("kubernetes:helm:template", {}, "Helm charts need the official"),
        ("kubernetes:kustomize:directory", {}, "kustomize directories need the official"),
        ("kubernetes:other:thing", {}, "unknown Invoke type"),
    ],
)
def test_invokes_that_cannot_be_served_say_why(context: Json, tok: str, args: Object, message: str) -> None:
    with pytest.raises(AbortedError, match=message):
        provider(disconnected()).Invoke(provider_pb2.InvokeRequest(tok=tok, args=encode(args)), context)


def test_component_types_and_use_before_configuration_are_refused(context: Json) -> None:
    with pytest.raises(AbortedError, match="needs the official kubernetes provider"):
        KubernetesProvider().Construct(provider_pb2.ConstructRequest(type="kubernetes:yaml/v2:ConfigGroup"), context)
    with pytest.raises(AbortedError, match="before it was configured"):
        KubernetesProvider().Create(provider_pb2.CreateRequest(urn=urn()), context)


def test_a_broken_kubeconfig_is_reported_where_the_cluster_is_needed(context: Json) -> None:
    service = KubernetesProvider()
    variables = {"kubernetes:config:kubeconfig": "/no/such/file"}
    service.Configure(provider_pb2.ConfigureRequest(variables=variables, acceptSecrets=True), context)
    with pytest.raises(AbortedError, match=r"unreachable.*neither an existing file nor"):
        service.Create(provider_pb2.CreateRequest(urn=urn(), properties=encode(config_map())), context)


def test_settings_come_from_variables_then_from_the_environment() -> None:
    env = {"PULUMI_K8S_ENABLE_SECRET_MUTABLE": "true", "PULUMI_K8S_ENABLE_PATCH_FORCE": "true"}
    found = Settings.read({"kubernetes:config:enablePatchForce": "false", "kubernetes:config:namespace": "n"}, env)
    assert (found.mutable_secrets, found.patch_force, found.namespace) == (True, False, "n")
    assert found.server_side_apply
    with pytest.raises(InputError, match="renderYamlToDirectory='out'"):
        Settings.read({"kubernetes:config:renderYamlToDirectory": "out"}, {})


@pytest.mark.parametrize(
    ("name", "news", "properties"),
    [
        ("default_4_34_2", {"kubeconfig": "x", "context": "c"}, [""]),
        ("mine", {}, ["kubeconfig", "context"]),
        ("mine", {"kubeconfig": "x", "context": "c"}, []),
    ],
)
def test_strict_mode_wants_an_explicit_cluster(
    monkeypatch: pytest.MonkeyPatch, context: Json, name: str, news: Object, properties: list[str]
) -> None:
    monkeypatch.setenv("PULUMI_CONFIG", json.dumps({"strictMode": "true"}))
    where = f"urn:pulumi:dev::tiny::pulumi:providers:kubernetes::{name}"
    answer = KubernetesProvider().CheckConfig(provider_pb2.CheckRequest(urn=where, news=encode(news)), context)
    assert [failure.property for failure in answer.failures] == properties


def kubeconfig(server: str) -> str:
    return json.dumps(
        {
            "current-context": "c",
            "contexts": [{"name": "c", "context": {"cluster": "c"}}],
            "clusters": [{"name": "c", "cluster": {"server": server}}],
        }
    )


_ONE, _TWO = kubeconfig("https://one.test"), kubeconfig("https://two.test")


@pytest.mark.parametrize(
    ("olds", "news", "changed", "replaces"),
    [
        ({"kubeconfig": _ONE}, {"kubeconfig": _ONE}, (), ()),
        ({"kubeconfig": _ONE}, {"kubeconfig": _TWO}, ("kubeconfig",), ("kubeconfig",)),
        ({"kubeconfig": _ONE}, {"kubeconfig": _ONE + " "}, ("kubeconfig",), ()),
        ({"namespace": "a"}, {"namespace": "b"}, ("namespace",), ()),
        ({"kubeconfig": _ONE}, {"kubeconfig": UNKNOWN}, ("kubeconfig",), ("kubeconfig",)),
        (
            {"kubeconfig": _ONE, "clusterIdentifier": "x"}, {"kubeconfig": _TWO, "clusterIdentifier": "x"},
            ("kubeconfig",), (),
        ),
        ({"clusterIdentifier": "x"}, {"clusterIdentifier": "y"}, ("clusterIdentifier",), ("clusterIdentifier",)),
    ],
)  # fmt: skip
def test_another_cluster_replaces_the_resources(
    olds: Object, news: Object, changed: tuple[str, ...], replaces: tuple[str, ...]
) -> None:
    found = settings.compare(olds, news)
    assert (found.changed, found.replaces) == (changed, replaces)


def test_the_schema_names_the_types_and_inputs_of_the_sdk(context: Json) -> None:
    schema = json.loads(KubernetesProvider().GetSchema(provider_pb2.GetSchemaRequest(), context).schema)
    assert schema["name"] == "kubernetes"
    inputs = schema["resources"]["kubernetes:apps/v1:Deployment"]["inputProperties"]
    assert {"apiVersion", "kind", "metadata", "spec"} <= set(inputs)
    assert "stringData" in schema["resources"]["kubernetes:core/v1:Secret"]["inputProperties"]


@pytest.fixture
def service() -> Iterator[str]:
    """The plugin as a process's servicer, on a real port."""
    from concurrent import futures  # noqa: PLC0415

    from pulumi.runtime.proto import provider_pb2_grpc  # noqa: PLC0415

    server = grpc.server(futures.ThreadPoolExecutor(4))
    provider_pb2_grpc.add_ResourceProviderServicer_to_server(provider(disconnected()), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield f"127.0.0.1:{port}"
    server.stop(None)


def test_errors_reach_a_real_client_with_their_words(service: str) -> None:
    from pulumi.runtime.proto import provider_pb2_grpc  # noqa: PLC0415

    with grpc.insecure_channel(service) as channel:
        stub = provider_pb2_grpc.ResourceProviderStub(channel)
        with pytest.raises(grpc.RpcError) as caught:
            stub.Create(provider_pb2.CreateRequest(urn=urn(), properties=encode(config_map())))
    assert "nobody answers" in str(caught.value)
