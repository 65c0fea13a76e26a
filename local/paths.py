"""Where everything of one local instance lives. Nothing is written outside these two directories and the checkout.

Cache   what can be made again: downloads, builds, logs of builds. Shared by all instances, kept by `make clean`.
State   what one instance is: the node's data, the registry's blobs, Pulumi's stacks, passphrase and image digests.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from local.errors import InputError

DEFAULT_INSTANCE = "local"

_INSTANCE = re.compile(
    r"^[a-z][a-z0-9]{0,7}$"
)  # it becomes part of an interface name, which the kernel cuts at 15 bytes


@dataclass(frozen=True, kw_only=True)
class Paths:
    """The directories of one instance. Build it with `Paths.from_environment()`."""

    instance: str
    """Name of this local machine, default `local`; two instances (`local`, `test`) run side by side."""
    root: Path
    """The checkout."""
    cache: Path
    """OMNIBASE_CACHE, default ~/.cache/omnibase-infra."""
    state: Path
    """OMNIBASE_STATE, default /var/lib/omnibase-infra/<instance>."""
    network: str = ""
    """The private /16 that a stack file gives the instance; empty: OMNIBASE_NETWORK or the instance's default."""

    @classmethod
    def from_environment(cls, env: Mapping[str, str] = os.environ) -> Paths:
        """Read OMNIBASE_INSTANCE, OMNIBASE_CACHE and OMNIBASE_STATE.

        Raises:
            InputError: an instance name that cannot name a network interface, or a relative directory.
        """
        instance = env.get("OMNIBASE_INSTANCE", DEFAULT_INSTANCE)
        if not _INSTANCE.match(instance):
            raise InputError(
                f"OMNIBASE_INSTANCE={instance!r} is not a valid instance name",
                hint="use 1 to 8 lower-case letters and digits that start with a letter, for example 'local'",
            )
        home_cache = env.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
        return cls(
            instance=instance,
            root=Path(__file__).resolve().parent.parent,
            cache=_absolute(env, "OMNIBASE_CACHE", f"{home_cache}/omnibase-infra"),
            state=_absolute(env, "OMNIBASE_STATE", f"/var/lib/omnibase-infra/{instance}"),
        )

    # -- cache ---------------------------------------------------------------------------------------------------

    @property
    def bin(self) -> Path:
        """Programs built from Go modules or unpacked from Debian packages."""
        return self.cache / "bin"

    @property
    def downloads(self) -> Path:
        """Files fetched by version and checksum."""
        return self.cache / "downloads"

    @property
    def vendor(self) -> Path:
        """Third-party manifests read from Go modules, for VendorManifest."""
        return self.cache / "vendor"

    @property
    def compiled(self) -> Path:
        """Python's compiled modules, where it may not write them beside their sources."""
        return self.cache / "pycache"

    @property
    def step_logs(self) -> Path:
        """One log per build step."""
        return self.cache / "logs"

    @property
    def step_locks(self) -> Path:
        """One file per build step, held while it runs."""
        return self.cache / "locks"

    @property
    def scratch(self) -> Path:
        """Work directories of builds under way; what a killed build left is removed by the next one."""
        return self.cache / "scratch"

    @property
    def stamps(self) -> Path:
        """One fingerprint per finished step."""
        return self.cache / "stamps"

    # -- state ---------------------------------------------------------------------------------------------------

    @property
    def node(self) -> Path:
        """Data, certificates, sockets and logs of the Kubernetes node, containerd, dockerd and the registry."""
        return self.state / "node"

    @property
    def kubeconfig(self) -> Path:
        """Administrator's kubeconfig of the local node; its only context is `omnibase-<instance>`."""
        return self.state / "kubeconfig"

    @property
    def images_lock(self) -> Path:
        """JSON: {"images": {name: "127.0.0.1:5000/omnibase/<name>:<tag>@sha256:<digest>"}}."""
        return self.state / "images.lock.json"

    @property
    def pulumi_home(self) -> Path:
        """PULUMI_HOME: plugins and settings of the engine, apart from the user's own."""
        return self.state / "pulumi" / "home"

    @property
    def pulumi_backend(self) -> Path:
        """The file backend's directory."""
        return self.state / "pulumi" / "backend"

    @property
    def pulumi_config(self) -> Path:
        """Stack files as given to the engine: the checkout's plus the encryption salt of this machine's passphrase."""
        return self.state / "pulumi" / "config"

    @property
    def passphrase_file(self) -> Path:
        """Passphrase of the local stacks, made once, mode 0600; PULUMI_CONFIG_PASSPHRASE(_FILE) wins where set."""
        return self.state / "pulumi" / "passphrase"

    @property
    def docker_socket(self) -> Path:
        """The Docker engine on the node's containerd."""
        return self.node / "run" / "docker.sock"

    @property
    def lock(self) -> Path:
        """Held while a command changes this instance."""
        return self.state / "lock"

    @property
    def venv(self) -> Path:
        """The project's Python environment."""
        return self.root / ".venv"


def _absolute(env: Mapping[str, str], variable: str, default: str) -> Path:
    path = Path(env.get(variable) or default)
    if not path.is_absolute():
        raise InputError(f"{variable}={str(path)!r} is a relative path", hint=f"give {variable} an absolute directory")
    return path
