"""proc_pid_maps(5): what each process has mapped."""

from __future__ import annotations

from collections.abc import Iterator

from asyncipc.statistics import MachineStatistics, ProcessStatistics

NAME_COLUMN = 73
"""Where the name begins (seq_pad in fs/proc/task_mmu.c)."""


def maps(machine: MachineStatistics) -> str:
    """``/proc/PID/maps`` of every process that has any, its pid and name above it.

    There are no devices and no inodes of mappings: both are 0.
    """
    return "\n".join(_of_process(each) for each in machine.processes if each.mappings)


def _of_process(process: ProcessStatistics) -> str:
    return f"{process.pid} {process.name}\n" + "".join(_lines(process))


def _lines(process: ProcessStatistics) -> Iterator[str]:
    for each in process.mappings:
        place = f"{each.address:08x}-{each.address + each.length:08x}"
        line = f"{place} {each.rights} {each.offset:08x} 00:00 0"
        yield f"{line.ljust(NAME_COLUMN)}{each.name}".rstrip() + "\n"
