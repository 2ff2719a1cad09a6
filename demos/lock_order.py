"""Two locks taken in opposite order: each waits for the other.

With record locks the kernel sees the circle, and the request that would close
it fails with EDEADLK.  With flock, whose locks belong to open files and not to
processes, it cannot; nor with mutexes.  There the simulation says who waits
for whom.  The cure is the same everywhere: an order in which all take them.
"""

import sys
from fcntl import LOCK_EX

import anyio

from asyncipc import posix
from asyncipc.cli.showing import SIMULATED, Stage
from asyncipc.posix import O_CREAT, O_RDWR, flock, fork, lockf, waitpid, write

STDOUT = 1


async def record_locks() -> None:
    for first, second in (("/tmp/a", "/tmp/b"), ("/tmp/b", "/tmp/a")):
        fork(with_records, first, second)
    for _ in range(2):
        await waitpid(-1)


async def with_records(first: str, second: str) -> None:
    await lockf(await posix.open(first, O_CREAT | O_RDWR), LOCK_EX)
    await anyio.sleep(0.1)
    try:
        await lockf(await posix.open(second, O_CREAT | O_RDWR), LOCK_EX)
    except OSError as error:
        await write(STDOUT, b"refused: %s\n" % str(error).encode())
    else:
        await write(STDOUT, b"has both\n")


async def flocks() -> None:
    for first, second in (("/tmp/a", "/tmp/b"), ("/tmp/b", "/tmp/a")):
        fork(with_flocks, first, second)
    for _ in range(2):
        await waitpid(-1)


async def with_flocks(first: str, second: str) -> None:
    await flock(await posix.open(first, O_CREAT | O_RDWR), LOCK_EX)
    await anyio.sleep(0.1)
    await flock(await posix.open(second, O_CREAT | O_RDWR), LOCK_EX)


async def in_order() -> None:
    for _ in range(2):
        fork(with_flocks, "/tmp/a", "/tmp/b")
    for _ in range(2):
        await waitpid(-1)
    await write(STDOUT, b"both have had both\n")


def run(stage: Stage = SIMULATED) -> int:
    print(__doc__)
    stage.show(record_locks, "Record locks: the kernel refuses the last one")
    stage.show_deadlock(flocks, "flock: nobody refuses")
    stage.show(in_order, "flock, always a before b")
    return 0


if __name__ == "__main__":
    sys.exit(run())
