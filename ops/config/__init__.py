"""`ops config`: effective settings of a stack with their origin, what is wrong with them, and ways to change them."""

from ops.config.command import difference, promote, set_setting, show, validate
from ops.config.migrate import migrate
from ops.config.render import Format

__all__ = ["Format", "difference", "migrate", "promote", "set_setting", "show", "validate"]
