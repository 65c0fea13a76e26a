"""`ops db`: what the databases do, and why they are slow."""
