"""Building from package registries: Go modules, Debian packages, Python packages."""

from local.build.debian import unpack_step, unpacked
from local.build.go import ENVIRONMENT, Program, go_steps, go_toolchain, modules_step, toolchain_step
from local.build.packages import packages_step
from local.build.patched import Patched, Replacement, module_directory, patched_step
from local.build.python import WheelProgram, wheel_step

__all__ = [
    "ENVIRONMENT", "Patched", "Program", "Replacement", "WheelProgram", "go_steps", "go_toolchain", "module_directory",
    "modules_step", "packages_step", "patched_step", "toolchain_step", "unpack_step", "unpacked", "wheel_step",
]  # fmt: skip
