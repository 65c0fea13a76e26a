"""`ops house`: the picture of the code's architecture, drawn from its imports, and what is wrong with it."""

from ops.house.imports import Import, read_imports, read_parts
from ops.house.picture import draw_house
from ops.house.rules import faults

__all__ = ["Import", "draw_house", "faults", "read_imports", "read_parts"]
