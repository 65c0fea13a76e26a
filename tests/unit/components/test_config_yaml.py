"""Stack files as YAML: what readers understand differently is refused, with its place, and everything at once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from omnibase_infra.config import ConfigError, load, load_stack_file, read_stack_file
from omnibase_infra.config.stack_file import ENCRYPTED
from omnibase_infra.config.yaml_file import MAX_DEPTH, read_yaml

from tests.unit.components import corpus_kit
from tests.unit.components.test_config_load import VALUES

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.req("C1.3")
@pytest.mark.parametrize("case", corpus_kit.cases("yaml.yaml"), ids=lambda case: case["name"])
def test_what_yaml_lets_people_write_is_refused_when_readers_understand_it_differently(case: corpus_kit.Case) -> None:
    assert corpus_kit.problems_of_form(case) == case["expected"]
    assert case["expected"]
    assert "hunter2" not in "".join(case["expected"])


@pytest.mark.parametrize("stack", ["dev", "test", "staging", "prod"])
def test_our_own_stack_files_are_read_as_pyyaml_reads_them(stack: str) -> None:
    file = ROOT / f"Pulumi.{stack}.yaml"
    found = read_stack_file(file, stack)
    assert found.problems == ()
    plain = yaml.safe_load(file.read_text(encoding="utf-8"))["config"]
    assert {f"omnibase-infra:{key}": value for key, value in found.values.items()} == {
        key: value for key, value in plain.items() if key.startswith("omnibase-infra:")
    }


class _WithoutAliases(yaml.SafeDumper):
    def ignore_aliases(self, data: object) -> bool:
        return True


_TEXTS = st.text(
    st.characters(exclude_categories=["Cc", "Cs", "Nd", "Zl", "Zp"]), max_size=8
)  # PyYAML does not quote what other readers call numbers
_SCALARS = st.none() | st.booleans() | st.integers() | _TEXTS


@settings(max_examples=40)
@given(
    st.recursive(
        _SCALARS, lambda each: st.lists(each, max_size=3) | st.dictionaries(_TEXTS, each, max_size=3), max_leaves=6
    )
)
def test_what_pyyaml_writes_is_read_as_it_was(value: Any) -> None:  # noqa: ANN401 -- any YAML value
    text = yaml.dump({"value": value}, Dumper=_WithoutAliases, allow_unicode=True)
    found = read_yaml(text.encode("utf-8"))
    assert found.faults == []
    assert found.values == {"value": value}


@given(st.binary(max_size=60) | st.text(max_size=60).map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_whatever_a_file_holds_reading_it_ends_with_values_or_with_faults(data: bytes) -> None:
    found = read_yaml(data)
    assert found.complete or found.faults


@given(st.text("abc:-[]{},&*!|>'\"%@` \n#?0", max_size=40))
def test_what_is_read_without_fault_is_what_its_parser_means(text: str) -> None:
    found = read_yaml(text.encode("utf-8"))
    if not found.faults:
        assert found.values == yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506 -- safe


def test_nesting_ends_the_reading_and_never_the_program() -> None:
    for depth in (MAX_DEPTH, 500, 5000):
        found = read_yaml(b"a: " + b"[" * depth + b"]" * depth)
        assert not found.complete
        assert len(found.faults) == 1


@pytest.mark.req("C1.3")
def test_form_and_settings_are_reported_together_and_nothing_twice(tmp_path: Path) -> None:
    (tmp_path / "Pulumi.dev.yaml").write_text(
        "config:\n"
        "  omnibase-infra:cluster: {target: locl}\n"
        "  omnibase-infra:images: {lock: local}\n"
        "  omnibase-infra:protect: no\n"
        "  omnibase-infra:quota:\n"
        "    pods: 010\n"
        "    podss: 3\n",
        encoding="utf-8",
    )
    with pytest.raises(ConfigError) as caught:
        load_stack_file(tmp_path, "dev", {})
    places = [(problem.origin, problem.path) for problem in caught.value.problems]
    assert places[:2] == [("Pulumi.dev.yaml:4:27", "protect"), ("Pulumi.dev.yaml:6:11", "quota.pods")]
    assert ("Pulumi.dev.yaml:2:28", "cluster.target") in places
    assert ("Pulumi.dev.yaml:7:5", "quota.podss") in places
    assert len(places) == len(set(places))


def test_an_encrypted_value_passes_as_what_it_is_for(tmp_path: Path) -> None:
    (tmp_path / "Pulumi.dev.yaml").write_text(
        "config:\n"
        "  omnibase-infra:monitoring:\n"
        "    receiver:\n"
        "      secret_url:\n"
        "        secure: v1:abc\n"
        "  omnibase-infra-secrets:smtp:\n"
        "    secure: v1:def\n"
        "  omnibase-infra-secrets:plain: hunter2\n",
        encoding="utf-8",
    )
    found = read_stack_file(tmp_path / "Pulumi.dev.yaml", "dev")
    assert found.values == {"monitoring": {"receiver": {"secret_url": ENCRYPTED}}}
    assert {name: value.encrypted for name, value in found.imported.items()} == {"smtp": True, "plain": False}
    assert "hunter2" not in repr(found)


@pytest.mark.req("C1.4", "V11")
def test_a_secret_in_plain_text_is_refused_where_everybody_can_read_it_and_only_there() -> None:
    def given_url(url: str) -> dict[str, Any]:
        return {**VALUES, "monitoring": {"receiver": {"secret_url": url, "cidrs": ["192.0.2.80/32"]}}}

    with pytest.raises(ConfigError) as caught:
        load("dev", given_url("https://hooks.chat.com/T0/hunter2"), {})
    (problem,) = caught.value.problems
    assert problem.path == "monitoring.receiver.secret_url"
    assert "is plain text" in problem.allowed
    assert "ops config set monitoring.receiver.secret_url --secret" in problem.hint
    assert "hunter2" not in str(problem)
    load("dev", given_url("https://hooks.chat.com/T0/hunter2"), {}, secrets={"monitoring"})
    load("dev", given_url("https://alerts.example.test/hook"), {})


def test_a_variable_is_read_as_strictly_as_the_file() -> None:
    with pytest.raises(ConfigError) as caught:
        load("dev", VALUES, {"OMNIBASE__PROTECT": "no", "OMNIBASE__QUOTA__PODS": "0_9"})
    found = [(problem.origin, problem.path, problem.received) for problem in caught.value.problems]
    assert found == [("OMNIBASE__PROTECT", "protect", "no"), ("OMNIBASE__QUOTA__PODS", "quota.pods", "0_9")]
