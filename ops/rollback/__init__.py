"""Rollback: another digest of one image, deployed like any change, judged, and taken back if it is not healthy."""

from ops.rollback.command import Asked, rollback_image

__all__ = ["Asked", "rollback_image"]
