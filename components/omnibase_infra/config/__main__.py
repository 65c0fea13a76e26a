"""`python -m omnibase_infra.config STACK`: what is wrong with a stack's settings, without the engine.

Reads the stack file and the catalogue of the current directory, and the process's OMNIBASE__ variables. Ends with 0, or
with 2 and all problems on the standard error stream. For callers that know nothing of what settings mean.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from omnibase_infra.config.errors import ConfigError
from omnibase_infra.config.load import load_stack_file


def main(arguments: Sequence[str]) -> int:
    """Check the stack that the command line names."""
    parser = argparse.ArgumentParser(
        prog="python -m omnibase_infra.config", description="What is wrong with a stack's settings."
    )
    parser.add_argument("stack", help="the word between `Pulumi.` and `.yaml` in its file's name, for example dev")
    stack = parser.parse_args(arguments).stack
    try:
        load_stack_file(Path.cwd(), stack, os.environ)
    except ConfigError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
