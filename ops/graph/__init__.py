"""`ops graph`: a picture of the environment, made from the stack's graph and the same for the same graph."""

from ops.graph.boxes import Scene
from ops.graph.command import draw
from ops.graph.parts import PARTS, Part
from ops.graph.resources import Resource, read_resources
from ops.graph.scene import build_scene
from ops.graph.svg import render_svg

__all__ = ["PARTS", "Part", "Resource", "Scene", "build_scene", "draw", "read_resources", "render_svg"]
