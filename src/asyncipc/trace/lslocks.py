"""lslocks(8): the locks on files, who has them and who waits."""

from __future__ import annotations

from asyncipc.statistics import LockStatistics, MachineStatistics
from asyncipc.trace.columns import columns

HEADS = ("COMMAND", "PID", "TYPE", "SIZE", "MODE", "M", "START", "END", "PATH")


def lslocks(machine: MachineStatistics) -> str:
    """A line for each lock, with lslocks' columns in its order.

    A lock that is waited for has a star behind its mode, and -1 for a pid means
    that an open file has it.  M: mandatory locks, which there are none of.
    """
    names = {process.pid: process.name for process in machine.processes}
    sizes = {file.name: file.size for file in machine.files}
    rows = (_row(lock, names, sizes) for lock in machine.locks)
    return columns(HEADS, rows, right="PID TYPE SIZE M START END")


def _row(
    lock: LockStatistics, names: dict[int, str], sizes: dict[str, int | None]
) -> tuple[str, ...]:
    size = sizes.get(lock.path)
    return (
        names.get(lock.pid, "(unknown)"),
        str(lock.pid),
        lock.kind,
        "" if size is None else f"{size}B",
        lock.mode + "*" * lock.waits,
        "0",
        str(lock.start),
        str(lock.end),
        lock.path,
    )
