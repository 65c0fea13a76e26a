"""Settings: sources in their order, every problem at once, nothing secret in a message."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
from omnibase_infra.config import ConfigError, Environment, load, load_stack_file, parse_environment
from omnibase_infra.config.__main__ import main as check_settings
from omnibase_infra.config.defaults import TIER_DEFAULTS
from omnibase_infra.config.model import StackConfig
from pydantic import BaseModel

ROOT = Path(__file__).resolve().parents[3]
VALUES: dict[str, Any] = {
    "cluster": {"target": "local"},
    "images": {"lock": "local"},
    "postgres": {
        "databases": {
            "reference": {
                "owner": "owner",
                "app_role": "app",
                "migrations": {"directory": "migrations/reference"},
            }
        }
    },
    "services": {"reference": {"ports": {"http": 8080}, "health": {"path": "/readyz"}, "databases": {"reference": {}}}},
}


def values(**changes: Any) -> dict[str, Any]:  # noqa: ANN401 -- values of a stack file
    found = copy.deepcopy(VALUES)
    for path, value in changes.items():
        level = found
        *heads, last = path.split("__")
        for head in heads:
            level = level.setdefault(head, {})
        level[last] = value
    return found


def complaints(stack: str, given: dict[str, Any], **environ: str) -> dict[str, str]:
    """Key path -> the whole problem as text."""
    with pytest.raises(ConfigError) as caught:
        load(stack, given, environ)
    return {problem.path: str(problem) for problem in caught.value.problems}


@pytest.mark.req("C1.5", "C1.9")
@pytest.mark.parametrize("stack", ["dev", "test", "staging", "prod"])
def test_every_stack_file_loads_and_says_only_what_differs(stack: str) -> None:
    loaded = load_stack_file(ROOT, stack, {})
    assert loaded.config.environment == stack
    file = f"Pulumi.{stack}.yaml"
    own = [path for path, origin in loaded.origins.items() if origin.startswith(file)]
    # what P2 and R4 want each file to say: copies in prod, digests; beside them where backups go takes nine to twelve
    wanted = [path for path in own if path.startswith("images.references.") or path.endswith(".replicas")]
    assert len(own) - len(wanted) <= 40
    assert any(origin == f"{stack} defaults" for origin in loaded.origins.values())


@pytest.mark.req("C1.2")
def test_a_variable_wins_over_the_stack_file_which_wins_over_the_tier() -> None:
    plain = load("dev", values(), {})
    filed = load("dev", values(postgres__storage_gib=3), {})
    overridden = load("dev", values(postgres__storage_gib=3), {"OMNIBASE__POSTGRES__STORAGE_GIB": "4"})
    assert [found.config.postgres.storage_gib for found in (plain, filed, overridden)] == [2, 3, 4]
    path = "postgres.storage_gib"
    assert [found.origins[path] for found in (plain, filed, overridden)] == [
        "dev defaults",
        "Pulumi.dev.yaml",
        "OMNIBASE__POSTGRES__STORAGE_GIB",
    ]
    assert overridden.overrides == {path: "OMNIBASE__POSTGRES__STORAGE_GIB"}


@pytest.mark.req("C1.2")
def test_prod_accepts_only_the_overrides_that_its_file_lists() -> None:
    loaded = load_stack_file(ROOT, "prod", {})
    given = {key: value for key, value in loaded.config.model_dump().items() if key != "environment"}
    variable = {"OMNIBASE__POSTGRES__STORAGE_GIB": "200"}
    assert "prod accepts only" in complaints("prod", given, **variable)["postgres.storage_gib"]
    allowed = load("prod", {**given, "allowed_overrides": ["postgres.storage_gib"]}, variable)
    assert allowed.config.postgres.storage_gib == 200
    itself = {"OMNIBASE__ALLOWED_OVERRIDES": "[postgres.storage_gib]", **variable}
    assert "allowed_overrides" in complaints("prod", given, **itself)


@pytest.mark.req("C1.3")
def test_all_problems_of_all_sections_come_in_one_message() -> None:
    given = values(
        cluster__target="locl",
        imagse={"lock": "local"},
        postgres__instances="two",
        postgres__pooler={"pol_size": 3},
        services__reference={"databses": {}, "log_level": "DEBG"},
    )
    found = complaints("dev", given, OMNIBASE__QUOTA__PODS="1")
    assert set(found) == {
        "cluster.target",
        "imagse",
        "postgres.instances",
        "postgres.pooler.pol_size",
        "services.reference.databses",
        "services.reference.log_level",
        "quota.pods",
    }
    assert found["cluster.target"] == (
        "Pulumi.dev.yaml: cluster.target = \"locl\": must be one of local, existing; did you mean 'local'?"
    )
    assert "did you mean 'images'?" in found["imagse"]
    assert "did you mean 'pool_size'?" in found["postgres.pooler.pol_size"]
    assert "did you mean 'databases'?" in found["services.reference.databses"]
    assert found["quota.pods"].startswith("OMNIBASE__QUOTA__PODS: ")


@pytest.mark.req("C1.4")
@pytest.mark.parametrize("key", ["password", "api_key", "database_token", "clientSecret"])
def test_the_value_of_what_may_be_a_credential_is_never_repeated(key: str) -> None:
    given = values(**{f"postgres__{key}": "hunter2-hunter2"})
    text = complaints("dev", given)[f"postgres.{key}"]
    assert "hunter2" not in text
    assert "[hidden]" in text


@pytest.mark.req("C1.4")
def test_a_key_that_the_engine_marks_as_secret_is_hidden_too() -> None:
    with pytest.raises(ConfigError) as caught:
        load("dev", values(quota__pods="hunter2"), {}, secrets={"quota"})
    assert "hunter2" not in str(caught.value)


@pytest.mark.req("P17")
@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("development", Environment.DEV),
        ("local", Environment.DEV),
        ("CI", Environment.TEST),
        ("stability-test", Environment.STAGING),
        ("judge", Environment.STAGING),
        ("production", Environment.PROD),
        ("prod", Environment.PROD),
    ],
)
def test_the_words_that_people_use_name_an_environment(word: str, meant: Environment) -> None:
    assert parse_environment(word) is meant


def test_an_unknown_environment_names_the_nearest_word() -> None:
    assert "did you mean 'staging'?" in complaints("dev", values(environment="stagin"))["environment"]


def test_an_environment_may_come_from_the_stacks_name() -> None:
    assert load("local", values(), {}).config.environment is Environment.DEV


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("config: [1, 2]", "no mapping 'config:'"),
        ("config: {a: [}", "cannot be read: did not find expected node content"),
        ("", "no mapping 'config:'"),
        ("config:\n  omnibase-infra:quota: 3\n  omnibase-infra:cluster: {target: local}\n", "quota"),
    ],
)
def test_a_broken_stack_file_is_one_clear_problem(tmp_path: Path, text: str, complaint: str) -> None:
    (tmp_path / "Pulumi.dev.yaml").write_text(text)
    with pytest.raises(ConfigError, match=complaint):
        load_stack_file(tmp_path, "dev", {})


def test_an_unknown_stack_names_those_that_exist() -> None:
    with pytest.raises(ConfigError, match="known stacks: dev, prod, staging, test"):
        load_stack_file(ROOT, "dve", {})


@pytest.mark.req("C1.1")
def test_every_field_of_the_model_is_strict_and_refuses_what_it_does_not_know() -> None:
    seen: set[type[BaseModel]] = set()
    waiting: list[type[BaseModel]] = [StackConfig]
    while waiting:
        model = waiting.pop()
        if model in seen:
            continue
        seen.add(model)
        assert model.model_config["strict"], model
        assert model.model_config["extra"] == "forbid", model
        assert model.__doc__, model
        for field in model.model_fields.values():
            candidates = [field.annotation, *getattr(field.annotation, "__args__", ())]
            waiting += [known for known in candidates if isinstance(known, type) and issubclass(known, BaseModel)]
    assert len(seen) >= 14


@pytest.mark.req("P2", "V25")
def test_prod_has_no_default_for_how_many_copies_of_a_service_run() -> None:
    assert "replicas" not in TIER_DEFAULTS[Environment.PROD]["services"]["*"]
    loaded = load_stack_file(ROOT, "prod", {})
    given = {key: value for key, value in loaded.config.model_dump().items() if key != "environment"}
    given["services"] = {"reference": {}}
    assert "is required" in complaints("prod", given)["services.reference.replicas"]


def test_the_check_without_the_engine_says_what_it_wants_and_knows_a_stack_that_there_is_not(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(ROOT)
    assert check_settings(["dev"]) == 0
    assert check_settings(["devv"]) == 2
    assert "does not exist; known stacks: dev" in capsys.readouterr().err
    with pytest.raises(SystemExit, match="2"):
        check_settings([])
    assert "the following arguments are required: stack" in capsys.readouterr().err
