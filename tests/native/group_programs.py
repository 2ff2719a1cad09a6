"""Programs that signal their group, and are signalled with it."""

from __future__ import annotations

from signal import SIGTERM

import anyio

from asyncipc import posix


async def signals_its_group(pid: int) -> None:
    """With a child in the group, and one of a group of its own that must not hear of it."""
    r, w = posix.pipe()
    posix.fork(sleeps_in_a_group_of_its_own, w)
    posix.fork(sleeps_with_a_child, w)
    posix.close(w)
    told = b""
    while len(told) < 3:
        told += await posix.read(r, 9)
    posix.kill(pid, SIGTERM)
    raise AssertionError("it was to end")


async def sleeps_in_a_group_of_its_own(w: int) -> None:
    posix.setpgid(0, 0)
    await posix.write(w, b"!")
    await anyio.sleep(0.5)
    posix._exit(0)


async def sleeps_with_a_child(w: int) -> None:
    posix.fork(sleeps_as_a_grandchild, w)
    await posix.write(w, b"!")
    await anyio.sleep(3600)


async def sleeps_as_a_grandchild(w: int) -> None:
    await posix.write(w, b"!")
    await anyio.sleep(3600)


async def signals_itself_by_pidfd() -> None:
    posix.pidfd_send_signal(posix.pidfd_open(posix.getpid()), SIGTERM)
    await anyio.sleep(3600)
