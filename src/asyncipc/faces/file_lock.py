"""A lock on a file, as a context."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from functools import partial
from typing import Final

from asyncipc.faces.calls import release, retried, take
from asyncipc.faces.channels import Channel
from asyncipc.faces.paths import Path, open_path
from asyncipc.kernel.descriptors import Descriptor
from asyncipc.kernel.files.namespace import O_CREAT
from asyncipc.kernel.locks.flock import LOCK_EX, LOCK_NB, LOCK_SH, LOCK_UN
from asyncipc.kernel.openfile import O_CLOEXEC, O_RDONLY
from asyncipc.runtime.process import Body, current

MODE: Final = 0o666
"""Of a file that is made for its lock; the umask takes from it."""


@asynccontextmanager
async def lock_file(
    file: int | Channel | Path, *, shared: bool = False, wait: bool = True
) -> AsyncIterator[None]:
    """flock(2) around a block: nobody else who locks the same file is in his meanwhile.

    ``file``: a descriptor, a channel, or a path, which is opened (and made, if
    it is not there) and closed again, as flock(1) does.  ``shared``: with others
    that share.  Blocks until it has the lock; BlockingIOError without ``wait``.
    The lock belongs to the open file: two tasks that lock by path exclude each
    other, two that lock one descriptor do not.  Under cancellation nothing
    stays locked or open.  Errors: EBADF, and those of open(2).
    """
    body = current()
    entry, is_own = await _entry_of(body, file)
    try:
        await _lock(body, entry, (LOCK_SH if shared else LOCK_EX) | (0 if wait else LOCK_NB))
        try:
            yield
        finally:
            _unlock(body, entry)
    finally:
        if is_own:
            _close(body, entry)


async def _entry_of(body: Body, file: int | Channel | Path) -> tuple[Descriptor, bool]:
    """Its descriptor, and whether that is made for the lock."""
    if isinstance(file, Channel):
        file.check_open()
        return body.process.table[file.fd], False
    if isinstance(file, int):
        return body.process.table[file], False
    opening = partial(open_path, file, O_RDONLY | O_CREAT | O_CLOEXEC, MODE)
    return await retried(opening), True


async def _lock(body: Body, entry: Descriptor, operation: int) -> None:
    def attempt() -> Awaitable[None]:
        locking = body.machine.flock(body, entry, operation)
        return take("flock", locking, locking, body.machine.flock(body, entry, LOCK_UN))

    await retried(attempt)


def _unlock(body: Body, entry: Descriptor) -> None:
    """Unless it is closed, or the process is over, and the lock gone with that."""
    if entry.open:
        release("flock", body.machine.flock(body, entry, LOCK_UN))


def _close(body: Body, entry: Descriptor) -> None:
    table = body.process.table
    if entry.open:
        release("close", table.close, entry.fd)
