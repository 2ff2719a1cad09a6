"""A producer and a consumer over a ring in shared memory.

Two semaphores count: the free places, and the full ones.  The producer waits
for a free place and posts a full one; the consumer does the opposite.  Who
has nothing to do sleeps, nobody spins, and no place is used twice.
"""

import sys

import anyio

from asyncipc.cli.showing import SIMULATED, Stage
from asyncipc.posix import (
    MemoryMap,
    Semaphore,
    fork,
    mmap,
    sem_getvalue,
    sem_init,
    sem_post,
    sem_wait,
    waitpid,
    write,
)

STDOUT = 1
PAGE = 4096
PLACES = 4
WIDTH = 16
FREE_AT = 1024
FULL_AT = 1056
LETTERS = b"ABCDEFGH"


async def main() -> None:
    memory = mmap(-1, PAGE)
    free = sem_init(memory, FREE_AT, PLACES)
    full = sem_init(memory, FULL_AT, 0)
    producer_pid = fork(producer, memory, free, full)
    consumer_pid = fork(consumer, memory, free, full)
    await waitpid(producer_pid)
    await waitpid(consumer_pid)
    await write(STDOUT, b"%d places are free again\n" % sem_getvalue(free))


async def producer(memory: MemoryMap, free: Semaphore, full: Semaphore) -> None:
    for number, letter in enumerate(LETTERS):
        await sem_wait(free)
        start = number % PLACES * WIDTH
        memory[start : start + WIDTH] = bytes([letter]) * WIDTH
        sem_post(full)


async def consumer(memory: MemoryMap, free: Semaphore, full: Semaphore) -> None:
    for number in range(len(LETTERS)):
        await sem_wait(full)
        await anyio.sleep(0.5)  # slower than the producer
        start = number % PLACES * WIDTH
        await write(STDOUT, b"place %d: %s\n" % (number % PLACES, memory[start : start + WIDTH]))
        sem_post(free)


def run(stage: Stage = SIMULATED) -> int:
    print(__doc__)
    stage.show(main)
    return 0


if __name__ == "__main__":
    sys.exit(run())
