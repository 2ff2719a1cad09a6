"""Systems other than Linux, as far as a Linux without its own names shows them."""

from __future__ import annotations

import subprocess
import sys

import pytest

WITHOUT = """
import asyncio, errno, fcntl, mmap, os, pkgutil, select, signal, socket, sys, time
import selectors, types
import anyio, anyio._backends._asyncio, anyio._backends._trio, trio, trio._core._io_epoll

for loop in (selectors, trio._core._io_epoll):  # these stay Linux's
    loop.select = types.SimpleNamespace(**vars(select))
for module, prefixes in {
    os: "pipe2 eventfd EFD_ splice SPLICE_ memfd_create MFD_ pidfd_open P_PIDFD O_PATH O_TMPFILE"
        " O_DIRECT_ O_NOATIME posix_fadvise",
    select: "epoll EPOLL",
    signal: "pthread_sigmask sigtimedwait sigwaitinfo pidfd_send_signal SIGPOLL",
    socket: "MSG_CMSG_CLOEXEC MSG_NOSIGNAL SO_PEERCRED SO_PASSCRED SCM_CREDENTIALS SOCK_CLOEXEC"
        " SOCK_NONBLOCK",
    fcntl: "F_OFD_ F_SETPIPE_SZ F_GETPIPE_SZ F_ADD_SEALS F_GET_SEALS F_SETSIG",
    mmap: "MAP_POPULATE MAP_STACK",
    time: "CLOCK_BOOTTIME CLOCK_TAI",
}.items():
    for name in [name for name in dir(module) if name.startswith(tuple(prefixes.split()))]:
        delattr(module, name)
sys.platform = "darwin"
"""

IMPORTS = """
import asyncipc.native

names = [each.name for each in pkgutil.walk_packages(asyncipc.native.__path__, "asyncipc.native.")]
assert "asyncipc.native.processes.backend" in names
for name in names:
    __import__(name)
"""

PIPES = """
import asyncipc
from asyncipc import Unsupported, posix

async def child(w):
    await posix.nanosleep(0.02)
    await posix.write(w, b"from a pipe")

async def main():
    r, w = posix.pipe()
    pid = posix.fork(child, w)
    assert await posix.poll([(r, select.POLLIN)], 10) == [(r, select.POLLIN)]
    assert await posix.read(r, 99) == b"from a pipe"
    posix.fork(child, w)
    assert await posix.read(r, 99) == b"from a pipe"
    assert (await posix.wait())[1] == (await posix.wait())[1] == 0
    posix.close(r)
    try:
        await posix.write(w, b"x")
    except BrokenPipeError:
        pass
    for make in (
        lambda: posix.pipe2(posix.O_DIRECT),
        posix.socketpair,
        lambda: posix.socket(socket.AF_INET, socket.SOCK_STREAM),
        lambda: posix.eventfd(0),
        lambda: posix.memfd_create("file"),
        lambda: posix.pidfd_open(pid),
    ):
        try:
            make()
        except Unsupported as error:
            print(error)
        else:
            print("made")

for backend in ("trio", "asyncio"):
    asyncipc.run(main, machine="native", backend=backend)
try:
    asyncipc.run(main, machine=asyncipc.Native(isolation="process"))
except Unsupported as error:
    print(error)
"""


def said_by(*pieces: str) -> str:
    """What an interpreter says that runs these."""
    done = subprocess.run(
        [sys.executable, "-c", "".join(pieces)], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.skipif(sys.platform != "linux", reason="it takes away what Linux has")
def test_a_system_without_linuxs_names_imports_all_of_the_native_machine() -> None:
    assert said_by(WITHOUT, IMPORTS) == ""


@pytest.mark.skipif(sys.platform != "linux", reason="it takes away what Linux has")
def test_pipes_work_there_and_what_is_lacking_is_refused_by_name() -> None:
    *refusals, isolation = said_by(WITHOUT, PIPES).splitlines()
    calls = ["O_DIRECT", "sockets", "sockets", "eventfd", "memfd_create", "pidfd_open"] * 2
    assert len(refusals) == len(calls)
    for name, refusal in zip(calls, refusals, strict=True):
        assert name in refusal
    assert "isolation='process'" in isolation
