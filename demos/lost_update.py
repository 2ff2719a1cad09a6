"""Two processes add to a shared number; an addition is lost.

To add is to load, to add and to store.  Where another process runs between
the load and the store, it loads the same number, and of two additions one
remains.  On a real machine that happens once in a while; here another process
runs exactly at an await, so the same addition is lost in every run.

The cure: a semaphore of value 1, held from the load to the store.
"""

import sys

import anyio

from asyncipc.cli.showing import SIMULATED, Stage
from asyncipc.posix import (
    MemoryMap,
    Semaphore,
    fork,
    mmap,
    sem_init,
    sem_post,
    sem_wait,
    waitpid,
    write,
)

STDOUT = 1
NUMBER = slice(0, 8)
SEMAPHORE_AT = 64
PAGE = 4096
ADDITIONS = 3


async def main(locked: bool) -> None:
    memory = mmap(-1, PAGE)
    lock = sem_init(memory, SEMAPHORE_AT, 1) if locked else None
    for _ in range(2):
        fork(adder, memory, lock)
    for _ in range(2):
        await waitpid(-1)
    await write(STDOUT, b"2 * %d additions give %d\n" % (ADDITIONS, load(memory)))


async def adder(memory: MemoryMap, lock: Semaphore | None) -> None:
    for _ in range(ADDITIONS):
        if lock is not None:
            await sem_wait(lock)
        number = load(memory)
        await anyio.sleep(0.001)  # here the other one runs
        store(memory, number + 1)
        if lock is not None:
            sem_post(lock)


def load(memory: MemoryMap) -> int:
    return int.from_bytes(memory[NUMBER], "little")


def store(memory: MemoryMap, number: int) -> None:
    memory[NUMBER] = number.to_bytes(8, "little")


async def unlocked() -> None:
    await main(locked=False)


async def locked() -> None:
    await main(locked=True)


def run(stage: Stage = SIMULATED) -> int:
    print(__doc__)
    stage.show(unlocked, "Without a lock")
    stage.show(locked, "With a semaphore from the load to the store")
    return 0


if __name__ == "__main__":
    sys.exit(run())
