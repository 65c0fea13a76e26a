"""What may be asked of an image."""

from typing import NotRequired, TypedDict

import pulumi


class HardenedImageArgs(TypedDict):
    """How the image is built and where it goes."""

    repository: str
    """Registry and name, `registry.example/team/app`; for the machine's own registry `127.0.0.1:5000/team/app`."""
    tag: str
    """Version, for people; never `latest`. Containers use the digest."""
    context: str
    """Directory that is sent to the engine, relative to the program; `images/<name>` or another."""
    dockerfile: NotRequired[str]
    """Default: `Dockerfile` in the context."""
    bases: NotRequired[dict[str, pulumi.Input[str]]]
    """Build argument -> base image by digest, for `ARG BASE` and `FROM ${BASE}`."""
    build_args: NotRequired[dict[str, pulumi.Input[str]]]
    """Other build arguments. They can be read out of the image: never credentials."""
    target: NotRequired[str]
    """Stage of the Dockerfile, default the last one."""
    platform: NotRequired[str]
    """Default linux/amd64."""
    username: NotRequired[pulumi.Input[str]]
    """User of the registry, where it asks for one."""
    password: NotRequired[pulumi.Input[str]]
    """That user's password; a secret."""
