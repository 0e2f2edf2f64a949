"""What the system refuses a process that reads files of strangers."""

from __future__ import annotations

import contextlib
import sys


def restrict_memory(memory_mib: int) -> bool:
    """Limit the memory of this process, and return whether the system can.

    Windows does not know the limit; macOS knows it and refuses to set it.
    """
    if sys.platform != "win32":
        with contextlib.suppress(ImportError, ValueError, OSError):
            import resource

            limit = memory_mib * 2**20
            resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
            return True
    return False
