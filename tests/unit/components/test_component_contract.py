"""Every component of the library, found and not listed, obeys the same grammar."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import tomllib
from pathlib import Path

import omnibase_infra
import pulumi
import pulumi_kubernetes as kubernetes
import pytest
from omnibase_infra.hosted import HOSTED, NAME, VERSION
from omnibase_infra.objects import KubernetesObject, token
from setuptools.config.pyprojecttoml import read_configuration  # type: ignore[import-untyped]  # it has no types

from tests.stacks.support import examples, stacks
from tests.stacks.support.recorder import record

ROOT = Path(__file__).resolve().parents[3]


def discovered() -> list[type[pulumi.ComponentResource]]:
    """Component classes defined anywhere in the package."""
    found = []
    for module in pkgutil.walk_packages(omnibase_infra.__path__, "omnibase_infra."):
        if module.name.endswith("__main__"):
            continue
        for value in vars(importlib.import_module(module.name)).values():
            mine = inspect.isclass(value) and value.__module__ == module.name
            if mine and issubclass(value, pulumi.ComponentResource):
                found.append(value)
    return sorted(found, key=lambda component: component.__name__)


COMPONENTS = discovered()


def test_all_components_but_the_platform_are_hosted_for_other_languages() -> None:
    assert {component.__name__ for component in COMPONENTS} - {component.__name__ for component in HOSTED} == {
        "Platform"
    }


@pytest.mark.parametrize("component", COMPONENTS, ids=lambda component: component.__name__)
def test_a_component_takes_name_args_and_options_and_says_what_it_does(
    component: type[pulumi.ComponentResource],
) -> None:
    names = list(inspect.signature(component.__init__).parameters)
    assert names == ["self", "name", "args", "opts"]
    documentation = inspect.getdoc(component) or ""
    assert "Makes" in documentation
    assert "Raises:" in documentation
    assert vars(component).get("__annotations__"), "outputs are annotated at class level"


@pytest.mark.parametrize("component", COMPONENTS, ids=lambda component: component.__name__)
def test_a_component_is_exported_at_the_packages_door(component: type) -> None:
    assert component.__name__ in omnibase_infra.__all__
    assert getattr(omnibase_infra, component.__name__) is component


@pytest.mark.parametrize("component", COMPONENTS, ids=lambda component: component.__name__)
def test_a_component_has_its_token_and_registers_inputs_and_outputs(component: type) -> None:
    wanted = f"omnibase-infra:index:{component.__name__}"
    recorders = [stacks.recorded("prod"), *(examples.recorded(each).graph() for each in examples.EXAMPLES)]
    found = [(each, item) for each in recorders for item in each.registrations() if item.type == wanted]
    assert found, f"no stack and no example uses {component.__name__}"
    for recorder, item in found:
        assert item.inputs, item.urn
        if component.__name__ != "Platform":  # its outputs depend on what the environment has
            assert set(recorder.outputs[item.urn]) == set(inspect.get_annotations(component)), item.urn


@pytest.mark.parametrize("component", COMPONENTS, ids=lambda component: component.__name__)
def test_children_carry_their_components_name(component: type) -> None:
    made = [item for example in examples.EXAMPLES for item in examples.recorded(example).registrations()]
    for item in [*stacks.registrations("prod"), *made]:
        parent = item.parent.rpartition("::")[2]
        if f"index:{component.__name__}::" in item.parent and component.__name__ not in (
            "Platform",
            "HardenedWorkload",
        ):
            assert item.name.startswith(f"{parent}-"), item.urn


def test_tokens_are_those_of_the_official_sdk() -> None:
    def program() -> None:
        kubernetes.core.v1.Namespace("a")
        kubernetes.core.v1.Service("b")
        kubernetes.rbac.v1.ClusterRole("c")
        kubernetes.policy.v1.PodDisruptionBudget("d")
        kubernetes.apiextensions.CustomResource("e", api_version="postgresql.cnpg.io/v1", kind="Cluster")

    official = {item.name: item.type for item in record(program).registrations()}
    ours = [
        ("a", "v1", "Namespace"),
        ("b", "v1", "Service"),
        ("c", "rbac.authorization.k8s.io/v1", "ClusterRole"),
        ("d", "policy/v1", "PodDisruptionBudget"),
        ("e", "postgresql.cnpg.io/v1", "Cluster"),
    ]
    assert {name: token({"apiVersion": version, "kind": kind}) for name, version, kind in ours} == official


def test_an_object_is_registered_like_one_of_the_official_sdk() -> None:
    data = {"password": "eA=="}

    def official() -> None:
        kubernetes.core.v1.Secret("s", metadata={"name": "s"}, data=data)

    def ours() -> None:
        manifest = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "data": data}
        KubernetesObject("s", manifest, pulumi.ResourceOptions())

    wanted, found = (record(program) for program in (official, ours))
    assert [item.inputs for item in found.registrations()] == [item.inputs for item in wanted.registrations()]
    requests = [request for found in (wanted, found) for _, request in found.requests if request.name == "s"]
    assert [list(request.additionalSecretOutputs) for request in requests] == [["data", "stringData"]] * 2


def test_the_packages_version_stands_in_one_place_only() -> None:
    project = tomllib.loads((ROOT / "components" / "pyproject.toml").read_text())["project"]
    assert (project["name"], project["version"]) == (NAME, VERSION)


def test_an_installed_package_has_every_folder_that_this_one_has() -> None:
    found = read_configuration(ROOT / "components" / "pyproject.toml")["tool"]["setuptools"]["packages"]
    folders = {".".join(each.parent.relative_to(ROOT / "components").parts)
               for each in (ROOT / "components" / "omnibase_infra").rglob("__init__.py")}  # fmt: skip
    assert set(found) == folders
