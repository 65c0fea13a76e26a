"""Building from package registries: Go modules, Debian packages, Python packages."""

from local.build.debian import unpack_step, unpacked
from local.build.go import SPARE_MEMORY, Program, go_step, go_toolchain, toolchain_step
from local.build.packages import packages_step
from local.build.python import WheelProgram, wheel_step

__all__ = [
    "SPARE_MEMORY", "Program", "WheelProgram", "go_step", "go_toolchain", "packages_step", "toolchain_step",
    "unpack_step", "unpacked", "wheel_step",
]  # fmt: skip
