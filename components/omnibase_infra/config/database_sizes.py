"""What a PostgreSQL server makes of its memory, and how many connections that leaves room for."""

_SHARED_BUFFERS_SHARE = 0.25
_MAINTENANCE_SHARE = 1 / 16
_LEAST_MAINTENANCE_MIB = 32
RESERVED_CONNECTIONS = 15
"""Kept free of poolers: 3 for superusers, replication and the operator's own (CloudNativePG uses up to 10)."""
CONNECTION_MIB = 2
"""What one connection takes at the least; one that has looked at every table of a catalogue was measured at 9."""


def shared_buffers_mib(memory_mib: int) -> int:
    """Pages of tables that all connections share."""
    return int(memory_mib * _SHARED_BUFFERS_SHARE)


def maintenance_mib(memory_mib: int) -> int:
    """What vacuum or the building of an index may take."""
    return max(_LEAST_MAINTENANCE_MIB, int(memory_mib * _MAINTENANCE_SHARE))


def most_connections(memory_mib: int) -> int:
    """Connections that fit beside both; more, and the kernel ends the server when all of them work."""
    return (memory_mib - shared_buffers_mib(memory_mib) - maintenance_mib(memory_mib)) // CONNECTION_MIB


def pooled_connections(instances: int, size: int) -> int:
    """Most connections that the two poolers open to one database of a server: after a failover both may use the same
    one, and while they roll each has one pod more."""
    return 2 * (instances + 1) * size
