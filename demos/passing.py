"""A descriptor is sent to one who could not open the file.

SCM_RIGHTS carries open files beside the data of a UNIX socket.  The receiver
gets a number of its own for the same open file, offset and all.  While it is
under way nobody holds it, and yet it is open: the sender may close it at once.

So a guard that may read a file can hand it to a worker that may not.
"""

import sys

from asyncipc import posix
from asyncipc.cli.showing import SIMULATED, Stage, look
from asyncipc.posix import (
    O_CREAT,
    O_RDONLY,
    O_RDWR,
    close,
    fork,
    read,
    recv_fds,
    send_fds,
    setuid,
    socketpair,
    waitpid,
    write,
)

STDOUT = 1
SECRET = "/tmp/secret"
NOBODY = 65534


async def main() -> None:
    file = await posix.open(SECRET, O_CREAT | O_RDWR, 0o600)
    await write(file, b"the secret, and more of it")
    close(file)

    here, there = socketpair()
    worker_pid = fork(worker, here, there)
    close(there)

    file = await posix.open(SECRET, O_RDONLY)
    await read(file, 4)  # the offset goes with it
    await send_fds(here, [b"look"], [file])
    close(file)
    look("nobody holds the file, and it is open")
    await waitpid(worker_pid)
    close(here)


async def worker(here: int, there: int) -> None:
    close(here)
    setuid(NOBODY)
    try:
        await posix.open(SECRET, O_RDONLY)
    except PermissionError as error:
        await write(STDOUT, b"open: %s\n" % str(error).encode())
    _word, fds, _flags, _address = await recv_fds(there, 100, 1)
    await write(STDOUT, b"descriptor %d reads: %s\n" % (fds[0], await read(fds[0], 100)))


def run(stage: Stage = SIMULATED) -> int:
    print(__doc__)
    stage.show(main)
    return 0


if __name__ == "__main__":
    sys.exit(run())
