"""A component package in a directory beside the program: its SDK is generated, linked and used."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
import textwrap
from pathlib import Path

import yaml

from tests.cluster.engine_kit import checkout

_COMPONENT = """
    from typing import Optional, TypedDict

    import pulumi
    from pulumi.provider.experimental import component_provider_host

    class GreeterArgs(TypedDict):
        name: pulumi.Input[str]

    class Greeter(pulumi.ComponentResource):
        greeting: pulumi.Output[str]

        def __init__(self, name: str, args: GreeterArgs, opts: Optional[pulumi.ResourceOptions] = None):
            super().__init__("greet:index:Greeter", name, dict(args), opts)
            self.greeting = pulumi.Output.concat("hello ", args["name"])
            self.register_outputs({"greeting": self.greeting})

    if __name__ == "__main__":
        component_provider_host(name="greet", components=[Greeter])
"""
_PROGRAM = """
    import pulumi
    import pulumi_greet as greet

    pulumi.export("greeting", greet.Greeter("greeter", name="you").greeting)
"""


def _environment(directory: Path) -> None:
    """An environment `venv` that sees the packages of the running one, so that nothing is downloaded."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", directory / "venv"], check=True)
    packages = next((directory / "venv" / "lib").glob("python3*/site-packages"))
    (packages / "project.pth").write_text(f"{sysconfig.get_path('purelib')}\n")


def test_package_add_makes_a_local_component_usable(tmp_path: Path) -> None:
    component = tmp_path / "component"
    component.mkdir()
    (component / "PulumiPlugin.yaml").write_text("name: greet\nruntime: {name: python, options: {toolchain: pip}}\n")
    (component / "__main__.py").write_text(textwrap.dedent(_COMPONENT))
    _environment(component)
    project = checkout(tmp_path, _PROGRAM)
    project.serve_kubernetes_from_files()
    (project.root / "Pulumi.yaml").write_text(
        "name: tiny\nruntime: {name: python, options: {toolchain: pip, virtualenv: venv}}\n"
    )
    (project.root / "requirements.txt").write_text("pulumi\n")
    _environment(project.root)
    engine = project.engine(PIP_NO_INDEX="1", PIP_NO_BUILD_ISOLATION="0", PIP_DISABLE_PIP_VERSION_CHECK="1")

    added = subprocess.run(
        [str(project.paths.bin / "pulumi"), "package", "add", str(component)],
        cwd=project.root,
        env=engine.env,
        check=False,
        capture_output=True,
        text=True,
    )

    assert added.returncode == 0, added.stdout + added.stderr
    assert "import pulumi_greet as greet" in added.stdout + added.stderr
    assert "greet" in yaml.safe_load((project.root / "Pulumi.yaml").read_text())["packages"]
    assert (project.root / "requirements.txt").read_text().splitlines() == ["pulumi", "sdks/greet"]
    assert engine.up() == 0
    assert engine.outputs() == {"greeting": "hello you"}
