"""Image references by digest: what runs is what was tested."""

import re

import pulumi

from omnibase_infra.errors import ArgsError

_DIGEST = re.compile(r"^[^@\s]+@sha256:[0-9a-f]{64}$")


def is_pinned(image: str) -> bool:
    """Whether a reference ends in a digest."""
    return _DIGEST.match(image) is not None


def digest_problem(image: str) -> str:
    """Why an image reference is refused; empty if it is pinned."""
    return "" if is_pinned(image) else f"image={image!r} has no digest; use registry/name:tag@sha256:<64 hex digits>"


def checked_image(component: str, name: str, image: pulumi.Input[str]) -> pulumi.Output[str]:
    """An image that another resource makes is checked as soon as its reference is known.

    The Output fails with ArgsError if there is no digest.
    """

    def check(reference: str) -> str:
        problem = digest_problem(reference)
        if problem:
            raise ArgsError(component, name, [problem])
        return reference

    return pulumi.Output.from_input(image).apply(check)
