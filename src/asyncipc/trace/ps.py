"""ps(1): the processes of a machine, in the columns of ``ps axj``."""

from __future__ import annotations

from asyncipc.statistics import MachineStatistics, ProcessStatistics
from asyncipc.trace.columns import columns

HEADS = ("PPID", "PID", "PGID", "SID", "TTY", "TPGID", "STAT", "UID", "TIME", "COMMAND")


def ps(machine: MachineStatistics) -> str:
    """All processes by pid.  No terminal and no processor time: there are none."""
    rows = (_row(process) for process in machine.processes)
    return columns(HEADS, rows, right="PPID PID PGID SID TPGID UID TIME")


def _row(process: ProcessStatistics) -> tuple[str, ...]:
    leads = "s" if process.session == process.pid else ""
    ended = f"[{process.name}] <defunct>" if process.state == "Z" else process.name
    numbers = process.parent, process.pid, process.group, process.session
    return (
        *map(str, numbers),
        "?",
        "-1",
        f"{process.state}{leads}",
        str(process.uid),
        "0:00",
        ended,
    )
