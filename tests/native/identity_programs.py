"""What children do with what the operating system knows of a process."""

from __future__ import annotations

import os
import resource
from signal import SIG_BLOCK, SIG_UNBLOCK, SIGPIPE, SIGTERM, getsignal

from asyncipc import posix
from asyncipc.posix import PR_GET_PDEATHSIG, PR_SET_PDEATHSIG

NOBODY = 65534


def a_broken_pipe() -> int:
    r, w = posix.pipe()
    posix.close(r)
    return w


async def becomes_somebody_else(out: int) -> None:
    posix.prctl(PR_SET_PDEATHSIG, SIGTERM)
    said = [posix.prctl(PR_GET_PDEATHSIG)]
    posix.setgid(NOBODY)
    posix.setuid(NOBODY)
    said += [*os.getresuid(), *os.getresgid(), posix.getuid(), posix.getgid()]
    said.append(posix.prctl(PR_GET_PDEATHSIG))
    try:
        posix.setuid(0)
    except PermissionError:
        said.append(-1)
    await posix.write(out, " ".join(map(str, said)).encode())


async def tells_its_limits(out: int) -> None:
    own, real = posix.getrlimit(posix.RLIMIT_NOFILE), resource.getrlimit(resource.RLIMIT_NOFILE)
    await posix.write(out, b"%d %d %d %d" % (*own, *real))


async def writes_to_nobody() -> None:
    await posix.write(a_broken_pipe(), b"x")


async def counts_broken_pipes(out: int) -> None:
    """write, sendfile, splice; then one that it sends itself, and one that is blocked."""
    seen: list[int] = []
    posix.signal(SIGPIPE, lambda number, _: seen.append(number))
    w = a_broken_pipe()
    file = posix.memfd_create("octets")
    posix.pwrite(file, b"abc", 0)
    for call in (
        lambda: posix.write(w, b"x"),
        lambda: posix.sendfile(w, file, 0, 3),
        lambda: posix.splice(file, w, 3),
    ):
        try:
            await call()
        except BrokenPipeError:
            pass
    await posix.nanosleep(0.02)  # EINTR if another comes late
    counts = [len(seen)]
    posix.kill(posix.getpid(), SIGPIPE)
    counts.append(len(seen))
    posix.pthread_sigmask(SIG_BLOCK, [SIGPIPE])
    try:
        await posix.write(w, b"x")
    except BrokenPipeError:
        pass
    posix.pthread_sigmask(SIG_UNBLOCK, [SIGPIPE])
    await posix.nanosleep(0.02)
    counts.append(len(seen))
    await posix.write(out, f"{counts} {getsignal(SIGPIPE)!r}".encode())
