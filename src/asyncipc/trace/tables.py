"""The descriptor tables of all processes, as a value and as a picture.

The picture has two parts: which number of which process stands for which open
file, and who can thereby talk to whom.  What it must see of a simulation is
written down here as protocols; it only looks, and changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Final, Protocol, cast

from asyncipc.trace.endpoints import Socket, backlog_of, label, own_name, peer_name, peer_of
from asyncipc.trace.wiring import Row, draw

WIDTH: Final = 78
PIDS_SHOWN: Final = 5
NAME_MAX: Final = 16
SECOND: Final = 1_000_000_000
PIPE_ENDS: Final = ("read end", "write end", "both ends")
"""By access mode; a FIFO can be opened for both."""
SOCKETS: Final = ("stream", "datagram", "listener")


# -- what is looked at


class OpenFile(Protocol):
    """``flags``: as F_GETFL has them; their last two bits are the access mode."""

    @property
    def flags(self) -> int: ...
    @property
    def noun(self) -> str: ...
    @property
    def is_stream(self) -> bool: ...
    def describe(self) -> str: ...
    def unread(self) -> int: ...


class Descriptor(Protocol):
    @property
    def fd(self) -> int: ...
    @property
    def file(self) -> OpenFile: ...


class Process(Protocol):
    @property
    def pid(self) -> int: ...
    @property
    def name(self) -> str: ...
    @property
    def alive(self) -> bool: ...
    @property
    def table(self) -> Iterable[Descriptor]: ...


class Kernel(Protocol):
    @property
    def processes(self) -> Mapping[int, Process]: ...


class Timers(Protocol):
    def now(self) -> int: ...


class Simulation(Protocol):
    @property
    def kernel(self) -> Kernel: ...
    @property
    def timers(self) -> Timers: ...


# -- the value


@dataclass(frozen=True, slots=True)
class FileView:
    """An open file.  ``name`` is shared by the ends of a pipe; ``peer`` is a socket's other end.

    ``inside``: bytes that wait to be read from it (from its pipe).  Of a
    socket: ``local`` and ``remote`` are addresses, ``waiting`` are the
    connections that a listener has in its backlog.
    """

    name: str
    kind: str
    peer: str = ""
    inside: int = 0
    local: str = ""
    remote: str = ""
    waiting: tuple[FileView, ...] = ()


@dataclass(frozen=True, slots=True)
class ProcessView:
    """A process's table: pairs of number and index into ``Tables.files``."""

    pid: int
    name: str
    alive: bool
    descriptors: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Tables:
    """All descriptor tables at one moment."""

    t_ns: int
    processes: tuple[ProcessView, ...]
    files: tuple[FileView, ...]

    def holders(self, file: int) -> list[tuple[int, int]]:
        """Who holds an open file: (pid, descriptor), in order."""
        return [
            (process.pid, fd)
            for process in self.processes
            for fd, held in process.descriptors
            if held == file
        ]


def snapshot(simulation: Simulation) -> Tables:
    """The tables now, init's left out: it holds nothing, ever."""
    indices: dict[int, int] = {}
    files: list[FileView] = []

    def index_of(file: OpenFile) -> int:
        if id(file) not in indices:
            indices[id(file)] = len(files)
            files.append(view_of(file))
        return indices[id(file)]

    processes = tuple(
        ProcessView(
            process.pid,
            process.name,
            process.alive,
            tuple((entry.fd, index_of(entry.file)) for entry in process.table),
        )
        for pid, process in sorted(simulation.kernel.processes.items())
        if pid != 1
    )
    return Tables(simulation.timers.now(), processes, tuple(_introduced(files)))


def view_of(file: OpenFile) -> FileView:
    kind, inside = kind_of(file), unread_of(file)
    if kind not in SOCKETS:
        return FileView(file.describe(), kind, inside=inside)
    socket = cast("Socket", file)
    waiting = tuple(view_of(cast("OpenFile", one)) for one in backlog_of(socket))
    names = own_name(socket), peer_name(socket)
    return FileView(label(socket), kind, peer_of(socket), inside, *names, waiting)


def _introduced(views: list[FileView]) -> Iterator[FileView]:
    """Sockets of the internet know their peers by address only: put the names in."""
    everybody = [*views, *(one for view in views for one in view.waiting)]
    ends = {(view.local, view.remote): view.name for view in everybody}
    for view in views:
        known = view.peer or not view.remote
        yield view if known else replace(view, peer=_who_is_at(ends, view))


def _who_is_at(ends: Mapping[tuple[str, str], str], view: FileView) -> str:
    """The other end of a connection; for a datagram, whoever is bound there."""
    other = ends.get((view.remote, view.local))
    if other is None and view.kind == "datagram":
        other = ends.get((view.remote, ""))
    return other or view.remote


def kind_of(file: OpenFile) -> str:
    if file.noun == "pipe":
        return PIPE_ENDS[file.flags & 0o3]
    if file.noun == "socket":
        if cast("Socket", file).is_listening():
            return "listener"
        return "stream" if file.is_stream else "datagram"
    return ""


def unread_of(file: OpenFile) -> int:
    try:
        return file.unread()
    except OSError:  # ENOTTY: it does not count
        return 0


# -- the picture


def picture(simulation: Simulation, title: str = "") -> str:
    """The tables now, as text of at most 80 columns (if names and numbers are short)."""
    return text_of(snapshot(simulation), title)


def text_of(tables: Tables, title: str = "") -> str:
    """The picture: a rule with title and time, the tables, and who can talk to whom."""
    rows = [row for process in tables.processes for row in _process_rows(process)]
    names = _aligned_names(tables)
    talks = [*_pipes(tables), *_sockets(tables)]
    parts = [_rule(tables, title), "", *draw(rows, names), "", *talks]
    return "\n".join([*parts, ""] if talks else parts)


def _rule(tables: Tables, title: str) -> str:
    moment = f" {tables.t_ns / SECOND:.3f} s ──"
    return f"── {title or 'descriptor tables'} ".ljust(WIDTH - len(moment), "─") + moment


def _process_rows(process: ProcessView) -> Iterator[Row]:
    caption = f"  pid {process.pid}  {process.name[:NAME_MAX]}"
    if not process.alive:
        yield Row(f"{caption} (zombie)")
        return
    yield Row(caption if process.descriptors else f"{caption} (nothing open)")
    # Neighbours that stand for the same file share a row, as 0, 1 and 2 often do.
    runs = groupby(
        enumerate(process.descriptors), key=lambda item: (item[1][1], item[1][0] - item[0])
    )
    for (file, _), run in runs:
        yield Row(f"    {_numbers([fd for _, (fd, _) in run])}", file)


def _numbers(fds: list[int]) -> str:
    return " ".join(map(str, fds)) if len(fds) <= 3 else f"{fds[0]}-{fds[-1]}"


def _aligned_names(tables: Tables) -> list[str]:
    """What stands at the end of a line: the open file, and by how many it is held."""
    names = [f"{file.name} {file.kind}".strip() for file in tables.files]
    width = max(map(len, names), default=0)
    counts = [len(tables.holders(index)) for index in range(len(names))]
    return [
        f"{name:<{width}}  held by {count}" if count > 1 else name
        for name, count in zip(names, counts, strict=True)
    ]


def _pipes(tables: Tables) -> Iterator[str]:
    """``writers ══▶ pipe ══▶ readers`` for each pipe."""
    ends = [(index, file) for index, file in enumerate(tables.files) if file.kind in PIPE_ENDS]
    for name in dict.fromkeys(file.name for _, file in ends):
        mine = [(index, file) for index, file in ends if file.name == name]
        writers = _pids(tables, *(index for index, file in mine if file.kind != "read end"))
        readers = _pids(tables, *(index for index, file in mine if file.kind != "write end"))
        yield f"  {writers} ══▶ {name} {_inside(mine[0][1])} ══▶ {readers}"


def _sockets(tables: Tables) -> Iterator[str]:
    """``holders ◀═▶ socket ═══ peer ◀═▶ holders`` for each connected pair, and the others."""
    places = {file.name: index for index, file in enumerate(tables.files)}
    for index, file in enumerate(tables.files):
        if file.kind not in SOCKETS:
            continue
        here, inside = f"  {_pids(tables, index)} ◀═▶ {file.name}", _inside(file)
        other = places.get(file.peer)
        if not file.peer:
            yield f"{here} {_alone(file)}"
        elif file.kind == "datagram" and not _is_mutual(tables, file, other):
            receiver = "nobody" if other is None and not file.remote else file.peer
            yield f"{here} {inside} ══▶ {receiver}"
        elif other is None:
            yield f"{here} {inside} ═══ {_out_of_sight(tables, file.peer)}"
        elif other > index:
            theirs = f"{file.peer} {_inside(tables.files[other])} ◀═▶ {_pids(tables, other)}"
            yield f"{here} {inside} ═══ {theirs}"


def _is_mutual(tables: Tables, file: FileView, peer: int | None) -> bool:
    return peer is not None and tables.files[peer].peer == file.name


def _alone(file: FileView) -> str:
    """What a socket does that has no peer."""
    place = f"at {file.local}" if file.local else "without a name"
    if file.kind == "datagram":
        return f"{_inside(file)} {place}"
    if file.kind == "stream":
        return f"not connected, {place}"
    count = len(file.waiting)
    wait = "nobody waits" if not count else "1 waits" if count == 1 else f"{count} wait"
    return f"listens {place}, {wait} to be accepted"


def _out_of_sight(tables: Tables, peer: str) -> str:
    """A peer that no process holds: it waits to be accepted, or has gone."""
    for listener in tables.files:
        for connection in listener.waiting:
            if connection.name == peer:
                return f"{peer} {_inside(connection)} waits at {listener.name}"
    return "nobody"


def _inside(file: FileView) -> str:
    if file.inside == 1:
        return "(1 byte)"
    return f"({file.inside} bytes)" if file.inside else "(empty)"


def _pids(tables: Tables, *files: int) -> str:
    """Who holds any of these open files."""
    pids = sorted({pid for file in files for pid, _ in tables.holders(file)})
    if not pids:
        return "nobody"
    shown = ", ".join(map(str, pids[:PIDS_SHOWN]))
    more = len(pids) - PIDS_SHOWN
    return f"pid {shown} and {more} more" if more > 0 else f"pid {shown}"
