"""Rotation: a higher generation in the stack file, deployed and then seen to be served."""

from ops.rotate.command import rotate_certificates

__all__ = ["rotate_certificates"]
