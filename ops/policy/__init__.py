"""`ops policy`: the rules of the policy pack over manifests, stacks and previews that others made."""
