"""Queues and semaphores of a test of its own: names that no other run has, and who sleeps.

On the native machine they are the operating system's, which knows neither a
test's end nor the test beside it.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from typing import Final

import anyio
import pytest

from asyncipc.kernel.processes.process import State
from asyncipc.native import libc
from asyncipc.native.backend import NativeBackend
from asyncipc.native.sysv.messages import NativeSystemVMessages
from asyncipc.native.sysv.semaphore_sets import NativeSemaphoreSets
from asyncipc.runtime.process import Body, current

NAME: Final = f"/asyncipc-{os.getpid()}"
LATE_MAX: Final = 20
KEY: Final = 0x61 << 24 | os.getpid()


def sleepers(prefix: str) -> int:
    """How many stand in line in a call of that name: who is stopped, or dead, does not."""
    bodies = [process.body for process in current().simulation.localhost.kernel.processes.values()]
    return sum(
        sleeper.asleep[0].startswith(prefix)
        for body in bodies
        if isinstance(body, Body) and body.process.state is State.RUNNING
        for sleeper in body.sleepers
    )


def has_passed(since: float, seconds: float) -> bool:
    """Exactly that on virtual time; the real kernel's goes on by itself."""
    passed = anyio.current_time() - since
    if isinstance(current().machine, NativeBackend):
        return seconds - 1e-6 <= passed < seconds + LATE_MAX
    return passed == seconds


def is_now(told: int) -> bool:
    """A time of day in seconds: the machine's own."""
    if isinstance(current().machine, NativeBackend):
        return 0 <= time.time() - told < LATE_MAX
    return told == int(anyio.current_time())


def known_as(pid: int) -> int:
    """The pid that an object tells of a process: tasks share that of their interpreter."""
    machine = current().machine
    return os.getpid() if isinstance(machine, NativeBackend) else pid


@pytest.fixture
def nothing_stays(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What a test has left in the operating system is removed, so that no other meets it."""
    names: set[bytes] = set()
    queues: set[int] = set()
    sets: set[int] = set()
    mq_open, msgget, semget = (
        NativeBackend.mq_open,
        NativeSystemVMessages.get,
        NativeSemaphoreSets.get,
    )

    def opened(self, body, name, *args):  # type: ignore[no-untyped-def]
        names.add(name)
        return mq_open(self, body, name, *args)

    def got_queue(*args) -> int:  # type: ignore[no-untyped-def]
        queues.add(identifier := msgget(*args))
        return identifier

    def got_set(*args) -> int:  # type: ignore[no-untyped-def]
        sets.add(identifier := semget(*args))
        return identifier

    monkeypatch.setattr(NativeBackend, "mq_open", opened)
    monkeypatch.setattr(NativeSystemVMessages, "get", got_queue)
    monkeypatch.setattr(NativeSemaphoreSets, "get", got_set)
    yield
    for remove, args in (
        *((libc.mq_unlink, (name,)) for name in names),
        *((libc.msgctl, (identifier, 0, None)) for identifier in queues),
        *((libc.semctl, (identifier, 0, 0, None)) for identifier in sets),
    ):
        try:
            remove(*args)
        except OSError:
            pass  # the test has removed it
