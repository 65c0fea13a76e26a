"""The command `ops graph` from its arguments to a file."""

from __future__ import annotations

from pathlib import Path

from local import stack as stacks
from local.errors import LocalError
from ops.engine import EngineCommand
from ops.graph.parts import part_of
from ops.graph.resources import read_resources, resources_of
from ops.graph.scene import build_scene
from ops.graph.svg import render_svg

_ROOT = Path(__file__).resolve().parents[2]


def draw(stack_name: str, state: Path | None, part: str, output: Path) -> None:
    """Write the picture of a stack.

    Args:
        part: one of PARTS; empty for the whole environment.
        state: an export or a golden graph; None asks the engine for the stack's present state.

    Raises:
        InputError: no such stack, part or file, or a file of another kind.
        LocalError: the engine cannot export the stack, or nothing in it runs pods.
    """
    shown = part_of(part)
    if state is not None:
        resources = read_resources(state)
    else:
        command = EngineCommand.of(stacks.paths_of(_ROOT, stack_name), stacks.load(_ROOT, stack_name))
        resources = resources_of(command.export(), stack_name)
    scene = build_scene(stack_name, resources, shown)
    if not scene.boxes:
        what = f"no {part} to draw" if part else "nothing to draw"
        raise LocalError(f"stack {stack_name} has {what}", hint=f"`make up STACK={stack_name}` deploys it")
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(render_svg(scene), encoding="utf-8")
