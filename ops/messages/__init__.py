"""`ops messages`: what the message bus holds, and what nobody could handle."""

from ops.messages.command import messages

__all__ = ["messages"]
