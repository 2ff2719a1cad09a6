"""The descriptor tables of all processes as a picture.

It has two parts: which number of which process stands for which open file, and
who can thereby talk to whom.  It is drawn from the statistics of a moment, and
looks at nothing else.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from typing import Final, Protocol

from asyncipc.statistics import (
    FileStatistics,
    MachineStatistics,
    ProcessStatistics,
    SocketStatistics,
)
from asyncipc.trace.wiring import Row, draw

WIDTH: Final = 78
PIDS_SHOWN: Final = 5
NAME_MAX: Final = 16
SECOND: Final = 1_000_000_000
INIT: Final = 1
PIPE_ENDS: Final = {"r": "read end", "w": "write end", "u": "both ends"}
"""A FIFO can be opened for both."""


class Machine(Protocol):
    """What can be looked at: a Simulation."""

    def statistics(self) -> MachineStatistics: ...


def picture(machine: Machine, title: str = "") -> str:
    """The tables now, as text of at most 80 columns (if names and numbers are short)."""
    return text_of(machine.statistics(), title)


def text_of(machine: MachineStatistics, title: str = "") -> str:
    """The picture: a rule with title and time, the tables, and who can talk to whom.

    init's table is left out: it holds nothing, ever.
    """
    processes = [process for process in machine.processes if process.pid != INIT]
    held = {entry.file for process in processes for entry in process.descriptors}
    rows = [row for process in processes for row in _process_rows(process)]
    names = _aligned_names(machine, len(held))
    talks = [*_pipes(machine), *_sockets(machine)]
    parts = [_rule(machine, title), "", *draw(rows, names), "", *talks]
    return "\n".join([*parts, ""] if talks else parts)


def _rule(machine: MachineStatistics, title: str) -> str:
    moment = f" {machine.t_ns / SECOND:.3f} s ──"
    return f"── {title or 'descriptor tables'} ".ljust(WIDTH - len(moment), "─") + moment


def _process_rows(process: ProcessStatistics) -> Iterator[Row]:
    caption = f"  pid {process.pid}  {process.name[:NAME_MAX]}"
    if process.state == "Z":
        yield Row(f"{caption} (zombie)")
        return
    yield Row(caption if process.descriptors else f"{caption} (nothing open)")
    # Neighbours that stand for the same file share a row, as 0, 1 and 2 often do.
    runs = groupby(
        enumerate(process.descriptors), key=lambda item: (item[1].file, item[1].fd - item[0])
    )
    for (file, _), run in runs:
        yield Row(f"    {_numbers([entry.fd for _, entry in run])}", file)


def _numbers(fds: list[int]) -> str:
    return " ".join(map(str, fds)) if len(fds) <= 3 else f"{fds[0]}-{fds[-1]}"


def _aligned_names(machine: MachineStatistics, count: int) -> list[str]:
    """What stands at the end of a line: the open file, and by how many it is held."""
    names = [f"{file.name} {_kind(file)}".strip() for file in machine.files[:count]]
    width = max(map(len, names), default=0)
    counts = [len(machine.holders(index)) for index in range(len(names))]
    return [
        f"{name:<{width}}  held by {count}" if count > 1 else name
        for name, count in zip(names, counts, strict=True)
    ]


def _kind(file: FileStatistics) -> str:
    if isinstance(file, SocketStatistics):
        return _socket_kind(file)
    return PIPE_ENDS[file.access] if file.kind == "FIFO" else ""


def _socket_kind(socket: SocketStatistics) -> str:
    if socket.state == "LISTEN":
        return "listener"
    return "stream" if socket.netid in {"tcp", "u_str"} else "datagram"


def _pipes(machine: MachineStatistics) -> Iterator[str]:
    """``writers ══▶ pipe ══▶ readers`` for each pipe."""
    ends = [(index, file) for index, file in enumerate(machine.files) if file.kind == "FIFO"]
    for name in dict.fromkeys(file.name for _, file in ends):
        mine = [(index, file) for index, file in ends if file.name == name]
        writers = _pids(machine, *(index for index, file in mine if file.access != "r"))
        readers = _pids(machine, *(index for index, file in mine if file.access != "w"))
        yield f"  {writers} ══▶ {name} {_inside(mine[0][1])} ══▶ {readers}"


def _sockets(machine: MachineStatistics) -> Iterator[str]:
    """``holders ◀═▶ socket ═══ peer ◀═▶ holders`` for each connected pair, and the others."""
    places = {file.inode: index for index, file in enumerate(machine.files)}
    for index, file in enumerate(machine.files):
        if not isinstance(file, SocketStatistics) or not machine.holders(index):
            continue
        here, inside = f"  {_pids(machine, index)} ◀═▶ {file.name}", _inside(file)
        other = places.get(file.peer)
        if not file.peer and not file.remote:
            yield f"{here} {_alone(file)}"
        elif _socket_kind(file) == "datagram" and not _is_mutual(machine, file, other):
            yield f"{here} {inside} ══▶ {_receiver(machine, file, other)}"
        elif other is None or not machine.holders(other):
            yield f"{here} {inside} ═══ {_out_of_sight(machine, file, other)}"
        elif other > index:
            there = machine.files[other]
            yield (f"{here} {inside} ═══ {there.name} {_inside(there)} ◀═▶ {_pids(machine, other)}")


def _is_mutual(machine: MachineStatistics, socket: SocketStatistics, other: int | None) -> bool:
    """Do two datagram sockets have each other for a peer?"""
    if other is None:
        return False
    there = machine.files[other]
    return isinstance(there, SocketStatistics) and there.peer == socket.inode


def _receiver(machine: MachineStatistics, socket: SocketStatistics, other: int | None) -> str:
    return (socket.remote or "nobody") if other is None else machine.files[other].name


def _alone(socket: SocketStatistics) -> str:
    """What a socket does that has no peer."""
    place = f"at {socket.local}" if socket.local else "without a name"
    kind = _socket_kind(socket)
    if kind == "datagram":
        return f"{_inside(socket)} {place}"
    if kind == "stream":
        return f"not connected, {place}"
    count = len(socket.waiting)
    wait = "nobody waits" if not count else "1 waits" if count == 1 else f"{count} wait"
    return f"listens {place}, {wait} to be accepted"


def _out_of_sight(machine: MachineStatistics, socket: SocketStatistics, other: int | None) -> str:
    """A peer that no process holds: it waits to be accepted, or has gone."""
    for listener in machine.files:
        if isinstance(listener, SocketStatistics) and socket.peer in listener.waiting:
            assert other is not None, "who waits in a backlog is among the files"
            there = machine.files[other]
            return f"{there.name} {_inside(there)} waits at {listener.name}"
    return "nobody"


def _inside(file: FileStatistics) -> str:
    if file.unread == 1:
        return "(1 byte)"
    return f"({file.unread} bytes)" if file.unread else "(empty)"


def _pids(machine: MachineStatistics, *files: int) -> str:
    """Who holds any of these open files."""
    pids = sorted({pid for file in files for pid, _ in machine.holders(file)})
    if not pids:
        return "nobody"
    shown = ", ".join(map(str, pids[:PIDS_SHOWN]))
    more = len(pids) - PIDS_SHOWN
    return f"pid {shown} and {more} more" if more > 0 else f"pid {shown}"
