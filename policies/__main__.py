"""The policy pack; the rules are in omnibase_policies."""

from omnibase_policies.pack import serve

serve()
