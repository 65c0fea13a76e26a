"""`ops messages`: what the message bus holds, and what nobody could handle; and handing that out again."""

from ops.messages.command import messages, redeliver

__all__ = ["messages", "redeliver"]
