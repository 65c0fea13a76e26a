"""The pack as the process that the engine starts, asked over gRPC: whatever it is sent, it answers and goes on."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf import json_format, struct_pb2
from hypothesis import given, settings
from hypothesis import strategies as st
from omnibase_policies.examples import POD, example
from pulumi.runtime.proto import analyzer_pb2, analyzer_pb2_grpc

PACK = Path(__file__).resolve().parents[3] / "policies"
POD_TOKEN = "kubernetes:core/v1:Pod"
BAD = example({"spec.hostIPC": True})
_UNBOUNDED = [("grpc.max_send_message_length", -1), ("grpc.max_receive_message_length", -1)]
_KEYS = ("metadata", "spec", "template", "containers", "items", "kind", "annotations", "securityContext", "rules")
_VALUES = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=8),
    lambda below: st.lists(below, max_size=3) | st.dictionaries(st.sampled_from(_KEYS) | st.text(max_size=4), below),
    max_leaves=12,
)


class Pack:
    """The running pack, through the one door that the engine has."""

    def __init__(self, process: subprocess.Popen[bytes], port: int) -> None:
        self._process = process
        self.channel = grpc.insecure_channel(f"127.0.0.1:{port}", options=_UNBOUNDED)
        self._stub = analyzer_pb2_grpc.AnalyzerStub(self.channel)

    def analyze(self, properties: struct_pb2.Struct, token: str = POD_TOKEN) -> dict[str, str]:
        """Message by rule."""
        request = analyzer_pb2.AnalyzeRequest(type=token, properties=properties, urn="urn:x", name="x")
        return self._said(self._stub.Analyze(request, timeout=60))

    def remediate(self, properties: struct_pb2.Struct) -> list[str]:
        """Rules that put something right; the level of no-host-ipc is `remediate` for this one call."""
        config = analyzer_pb2.ConfigureAnalyzerRequest()
        config.policyConfig["no-host-ipc"].enforcementLevel = analyzer_pb2.REMEDIATE
        self._stub.Configure(config)
        request = analyzer_pb2.AnalyzeRequest(type=POD_TOKEN, properties=properties, urn="urn:x", name="x")
        found = [each.policyName for each in self._stub.Remediate(request, timeout=60).remediations]
        self._stub.Configure(analyzer_pb2.ConfigureAnalyzerRequest())
        return found

    def analyze_together(self, *all_properties: struct_pb2.Struct) -> dict[str, str]:
        request = analyzer_pb2.AnalyzeStackRequest()
        for index, properties in enumerate(all_properties):
            request.resources.add(type=POD_TOKEN, properties=properties, urn=f"urn:{index}", name=str(index))
        return self._said(self._stub.AnalyzeStack(request, timeout=60))

    @staticmethod
    def _said(response: analyzer_pb2.AnalyzeResponse) -> dict[str, str]:
        return {each.policyName: each.message for each in response.diagnostics}

    def cpu_seconds(self) -> float:
        """That the process has used since its start."""
        fields = Path(f"/proc/{self._process.pid}/stat").read_text(encoding="ascii").rpartition(") ")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def peak_mebibytes(self) -> float:
        """The most memory that the process has had."""
        lines = Path(f"/proc/{self._process.pid}/status").read_text(encoding="ascii").splitlines()
        return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM"))


@pytest.fixture(scope="module")
def pack() -> Iterator[Pack]:
    process = subprocess.Popen([sys.executable, "__main__.py"], cwd=PACK, stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        with process.stdout:
            made = Pack(process, int(process.stdout.readline()))
            yield made
            made.channel.close()
    finally:
        process.kill()
        process.wait()


def struct(value: Mapping[str, Any]) -> struct_pb2.Struct:
    return json_format.ParseDict(dict(value), struct_pb2.Struct())


def deep(levels: int) -> struct_pb2.Value:
    """A mapping in a mapping, so many times."""
    value = struct_pb2.Value(string_value="x")
    for _ in range(levels):
        above = struct_pb2.Value()
        above.struct_value.fields["a"].CopyFrom(value)
        value = above
    return value


def with_annotation(manifest: Mapping[str, Any], value: struct_pb2.Value) -> struct_pb2.Struct:
    properties = struct(manifest)
    metadata = properties.fields["metadata"].struct_value
    metadata.fields["annotations"].struct_value.fields["note"].CopyFrom(value)
    return properties


@pytest.mark.parametrize("levels", [200, 400, 2000])
def test_a_resource_that_is_nested_without_sense_is_judged_or_stopped_and_the_next_one_is_judged(
    levels: int, pack: Pack
) -> None:
    said = pack.analyze(with_annotation(BAD, deep(levels)))
    assert said.keys() <= {"readable-pod", "no-host-ipc"}
    assert said, "it must not pass"
    assert "nested too deeply to be judged" in said.get("readable-pod", "nested too deeply to be judged")
    assert pack.analyze(struct(BAD)).keys() == {"no-host-ipc"}


def test_what_cannot_be_written_again_is_left_to_the_rules_that_judge(pack: Pack) -> None:
    assert pack.remediate(struct(BAD)) == ["no-host-ipc"]
    assert pack.remediate(with_annotation(BAD, deep(2000))) == []
    assert pack.remediate(with_annotation(BAD, struct_pb2.Value(number_value=float("inf")))) == ["no-host-ipc"]


def test_lists_in_each_other_do_not_pass(pack: Pack) -> None:
    value: dict[str, Any] = {"kind": "List", "items": [BAD]}
    for _ in range(110):
        value = {"kind": "List", "items": [value]}
    properties = json_format.ParseDict(value, struct_pb2.Struct(), max_recursion_depth=2000)
    assert pack.analyze(properties, "kubernetes:core/v1:List").keys() == {"readable-pod"}


def test_the_rules_over_the_whole_stack_judge_what_can_be_read(pack: Pack) -> None:
    alone = pack.analyze_together(struct(POD))
    assert "netpol-covers-every-workload" in alone
    assert pack.analyze_together(with_annotation(POD, deep(2000)), struct(POD)) == alone


@pytest.mark.req("C5.9")
def test_annotations_of_ten_megabytes_and_five_hundred_containers_are_judged_in_bounded_time_and_memory(
    pack: Pack,
) -> None:
    pod = example({"metadata.annotations.note": "x" * 10_000_000, "spec.hostIPC": True})
    pod["spec"]["containers"] = [{**pod["spec"]["containers"][0], "name": f"c{index}"} for index in range(500)]
    properties = struct(pod)
    before, began = pack.cpu_seconds(), time.process_time()
    for _ in range(3):
        assert "no-host-ipc" in pack.analyze(properties)
    assert pack.cpu_seconds() - before < 6, "of the pack's CPU time"
    assert time.process_time() - began < 6, "of the caller's"
    assert pack.peak_mebibytes() < 300


def test_a_number_without_end_is_judged(pack: Pack) -> None:
    assert "max-replicas" in pack.analyze(struct({"spec": {"replicas": float("inf")}}), "kubernetes:apps/v1:Deployment")


@settings(max_examples=100)
@given(properties=st.dictionaries(st.sampled_from(_KEYS), _VALUES, max_size=4), kind=st.sampled_from(["Pod", "List"]))
def test_every_message_is_answered(pack: Pack, properties: dict[str, Any], kind: str) -> None:
    said = pack.analyze(struct(properties), f"kubernetes:core/v1:{kind}")
    assert not [message for message in said.values() if "itself failed" in message]
    pack.analyze_together(struct(properties), struct(BAD))
