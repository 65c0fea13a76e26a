"""The end of `make up`: what an operator reads and pastes."""

from __future__ import annotations

import subprocess
from datetime import UTC, datetime
from typing import Any

import pytest

from local.report import certificate_lines, gateway_lines

OUTPUTS: dict[str, Any] = {
    "namespace": "omnibase-dev",
    "gateway_url": "https://api.omnibase.test",
    "gateway_address": "10.213.128.7",
    "gateway_keys_secret": "gateway-keys-gateway-abc",
    "gateway_clients": ["operator", "partner"],
    "gateway_paths": ["/notes"],
}


def test_the_lines_for_the_gateway_are_shell_and_name_host_address_and_secret_but_no_key() -> None:
    text = "\n".join(gateway_lines("dev", OUTPUTS)[1:])
    parsed = subprocess.run(["bash", "-n"], input=text, capture_output=True, text=True, check=False)
    assert parsed.returncode == 0, parsed.stderr
    assert "--resolve api.omnibase.test:443:10.213.128.7" in text
    assert "https://api.omnibase.test/notes" in text
    assert "kubectl get secret -n omnibase-dev gateway-keys-gateway-abc -o jsonpath='{.data.operator}'" in text
    assert "--insecure" not in text


def test_without_a_gateway_or_a_route_nothing_is_said_about_it() -> None:
    assert gateway_lines("dev", {"namespace": "omnibase-dev"}) == []
    assert gateway_lines("dev", {**OUTPUTS, "gateway_paths": []}) == []


@pytest.mark.parametrize(
    ("end", "said"), [("2027-01-31", "(30 days)"), ("2027-01-30", "(29 days): [red]`make up` renews it")]
)
def test_the_end_of_the_registrys_certificate_is_told_and_marked_when_it_is_near(end: str, said: str) -> None:
    now = datetime(2027, 1, 1, tzinfo=UTC)
    (line,) = certificate_lines({"registry": f"{end}T00:00:00+00:00"}, now)
    assert line.startswith(f"  registry's certificate   until {end} {said}")


def test_of_the_nodes_other_certificates_the_first_to_end_is_told() -> None:
    ends = {
        "registry": "2027-11-01T00:00:00+00:00", "etcd": "2027-06-01T00:00:00+00:00", "ca": "2036-01-01T00:00:00+00:00",
    }  # fmt: skip
    lines = certificate_lines(ends, datetime(2027, 1, 1, tzinfo=UTC))
    assert len(lines) == 2
    assert "others, first etcd" in lines[1]
    assert "2027-06-01" in lines[1]


def test_a_node_that_was_never_started_has_no_certificates_to_tell_of() -> None:
    assert certificate_lines({}, datetime(2027, 1, 1, tzinfo=UTC)) == []
