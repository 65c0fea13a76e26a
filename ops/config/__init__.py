"""`ops config`: effective settings of a stack with their origin, what is wrong with them, and ways to change them."""

from ops.config.command import difference, promote, set_setting, show, validate
from ops.config.render import Format

__all__ = ["Format", "difference", "promote", "set_setting", "show", "validate"]
