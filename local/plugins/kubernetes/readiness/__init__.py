"""When objects are ready: one file of checks per family of kinds, one loop that applies them."""
