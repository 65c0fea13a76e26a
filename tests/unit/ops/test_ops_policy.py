"""`ops policy` over what others made: sources, settings, reports, exit codes, and no value that could be a secret."""

from __future__ import annotations

import copy
import datetime
import json
import time
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as Xml

import jsonschema
import pytest
import yaml
from omnibase_policies.examples import POD, example
from omnibase_policies.model import every_rule
from typer.testing import CliRunner, Result

from local.errors import InputError
from ops.cli import app, policy
from ops.policy.shown import shown_value

PRIVILEGED = example({"spec.containers.0.securityContext.privileged": True})
PLACE = "spec.containers[0].securityContext.privileged"
CANARY = "canary-7c1f9d5e"
WAIVER_NOTE = "omnibase.io/waiver.no-host-pid"
WAIVER = {"object": "Pod/orders/orders", "reason": "the probe needs it", "owner": "data", "until": "2999-01-31"}
SARIF = {
    "type": "object",
    "required": ["version", "runs"],
    "properties": {
        "version": {"const": "2.1.0"},
        "$schema": {"type": "string", "format": "uri"},
        "runs": {
            "type": "array",
            "minItems": 1,
            "items": {
                "type": "object",
                "required": ["tool", "results"],
                "properties": {
                    "tool": {
                        "type": "object",
                        "required": ["driver"],
                        "properties": {
                            "driver": {
                                "type": "object",
                                "required": ["name", "rules"],
                                "properties": {
                                    "rules": {
                                        "type": "array",
                                        "uniqueItems": True,
                                        "items": {
                                            "type": "object",
                                            "required": ["id", "shortDescription", "help", "defaultConfiguration"],
                                        },
                                    }
                                },
                            }
                        },
                    },
                    "results": {
                        "type": "array",
                        "items": {
                            "type": "object",
                            "required": ["ruleId", "ruleIndex", "level", "message", "locations"],
                            "properties": {
                                "level": {"enum": ["none", "note", "warning", "error"]},
                                "kind": {"enum": ["fail", "open"]},
                                "message": {"type": "object", "required": ["text"]},
                                "ruleIndex": {"type": "integer", "minimum": 0},
                                "locations": {
                                    "type": "array",
                                    "minItems": 1,
                                    "items": {
                                        "type": "object",
                                        "properties": {
                                            "physicalLocation": {
                                                "type": "object",
                                                "required": ["artifactLocation"],
                                                "properties": {
                                                    "region": {
                                                        "properties": {"startLine": {"type": "integer", "minimum": 1}}
                                                    }
                                                },
                                            }
                                        },
                                    },
                                },
                            },
                        },
                    },
                },
            },
        },
    },
}
"""What SARIF 2.1.0 demands of the parts that are written here, in our words."""


def run(*arguments: str | Path, given: str | None = None) -> Result:
    """As in a shell, on files that are not a whole stack."""
    words = [*map(str, arguments), *(["--part"] if arguments[0] == "check" else [])]
    return CliRunner().invoke(policy, words, input=given, catch_exceptions=True)  # `app` makes all commands anew


def complaint(*arguments: str | Path, given: str | None = None) -> str:
    """Of bad input, which `main` prints and ends with 2."""
    error = run("check", *arguments, given=given).exception
    assert isinstance(error, InputError), error
    assert error.exit_code == 2
    return str(error)


@pytest.fixture
def manifests(tmp_path: Path) -> Path:
    """A clean pod and one that is privileged, in one file with a comment and an empty document."""
    file = tmp_path / "orders.yaml"
    other = copy.deepcopy(POD)
    other["metadata"]["name"] = "others"
    file.write_text(f"# two pods\n---\n{yaml.safe_dump(other)}---\n---\n{yaml.safe_dump(PRIVILEGED)}", encoding="utf-8")
    return file


def found(file: Path, *arguments: str | Path) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(run("check", file, "--json", *arguments).stdout)
    return document


def test_a_mandatory_violation_ends_with_1_and_says_where_why_and_what_to_do(manifests: Path) -> None:
    ended = run("check", manifests)
    assert ended.exit_code == 1
    line = next(line for line in ended.stdout.splitlines() if line.startswith("mandatory\t"))
    assert line.split("\t")[1:4] == ["Pod/orders/orders", "no-privileged", f"{PLACE} = true: must be false or not set"]
    rule = every_rule()["no-privileged"]
    assert rule.rationale in ended.stdout
    assert rule.remedy in ended.stdout
    assert "2 resources judged for prod: 1 mandatory" in ended.stdout


def test_a_finding_names_the_line_of_its_field(manifests: Path) -> None:
    (finding,) = found(manifests)["findings"]
    text = manifests.read_text(encoding="utf-8").splitlines()
    assert text[finding["line"] - 1].strip() == "privileged: true"


def test_clean_manifests_end_with_0(tmp_path: Path) -> None:
    file = tmp_path / "pod.json"
    file.write_text(json.dumps(POD), encoding="utf-8")
    ended = run("check", file)
    assert (ended.exit_code, ended.stdout) == (0, "1 resource judged for prod: no finding\n")


def test_files_are_a_whole_stack_unless_it_is_said_that_they_are_a_part(manifests: Path) -> None:
    ended = CliRunner().invoke(app, ["policy", "check", str(manifests)])
    assert "service-account-exists" in ended.stdout
    assert "service-account-exists" not in run("check", manifests).stdout


def test_in_dev_the_same_is_advice(manifests: Path) -> None:
    ended = run("check", manifests, "--tier", "dev")
    assert ended.exit_code == 0
    assert "advisory\tPod/orders/orders\tno-privileged" in ended.stdout


def test_standard_input_and_directories_are_read_and_what_is_no_object_is_skipped_there(
    manifests: Path, tmp_path: Path
) -> None:
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "values.yaml").write_text("replicas: 3\n", encoding="utf-8")
    (tmp_path / "below" / "note.txt").write_text("[", encoding="utf-8")
    report = found(tmp_path)
    assert [each["rule"] for each in report["findings"]] == ["no-privileged"]
    assert report["skipped"] == [f"{tmp_path / 'below' / 'values.yaml'}:1"]
    ended = run("check", "-", given=manifests.read_text(encoding="utf-8"))
    assert ended.exit_code == 1


def stack(*resources: dict[str, Any]) -> dict[str, Any]:
    return {"version": 3, "deployment": {"resources": list(resources)}}


def resource(inputs: dict[str, Any], type_: str = "kubernetes:core/v1:Pod", name: str = "orders") -> dict[str, Any]:
    return {"urn": f"urn:pulumi:prod::p::{type_}::{name}", "type": type_, "custom": True, "inputs": inputs}


@pytest.mark.parametrize("form", ["export", "preview", "graph"])
def test_resources_of_a_stack_a_preview_and_a_graph_are_judged_by_their_types(form: str, tmp_path: Path) -> None:
    bare = {key: value for key, value in PRIVILEGED.items() if key != "kind"}
    pet = resource({}, "random:index/randomPet:RandomPet", "pet")
    resources = [resource({}, "pulumi:pulumi:Stack", "p-prod"), pet, resource(bare)]
    documents = {
        "export": stack(*resources),
        "preview": {"steps": [{"op": "create", "newState": each} for each in resources] + [{"op": "delete"}]},
        "graph": resources,
    }
    file = tmp_path / "state.json"
    file.write_text(json.dumps(documents[form]), encoding="utf-8")
    report = found(file)
    assert [(each["rule"], each["resource"]) for each in report["findings"]] == [("no-privileged", "Pod/orders/orders")]
    assert (report["resources"], report["others"]) == (["Pod/orders/orders", "PulumiStack/p-prod"], 1)


def test_what_an_export_keeps_encrypted_cannot_be_told_and_does_not_stop(tmp_path: Path) -> None:
    secret = {"4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270", "ciphertext": CANARY}
    file = tmp_path / "state.json"
    file.write_text(json.dumps(stack(resource(example({"spec.hostPID": secret})))), encoding="utf-8")
    ended = run("check", file)
    assert ended.exit_code == 0
    assert "cannot tell\tPod/orders/orders\tno-host-pid" in ended.stdout
    assert CANARY not in ended.stdout


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [", "is no YAML: line 2, column 1"),
        ("kind: Pod\nmetadata: {day: 2026-13-01}", "month must be in 1..12"),
        ("!!python/object:os.system {}", "could not determine a constructor"),
        ("replicas: 3\n", "line 1: is no Kubernetes object"),
        ("", "no Kubernetes object in it"),
        ("[" * 3000, "is nested too deeply"),
        ('{"kind": ' + '{"a": ' * 200_000, "is nested too deeply"),
    ],
)
def test_what_cannot_be_read_is_refused_with_the_reason(text: str, message: str, tmp_path: Path) -> None:
    file = tmp_path / "bad.yaml"
    file.write_text(text, encoding="utf-8")
    assert message in complaint(file)


_STRANGE_YAML = """
kind: Pod
metadata: &m {name: 2026-01-01, namespace: !!binary aGVsbG8=, labels: !!set {a, b}, annotations: *m, 1: 2, true: 3}
spec: &s {containers: [*s, 2026-01-01], volumes: *s, hostPID: !!binary aGVsbG8=, initContainers: !!set {a}}
"""
_BOMB = "a0: &a0 [x, x, x, x]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}, *a{n - 1}]\n" for n in range(1, 60))


@pytest.mark.parametrize("form", ["text", "json", "sarif", "junit", "markdown"])
@pytest.mark.parametrize(
    ("text", "rule"),
    [
        (_STRANGE_YAML, "readable-pod"),
        ("kind: !!binary aGVsbG8=\nmetadata: {name: a, namespace: b}\n", "readable-pod"),
        (f"kind: Pod\n{_BOMB}spec: {{containers: *a59, volumes: *a59}}\n", "readable-pod"),
        (f"kind: Pod\nspec: {{hostPID: true, a: {'{a: ' * 300}{'}' * 300}}}\n", "no-host-pid"),
        (f"kind: Service\nspec: {{type: NodePort, ports: [{{port: {'9' * 400}}}]}}\n", "no-nodeport"),
        ('{"kind": "Pod", "spec": {"hostPID": true, "containers": [{"name": NaN, "ports": [1e400]}]}}', "no-host-pid"),
        ('{"kind": "Pod", "metadata": {"name": "\\ud800"}, "spec": {"hostPID": true}}', "no-host-pid"),
        (json.dumps(stack({"type": "kubernetes:core/v1:Pod", "inputs": [1]}, {"type": 5})), "readable-pod"),
    ],
)
def test_whatever_can_be_read_is_judged_and_reported_in_every_form(
    text: str, rule: str, form: str, tmp_path: Path
) -> None:
    file = tmp_path / "strange.yaml"
    file.write_text(text, encoding="utf-8")
    before = time.process_time()
    ended = run("check", file, "--format", form)
    assert ended.exit_code == 1, ended.exception
    assert rule in ended.stdout
    assert "itself failed" not in ended.stdout
    assert time.process_time() - before < 5


def test_names_of_others_cannot_speak_to_the_terminal(tmp_path: Path) -> None:
    evil = "a\x1b[2J\x07\u202e"
    pod = example({"spec.hostPID": True, f"metadata.annotations.{WAIVER_NOTE}": f"2026-12-31; {evil}; {evil}"})
    pod["metadata"]["name"] = evil
    pod["spec"]["containers"][0]["resources"]["limits"] = {evil: "1"}
    file = tmp_path / "evil.json"
    file.write_text(json.dumps(pod), encoding="utf-8")
    for form in ("text", "json", "sarif", "markdown"):
        said = run("check", file, "--format", form, "--tier", "dev").stdout
        assert "Pod/orders/a?[2J??" in said
        assert not {"\x1b", "\x07", "\u202e"} & set(said)


def test_all_files_that_cannot_be_read_are_named_at_once(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_bytes(b"\xff\xfe\x00")
    said = complaint(tmp_path / "a.yaml", tmp_path / "none.yaml")
    assert "is not UTF-8" in said
    assert "No such file" in said


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ("minimum_di: 1\n", "did you mean 'minimum_id'"),
        ("minimum_id: many\n", "whole numbers from 1"),
        ("no-privilegd: advisory\n", "did you mean 'no-privileged'"),
        ("no-privileged: weak\n", "allowed are mandatory"),
        ("no-privileged: {waivers: [{object: Pod/x}]}\n", "exactly the fields"),
        ("no-privileged: {waivers: Pod/x}\n", "no-privileged: waivers must be a list of mappings"),
        ("no-privileged: {enforcmentLevel: advisory}\n", "'enforcmentLevel' is unknown"),
        ("all: {waivers: [{object: Pod/x}]}\n", "all: 'waivers' is not allowed here"),
        ("[1]", "holds no settings"),
        ("a: [", "is neither YAML nor JSON"),
    ],
)
def test_wrong_settings_are_refused_before_anything_is_judged(
    settings: str, message: str, manifests: Path, tmp_path: Path
) -> None:
    file = tmp_path / "settings.yaml"
    file.write_text(settings, encoding="utf-8")
    assert message in complaint(manifests, "--parameters", file)


def test_an_unknown_tier_is_refused(manifests: Path) -> None:
    assert "allowed are dev, test, staging, prod" in complaint(manifests, "--tier", "production")


def test_parameters_of_rules_are_obeyed(tmp_path: Path) -> None:
    file, settings = tmp_path / "pod.yaml", tmp_path / "settings.yaml"
    file.write_text(yaml.safe_dump(example({"spec.securityContext.runAsUser": 1000})), encoding="utf-8")
    settings.write_text("minimum_id: 1000\n", encoding="utf-8")
    assert [each["rule"] for each in found(file)["findings"]] == ["high-uid-gid"]
    assert found(file, "--parameters", settings)["findings"] == []


def pack_settings(tmp_path: Path, content: dict[str, Any]) -> Path:
    file = tmp_path / "prod.json"
    file.write_text(json.dumps(content), encoding="utf-8")
    return file


@pytest.mark.parametrize(("level", "code", "rules"), [("advisory", 0, ["no-privileged"]), ("disabled", 0, [])])
def test_levels_of_a_configuration_of_the_pack_are_obeyed(
    level: str, code: int, rules: list[str], manifests: Path, tmp_path: Path
) -> None:
    settings = pack_settings(tmp_path, {"all": level, "no-host-pid": {"enforcementLevel": "mandatory"}})
    assert run("check", manifests, "--parameters", settings).exit_code == code
    assert [each["rule"] for each in found(manifests, "--parameters", settings)["findings"]] == rules


@pytest.mark.req("C5.10", "V28")
def test_waivers_are_listed_with_owner_reason_and_end_and_one_that_ended_counts_no_more(
    manifests: Path, tmp_path: Path
) -> None:
    holding = pack_settings(tmp_path, {"no-privileged": {"waivers": [WAIVER]}})
    ended = run("check", manifests, "--parameters", holding)
    assert ended.exit_code == 0
    assert "(accepted by data until 2999-01-31: the probe needs it)" in ended.stdout
    listed = "no-privileged (in force)\tPod/orders/orders\t2999-01-31\tdata\tthe probe needs it"
    assert listed in ended.stdout
    over = pack_settings(tmp_path, {"no-privileged": {"waivers": [{**WAIVER, "until": "2020-01-31"}]}})
    ended = run("check", manifests, "--parameters", over)
    assert ended.exit_code == 1
    assert "the waiver of data ended on 2020-01-31" in ended.stdout
    assert "no-privileged (ended)" in ended.stdout


@pytest.mark.req("C5.10", "V28")
@pytest.mark.parametrize(("days", "code", "standing"), [(30, 0, "in force"), (-30, 1, "ended")])
def test_a_waiver_in_an_annotation_is_listed_as_those_of_the_settings_are(
    days: int, code: int, standing: str, tmp_path: Path
) -> None:
    until = datetime.datetime.now(tz=datetime.UTC).date() + datetime.timedelta(days=days)
    file, note = tmp_path / "pod.yaml", f"{until}; data; the probe needs it"
    changes = {"spec.hostIPC": True, "metadata.annotations.omnibase.io/waiver.no-host-ipc": note}
    file.write_text(yaml.safe_dump(example(changes)), encoding="utf-8")
    assert run("check", file).exit_code == code
    (waiver,) = found(file)["waivers"]
    assert (waiver["rule"], waiver["owner"], waiver["standing"]) == ("no-host-ipc", "data", standing)


def test_a_waiver_that_nothing_needs_is_said_to_be_so(manifests: Path, tmp_path: Path) -> None:
    settings = pack_settings(tmp_path, {"no-host-pid": {"waivers": [WAIVER]}})
    (waiver,) = found(manifests, "--parameters", settings)["waivers"]
    assert waiver["standing"] == "not needed"


def test_sarif_has_what_its_schema_demands_and_points_at_the_line(manifests: Path, tmp_path: Path) -> None:
    settings = pack_settings(tmp_path, {"no-privileged": {"waivers": [WAIVER]}})
    without: list[str | Path] = []
    for more, level in ((without, "error"), ([*without, "--parameters", settings], "note")):
        log = json.loads(run("check", manifests, "--format", "sarif", *more).stdout)
        jsonschema.validate(log, SARIF, format_checker=jsonschema.FormatChecker())
        (result,) = log["runs"][0]["results"]
        assert (result["ruleId"], result["level"]) == ("no-privileged", level)
        assert log["runs"][0]["tool"]["driver"]["rules"][result["ruleIndex"]]["id"] == "no-privileged"
        region = result["locations"][0]["physicalLocation"]["region"]
        assert "privileged: true" in manifests.read_text(encoding="utf-8").splitlines()[region["startLine"] - 1]
        assert bool(result.get("suppressions")) is (level == "note")


def test_what_cannot_be_told_is_open_in_sarif_and_skipped_in_junit(tmp_path: Path) -> None:
    later = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
    file = tmp_path / "state.json"
    file.write_text(json.dumps(stack(resource(example({"spec.hostPID": later})))), encoding="utf-8")
    (result,) = json.loads(run("check", file, "--format", "sarif").stdout)["runs"][0]["results"]
    assert (result["kind"], result["level"]) == ("open", "none")
    suites = Xml.fromstring(run("check", file, "--format", "junit").stdout)  # noqa: S314 -- our own
    assert [case.get("name") for case in suites.findall("testsuite/testcase[skipped]")] == ["no-host-pid"]


def test_junit_counts_what_it_holds_and_survives_strange_names(tmp_path: Path) -> None:
    file = tmp_path / "pods.yaml"
    strange = {
        **PRIVILEGED,
        "metadata": {
            "name": "<a>\x07&\ud83d\ude00".encode("utf-16", "surrogatepass").decode("utf-16"),
            "namespace": "b",
        },
    }
    file.write_text(json.dumps({"kind": "List", "items": [POD, strange]}), encoding="utf-8")
    suites = Xml.fromstring(run("check", file, "--format", "junit").stdout)  # noqa: S314 -- our own
    assert (suites.get("tests"), suites.get("failures")) == ("5", "1")
    assert [case.get("name") for case in suites.findall("testsuite/testcase[failure]")] == ["no-privileged"]
    for suite in suites.findall("testsuite"):
        assert suite.get("tests") == str(len(suite.findall("testcase")))


def test_markdown_is_a_table_in_which_names_of_others_stay_text(tmp_path: Path) -> None:
    file = tmp_path / "pod.yaml"
    evil = {**PRIVILEGED, "metadata": {"name": "x`|<img src=a>\n# b", "namespace": "b"}}
    file.write_text(json.dumps(evil), encoding="utf-8")
    report = run("check", file, "--format", "markdown").stdout
    assert "**1 mandatory finding: this does not go up.**" in report
    assert "| mandatory | `no-privileged` | `Pod/b/x'\\|<img src=a>?# b` |" in report


def test_a_report_goes_into_a_file_in_every_form(manifests: Path, tmp_path: Path) -> None:
    for form in ("text", "json", "sarif", "junit", "markdown"):
        output = tmp_path / "reports" / form
        ended = run("check", manifests, "--format", form, "--output", output)
        assert ended.stdout == "2 resources judged for prod: 1 mandatory\n"
        assert "no-privileged" in output.read_text(encoding="utf-8")


def test_findings_are_sorted_and_not_repeated(manifests: Path) -> None:
    once, twice = found(manifests)["findings"], json.loads(run("check", manifests, manifests, "--json").stdout)
    assert twice["findings"] == once


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("spec.containers.0.env", [{"name": "PASSWORD", "value": CANARY}]),
        ("spec.containers.0.args", ["sudo", CANARY]),
        ("metadata.annotations", {"container.apparmor.security.beta.kubernetes.io/orders": CANARY}),
        ("spec.securityContext.seLinuxOptions", {"user": "u", "level": "s0", "role": CANARY}),
        ("spec.volumes", [{"name": "a", "flexVolume": {"driver": CANARY, "options": {"password": CANARY}}}]),
    ],
)
def test_no_report_shows_a_value_that_could_be_a_secret(path: str, value: object, tmp_path: Path) -> None:
    file = tmp_path / "pod.yaml"
    file.write_text(json.dumps(example({path: value, "spec.hostPID": True})), encoding="utf-8")
    for form in ("text", "json", "sarif", "junit", "markdown"):
        ended = run("check", file, "--format", form)
        assert ended.exit_code == 1
        assert CANARY not in ended.stdout


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("metadata.namespace", '"orders"'),
        ("spec.containers[0].image", f'"{POD["spec"]["containers"][0]["image"]}"'),
        ("spec.containers[0].ports[0].containerPort", "8080"),
        ("metadata.labels.app.kubernetes.io/name", ""),
        ("spec.automountServiceAccountToken", "false"),
        ("spec.nothing[7].here", ""),
        ("spec.containers[*]", ""),
        ("", ""),
    ],
)
def test_switches_numbers_and_names_of_the_cluster_are_shown(path: str, shown: str) -> None:
    assert shown_value(POD, path) == shown


def test_every_rule_is_listed_and_explained() -> None:
    listed = json.loads(run("list", "--json").stdout)
    assert [each["id"] for each in listed] == list(every_rule())
    assert "no-privileged\t" in run("list", "--tier", "dev").stdout
    for rule in list(every_rule().values())[::10]:
        explained = json.loads(run("explain", rule.id, "--json").stdout)
        assert (explained["why"], explained["remedy"]) == (rule.rationale, rule.remedy)
    assert "let through" in run("explain", "no-privileged").stdout


def test_an_unknown_rule_is_not_explained_but_the_nearest_is_named() -> None:
    error = run("explain", "no-privilegd").exception
    assert isinstance(error, InputError)
    assert "did you mean 'no-privileged'" in str(error)


def test_dockerfiles_of_a_directory_are_judged_with_file_and_line(tmp_path: Path) -> None:
    (tmp_path / "orders").mkdir()
    (tmp_path / "orders" / "Dockerfile").write_text("FROM golang:1\nRUN sudo make\n", encoding="utf-8")
    (tmp_path / "orders" / "dockerfile.py").write_text("no Dockerfile", encoding="utf-8")
    ended = run("check", tmp_path, "--json")
    found = json.loads(ended.stdout)
    assert ended.exit_code == 1
    said = {each["rule"]: each["message"] for each in found["findings"]}
    assert {"df-nonroot-user", "df-base-digest-allowlisted", "df-no-sudo-ssh-chpasswd"} <= set(said)
    assert said["df-no-sudo-ssh-chpasswd"].startswith("line 2:")
    assert {each["file"] for each in found["findings"]} == {str(tmp_path / "orders" / "Dockerfile")}


def test_outputs_protection_and_providers_of_an_exported_stack_are_judged(tmp_path: Path) -> None:
    urn = "urn:pulumi:prod::orders::{}::a"
    provider = "urn:pulumi:prod::orders::pulumi:providers:kubernetes::default_4_34_2::0f"
    claim = {"kind": "PersistentVolumeClaim", "metadata": {"name": "a", "namespace": "b"}}
    stack = {"type": "pulumi:pulumi:Stack", "urn": urn.format("Stack"), "outputs": {"apiToken": "hunter2"}}
    token = "kubernetes:core/v1:PersistentVolumeClaim"
    volume = {"type": token, "urn": urn.format(token), "inputs": claim, "provider": provider}
    file = tmp_path / "stack.json"
    file.write_text(json.dumps({"deployment": {"resources": [stack, volume]}}), encoding="utf-8")
    ended = CliRunner().invoke(app, ["policy", "check", str(file), "--json"])
    rules = {each["rule"] for each in json.loads(ended.stdout)["findings"]}
    assert {"stack-output-no-plaintext-secret", "protect-stateful", "explicit-provider"} <= rules
    assert "hunter2" not in ended.stdout


def test_an_annotation_that_waives_nothing_is_listed_and_said(tmp_path: Path) -> None:
    note = {"metadata.annotations.omnibase.io/waiver.no-host-pid": "2027-01-31; data; a test"}
    file = tmp_path / "pod.yaml"
    file.write_text(json.dumps(example(note)), encoding="utf-8")
    found = json.loads(run("check", file, "--json").stdout)
    assert "exception-has-owner-reason-expiry" in {each["rule"] for each in found["findings"]}
    assert [(each["rule"], each["standing"]) for each in found["waivers"]] == [("no-host-pid", "not needed")]
