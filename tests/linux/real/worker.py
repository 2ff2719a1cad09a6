"""A task of a case: a real process, or a thread of one, that does what it is told."""

from __future__ import annotations

import _thread
import fcntl
import os
import threading
from collections.abc import Sequence
from typing import Any, Final, NoReturn

from tests.linux.oplang import Pid, Value
from tests.linux.real.script import Report, Script, attempted, failure
from tests.linux.real.slot import Slot

BROKEN: Final = 251
"""How a worker ends that can go on no more."""
TABLE_SIZE: Final = 1024


def live(slots: list[Slot], number: int) -> NoReturn:
    """The program of a forked process: it never returns into its parent's."""
    try:
        _widen_table()
        serve(slots, number)
    finally:
        os._exit(BROKEN)


def _widen_table() -> None:
    """Let the table of descriptors have 1024 places, as where the cases were measured.

    select(2) takes no notice of numbers beyond the table's size, where it
    should say EBADF; and fork makes the child's as small as it can be.
    """
    try:
        os.close(fcntl.fcntl(0, fcntl.F_DUPFD, TABLE_SIZE - 1))
    except OSError:  # a limit of the case's, or a table without 0
        pass


def serve(slots: list[Slot], number: int) -> NoReturn:
    """Carry out the orders in a slot until the process ends."""
    slot = slots[number]
    slot.arrive(os.getpid(), threading.get_native_id())
    while True:
        op, args, keywords = slot.await_order()
        try:
            outcome: object = _carried_out(slots, op, args, keywords)
        except OSError as error:
            outcome = failure(error)
        try:
            slot.finish(outcome)
        except ValueError as error:
            slot.finish(failure(error))


def _carried_out(
    slots: list[Slot], op: str, args: Sequence[Any], keywords: dict[str, Value]
) -> Value | Report:
    if op == "fork":
        return _fork(slots, *args)
    if op == "thread":
        _start_thread(slots, *args)
        return None
    if op == "script":
        names, lines = args
        return Script(names).run(lines)
    return attempted(op, args, keywords)


def _fork(slots: list[Slot], number: int) -> Pid:
    pid = os.fork()
    if pid == 0:
        live(slots, number)
    return Pid(pid)


def _start_thread(slots: list[Slot], number: int) -> None:
    # Not threading.Thread: its start() sleeps until the thread runs, and would look blocked.
    _thread.start_new_thread(serve, (slots, number))
