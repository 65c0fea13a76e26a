"""`ops config set --secret` with the real engine: encrypted in the stack file, readable for the engine alone."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest
from omnibase_infra.config import load_stack_file

from local.errors import InputError
from ops.config.change import set_secret
from tests.cluster.engine_kit import Checkout, checkout

ROOT = Path(__file__).resolve().parents[2]
PATH = "monitoring.receiver.secret_url"
VALUE = "https://hooks.example.com/T0/canary-7f1c"


@pytest.fixture
def project(tmp_path: Path) -> Checkout:
    made = checkout(tmp_path, "")
    for name in ("Pulumi.prod.yaml", "catalogue.yaml"):
        shutil.copy(ROOT / name, made.root)
    (made.root / "Pulumi.yaml").write_text("name: omnibase-infra\nruntime: python\n", encoding="utf-8")
    return made


@pytest.mark.req("C1.4", "V11")
def test_a_secret_is_encrypted_by_the_engine_and_its_value_stands_nowhere(project: Checkout) -> None:
    environ = {**project.env, "OMNIBASE_STATE": str(project.paths.state)}
    file = project.root / "Pulumi.prod.yaml"
    before = file.read_text(encoding="utf-8")
    set_secret(project.root, "prod", PATH, VALUE, environ)
    after = file.read_text(encoding="utf-8")
    assert VALUE not in after
    assert "encryptionsalt: v1:" in after
    assert "secret_url: {secure: 'v1:" in after or "secret_url: {secure: v1:" in after
    assert len(set(before.splitlines()) - set(after.splitlines())) == 1, "all other lines stay"
    assert load_stack_file(project.root, "prod", {}).config.monitoring.receiver.secret_url is not None
    engine = project.engine(stack="prod")
    shown = subprocess.run(
        [
            str(engine.installation.pulumi),
            "config",
            "--json",
            "--show-secrets",
            "--stack",
            "prod",
            "--config-file",
            str(file),
        ],
        cwd=engine._directory,
        env=engine.env,
        capture_output=True,
        text=True,
        check=True,
    )
    receiver = json.loads(json.loads(shown.stdout)["omnibase-infra:monitoring"]["value"])["receiver"]
    assert receiver["secret_url"] == VALUE
    found = [
        path for path in project.root.parent.rglob("*") if path.is_file() and VALUE in path.read_text(errors="ignore")
    ]
    assert found == []


@pytest.mark.req("C1.4")
def test_a_secret_that_the_settings_refuse_is_not_written(project: Checkout) -> None:
    file = project.root / "Pulumi.prod.yaml"
    before = file.read_bytes()
    with pytest.raises(InputError, match=r"monitoring\.receiver\.secret_urls"):
        set_secret(project.root, "prod", f"{PATH}s", VALUE, {**project.env, "OMNIBASE_STATE": str(project.paths.state)})
    assert file.read_bytes() == before
