"""What may be asked of a container on a Docker host."""

from typing import NotRequired, TypedDict

import pulumi

from omnibase_infra.waiver import Waiver

WAIVABLE = ("public-port", "unpinned-image", "writable-root")
"""Settings that a Waiver may weaken: `publish` on all addresses, an image without digest, `writable_root`."""

DEFAULT_UID = 10001
DEFAULT_CPU_MILLIS = 500
DEFAULT_PROCESSES = 64
DEFAULT_START_SECONDS = 60
DEFAULT_STOP_SECONDS = 20
LONGEST_START_SECONDS = 1800
LONGEST_STOP_SECONDS = 90
DEFAULT_SCRATCH_MIB = {"/tmp": 4}  # noqa: S108  # a directory in the container
SECRETS_PATH = "/run/secrets"
"""Directory of the files of `secrets`."""


class Publish(TypedDict):
    """Where the Docker host accepts connections for the container's port."""

    host_port: int
    """Port of the host, 1024..65535."""
    address: NotRequired[str]
    """An address of the host, default 127.0.0.1. All addresses (0.0.0.0, ::) need a waiver for `public-port`."""


class HardenedContainerArgs(TypedDict):
    """Everything else about the container is fixed by the component: see HardenedContainer."""

    environment: str
    """dev, test, staging or prod; first part of all names, so that environments share a host."""
    image: pulumi.Input[str]
    """Reference with digest, `registry/name@sha256:...`."""
    memory_mib: int
    """Memory limit, MiB; there is no swap beyond it."""
    health_command: list[str]
    """Program and arguments that end with 0 while the container works; runs inside it every 10 s."""
    command: NotRequired[list[str]]
    """Instead of the image's command."""
    port: NotRequired[int]
    """TCP port that the container listens on, >= 1024; required for `publish`."""
    publish: NotRequired[Publish]
    """Opens the port on the host; without it only containers of joined networks reach it."""
    joins: NotRequired[list[pulumi.Input[str]]]
    """Networks of other containers (their output `network`) that this one may call; their names resolve there. Docker's
    networks have two directions: they may call this one too."""
    cpu_millis: NotRequired[int]
    """CPU limit in thousandths of a core, default 500."""
    processes: NotRequired[int]
    """Most processes and threads of the container's user, default 64. The kernel counts by user and not by container:
    give containers whose number matters a `uid` of their own."""
    env: NotRequired[dict[str, pulumi.Input[str]]]
    """Plain settings; credentials are files, see `secrets`."""
    secrets: NotRequired[dict[str, pulumi.Input[str]]]
    """File name -> content, as read-only files in /run/secrets. A change replaces the container."""
    scratch_mib: NotRequired[dict[str, int]]
    """Writable directory in memory -> size limit in MiB; emptied with every start. Default {"/tmp": 4}. What is written
    there counts into `memory_mib`, so that the sizes together must be less."""
    data_path: NotRequired[str]
    """Directory that outlives the container, on a volume of the host; the image must own it as `uid`."""
    uid: NotRequired[int]
    """User and group, default 10001; never 0."""
    start_seconds: NotRequired[int]
    """How long the start may take until the health command succeeds, default 60, at most 1800."""
    stop_seconds: NotRequired[int]
    """How long the end may take, default 20, at most 90."""
    writable_root: NotRequired[bool]
    """Weaker: needs a waiver for `writable-root`."""
    waivers: NotRequired[list[Waiver]]
    """Dated permissions; each fails after its date."""
