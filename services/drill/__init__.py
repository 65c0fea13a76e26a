"""Proves that backups can be restored: restores the newest one and compares every row with the living database."""
