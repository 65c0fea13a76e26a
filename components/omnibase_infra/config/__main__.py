"""`python -m omnibase_infra.config STACK`: what is wrong with a stack's settings, without the engine.

Reads the stack file and the catalogue of the current directory, and the process's OMNIBASE__ variables. Ends with 0, or
with 2 and all problems on the standard error stream. For callers that know nothing of what settings mean.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from omnibase_infra.config.errors import ConfigError
from omnibase_infra.config.load import load_stack_file


def main(stack: str) -> int:
    """Check one stack."""
    try:
        load_stack_file(Path.cwd(), stack, os.environ)
    except ConfigError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
