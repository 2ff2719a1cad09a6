"""What children do with semaphores, mutexes and conditions of their parent."""

from __future__ import annotations

import os

import anyio

from asyncipc import posix
from asyncipc.faces.condition import Condition
from asyncipc.faces.mutex import Mutex
from asyncipc.faces.semaphore import Semaphore, open_semaphore
from asyncipc.faces.shared_memory import SharedMemory

LOCK = 64
FILLED = 128
EMPTIED = 192


async def posts_where_it_was_told(fd: int) -> None:
    memory = posix.mmap(fd, 0)
    memory[200:208] = os.getpid().to_bytes(8, "little")
    posix.sem_post(posix.sem_at(memory))


async def waits_there(name: str) -> None:
    block = SharedMemory(name)
    await Semaphore(block).acquire()
    block.buf[200] += 1


async def counts(name: str, rounds: int) -> None:
    """An increment that is lost if two do it at once."""
    block = SharedMemory(name)
    mutex = Mutex(block, LOCK)
    for _ in range(rounds):
        async with mutex:
            value = block.buf[0]
            await anyio.sleep(0.002)
            block.buf[0] = value + 1


async def dies_with_it(name: str) -> None:
    block = SharedMemory(name)
    await Mutex(block, LOCK).acquire()
    block.buf[0] = 1
    block.close()  # what is locked stays mapped all the same
    posix.kill(posix.getpid(), posix.SIGKILL)
    await anyio.sleep_forever()


async def ends_with_it(name: str) -> None:
    await Mutex(SharedMemory(name), LOCK).acquire()


async def is_told_and_tells(name: str) -> None:
    """0: somebody else has it, 1: it was free, else the errno."""
    try:
        Mutex(SharedMemory(name), LOCK).acquire_nowait()
    except anyio.WouldBlock:
        posix._exit(0)
    except OSError as error:
        posix._exit(error.errno or 255)
    posix._exit(1)


async def consumes(name: str, items: int) -> None:
    block = SharedMemory(name)
    mutex = Mutex(block, LOCK)
    filled = Condition(block, FILLED, mutex=mutex)
    emptied = Condition(block, EMPTIED, mutex=mutex)
    for _ in range(items):
        async with mutex:
            while not block.buf[0]:
                await filled.wait()
            block.buf[1] += block.buf[0]
            block.buf[0] = 0
            emptied.notify()


async def takes_a_named_one(name: str) -> None:
    with anyio.fail_after(10):
        await open_semaphore(name).acquire()
