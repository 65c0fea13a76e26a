"""Arithmetic of memory, write-ahead log and connections, pure."""

from omnibase_infra.config.database_sizes import maintenance_mib, shared_buffers_mib

_CACHE_SHARE = 0.75
_WAL_KEEP_SHARE = 0.25
_WAL_SLOT_SHARE = 0.5
_MIB_PER_GIB = 1024


def memory_parameters(memory_mib: int) -> dict[str, str]:
    """Settings that follow from the memory limit."""
    return {
        "shared_buffers": f"{shared_buffers_mib(memory_mib)}MB",
        "effective_cache_size": f"{int(memory_mib * _CACHE_SHARE)}MB",
        "maintenance_work_mem": f"{maintenance_mib(memory_mib)}MB",
    }


def wal_parameters(wal_storage_gib: int) -> dict[str, str]:
    """Settings that keep the log below its volume. A quarter stays free for the checkpoint in progress.

    A slot may hold back half of the volume: a standby that is away longer is cloned anew instead of filling it.
    """
    volume = wal_storage_gib * _MIB_PER_GIB
    return {
        "max_wal_size": f"{int(volume * _WAL_KEEP_SHARE)}MB",
        "min_wal_size": "80MB",
        "wal_keep_size": f"{int(volume * _WAL_KEEP_SHARE)}MB",
        "max_slot_wal_keep_size": f"{int(volume * _WAL_SLOT_SHARE)}MB",
    }
