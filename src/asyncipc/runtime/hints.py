"""What is wrong, where the report of who waits for whom shows it: in one sentence each."""

from __future__ import annotations

import graphlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final, TypeAlias

from asyncipc.kernel.openfile import OpenFile
from asyncipc.kernel.readiness import IN, OUT

if TYPE_CHECKING:
    from asyncipc.kernel.processes.process import Process
    from asyncipc.kernel.waitqueue import WouldBlock
    from asyncipc.runtime.report import BlockedTask

Places: TypeAlias = tuple[tuple[int, int], ...]
"""(pid, descriptor) of each; the descriptor is -1 where the process itself is meant."""

LOCKING: Final = frozenset({"fcntl", "flock", "pthread_mutex_lock"})
"""Calls that wait for a lock."""


def is_room(refusal: WouldBlock) -> bool:
    return bool(refusal.mask & OUT) and not refusal.mask & IN


def hint_of_its_own(process: Process, call: str, refusal: WouldBlock, wakers: Places) -> str:
    """A reader that alone holds the other end waits for itself."""
    pid, source = process.pid, refusal.source
    if call == "flock":
        return _hint_of_two_openings(pid, wakers)
    if call == "poll" or is_room(refusal) or not isinstance(source, OpenFile):
        return ""
    if call.startswith("accept") or not wakers or any(holder != pid for holder, _ in wakers):
        return ""
    fd = wakers[0][1]
    if source.noun == "pipe":
        return (
            f"hint: pid {pid} waits for the end of what it could still write itself: "
            f"its own descriptor {fd} keeps the write end open; close({fd}) first"
        )
    return (
        f"hint: pid {pid} waits for data in {source.describe()}, but nobody else holds "
        f"the other end: it is its own descriptor {fd}"
    )


def _hint_of_two_openings(pid: int, wakers: Places) -> str:
    """Who has the lock through another open file waits for itself."""
    own = next((fd for holder, fd in wakers if holder == pid), None)
    if own is None or any(holder != pid for holder, _ in wakers):
        return ""
    return (
        f"hint: pid {pid} waits for a lock that it has itself, by its descriptor {own}: "
        "the lock belongs to the open file, so that two openings exclude each other"
    )


def hints(tasks: list[BlockedTask]) -> Iterator[str]:
    for task in tasks:
        if task.hint:
            yield task.hint
    for host in dict.fromkeys(task.host for task in tasks):
        yield from _hints_of_cycle([task for task in tasks if task.host == host])


def _hints_of_cycle(tasks: list[BlockedTask]) -> Iterator[str]:
    cycle = _cycle(tasks)
    if cycle:
        chain_of_pids = " -> ".join(f"pid {pid}" for pid in cycle)
        yield f"cycle: {chain_of_pids}"
        pids = set(cycle)
        if all(task.writes for task in tasks if task.pid in pids):
            yield "hint: everyone in it sends before it reads, and the buffers are full"
        if all(task.call.partition("(")[0] in LOCKING for task in tasks if task.pid in pids):
            yield "hint: everyone in it waits for a lock of the next: take them in one order"


def _cycle(tasks: list[BlockedTask]) -> list[int]:
    """A circle of processes of one host, of which each waits only for the next."""
    waits: dict[int, tuple[int]] = {}
    for task in tasks:
        other = _only_other(task)
        if other is not None:
            waits.setdefault(task.pid, (other,))
    try:
        graphlib.TopologicalSorter(waits).prepare()
    except graphlib.CycleError as error:
        found: list[int] = error.args[1]
        return found[::-1]
    return []


def _only_other(task: BlockedTask) -> int | None:
    """The one other process that could wake it; None if there are several, or none."""
    other = None
    for pid, _ in task.wakers:
        if pid not in (task.pid, other):
            if other is not None:
                return None  # without a look at the rest of a crowd
            other = pid
    return other
