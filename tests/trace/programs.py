"""A small program to watch: a child sends its parent a message."""

from __future__ import annotations

import anyio

from asyncipc.posix import close, fork, pipe, read, waitpid, write


async def parent() -> None:
    read_end, write_end = pipe()
    pid = fork(child, read_end, write_end)
    close(write_end)
    while await read(read_end, 100):
        pass
    close(read_end)
    await waitpid(pid)


async def child(read_end: int, write_end: int) -> None:
    close(read_end)
    await anyio.sleep(0.25)
    await write(write_end, b"message for parent")
