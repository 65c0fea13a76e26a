"""Objects deeper than protobuf's Python reads by itself."""

from __future__ import annotations

import subprocess
import sys

_SCRIPT = """
from google.protobuf import struct_pb2
{call}
deep = {{}}
for _ in range(60):
    deep = {{"properties": deep}}
message = struct_pb2.Struct()
message.update(deep)
struct_pb2.Struct.FromString(message.SerializeToString())
"""


def _read(call: str) -> int:
    command = [sys.executable, "-c", _SCRIPT.format(call=call)]
    return subprocess.run(command, capture_output=True, check=False).returncode


def test_a_definition_of_sixty_levels_is_read_once_the_limit_is_lifted_and_not_before() -> None:
    lifted = "from local.plugins.common.depth import allow_deep_messages; allow_deep_messages()"
    assert _read("") != 0, "the limit is gone: allow_deep_messages is no longer needed"
    assert _read(lifted) == 0


def test_the_program_and_the_policy_pack_lift_it_too() -> None:
    assert _read("import omnibase_infra.objects") == 0
    assert _read("from omnibase_policies import pack; pack._allow_deep_messages()") == 0
