"""Mode bits: what the owner, the group and the others may, and which of these a process is."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from asyncipc.kernel.processes.process import Process


def permits(
    process: Process, wanted: int, mode: int, uids: tuple[int, ...], gids: tuple[int, ...]
) -> bool:
    """May the process have all that is ``wanted`` (of 4, 2 and 1)?  uid 0 may.

    ``uids``, ``gids``: those of the owner, and of a System V object's creator
    (acl_permission_check, ipcperms).  Only the first bits that mean the process count.
    """
    if process.uid == 0:
        return True
    if process.uid in uids:
        granted = mode >> 6
    elif process.gid in gids:
        granted = mode >> 3
    else:
        granted = mode
    return granted & wanted == wanted
