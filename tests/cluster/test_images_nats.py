"""What a real server of the bus says to the configuration of every stack."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from omnibase_infra.nkeys import public_key, user_seed

from local.paths import Paths
from tests.cluster.images_kit import HARDENED, Docker
from tests.cluster.tls_kit import make_authority, make_certificate
from tests.stacks.support import stacks


def said(docker: Docker, image: str, directory: Path, text: str) -> str:
    """What `nats-server -t` says to a configuration, with keys for all its users."""
    (directory / "nats.conf").write_text(text)
    users = sorted(set(re.findall(r"\$(NKEY_[A-Z_]+)", text)))
    keys = [f"--env={name}={public_key(user_seed(bytes([number] * 32)))}" for number, name in enumerate(users)]
    mounts = (f"--volume={directory}:/run/tls:ro", f"--volume={directory}:/etc/nats:ro")
    return docker("run", "--rm", *HARDENED, *mounts, *keys, image, "-t", "-c", "/etc/nats/nats.conf", check=False)


@pytest.mark.req("C1.3")
@pytest.mark.parametrize("stack", stacks.STACKS)
def test_the_server_takes_the_configuration_of_a_stack(
    image_references: dict[str, str], paths: Paths, tmp_path: Path, stack: str
) -> None:
    tmp_path.chmod(0o755)
    make_certificate(make_authority("test"), "localhost", tmp_path)
    (tmp_path / "tls.key").chmod(0o644)
    entries = json.loads((stacks.GOLDEN / f"{stack}.json").read_text())
    (config,) = [entry["inputs"]["data"]["nats.conf"] for entry in entries if entry["name"] == "messages-config"]
    docker = Docker(paths=paths)
    assert "is valid" in said(docker, image_references["nats"], tmp_path, config)
    broken = said(docker, image_references["nats"], tmp_path, config.replace('"sync_interval"', '"sync_intervall"'))
    assert "sync_intervall" in broken
    assert "is valid" not in broken
