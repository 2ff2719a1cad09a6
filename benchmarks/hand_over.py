"""Hand-over: eight octets in shared memory, from one process to another and back.

A semaphore says that they are there.  The peer does the same between two
processes of the operating system, with multiprocessing's shared memory and
semaphores.  Time on the wall, since the peer has two processors.
"""

from __future__ import annotations

import multiprocessing
from functools import partial
from multiprocessing.shared_memory import SharedMemory
from multiprocessing.synchronize import Semaphore
from struct import Struct
from time import perf_counter

import asyncipc
from asyncipc import posix
from benchmarks.case import Case, Comparison, Contender, scaled

ROUND_TRIPS = 2000
NUMBER = Struct("<q")
PAGE = 4096


async def _answer(
    memory: posix.MemoryMap, asked: posix.Semaphore, answered: posix.Semaphore, count: int
) -> None:
    for _ in range(count):
        await posix.sem_wait(asked)
        (number,) = NUMBER.unpack(memory[:8])
        memory[:8] = NUMBER.pack(number + 1)
        posix.sem_post(answered)


async def _simulated(count: int) -> float:
    """Microseconds per round trip."""
    memory = posix.mmap(-1, PAGE)
    asked, answered = posix.sem_init(memory, 64, 0), posix.sem_init(memory, 128, 0)
    child = posix.fork(_answer, memory, asked, answered, count)
    start = perf_counter()
    for number in range(count):
        memory[:8] = NUMBER.pack(number)
        posix.sem_post(asked)
        await posix.sem_wait(answered)
        assert NUMBER.unpack(memory[:8]) == (number + 1,)
    cost_us = (perf_counter() - start) / count * 1e6
    await posix.waitpid(child)
    return cost_us


def _answer_really(name: str, asked: Semaphore, answered: Semaphore, count: int) -> None:
    memory = SharedMemory(name)
    octets = _octets(memory)
    for _ in range(count):
        asked.acquire()
        (number,) = NUMBER.unpack(octets[:8])
        octets[:8] = NUMBER.pack(number + 1)
        answered.release()
    octets.release()
    memory.close()


def _octets(memory: SharedMemory) -> memoryview:
    """Its own view, asked for once."""
    view = memory.buf
    assert view is not None
    return view[:PAGE]


def _real(count: int) -> float:
    context = multiprocessing.get_context("fork")
    memory = SharedMemory(create=True, size=PAGE)
    octets = _octets(memory)
    asked, answered = context.Semaphore(0), context.Semaphore(0)
    child = context.Process(target=_answer_really, args=(memory.name, asked, answered, count))
    child.start()
    start = perf_counter()
    for number in range(count):
        octets[:8] = NUMBER.pack(number)
        asked.release()
        answered.acquire()
        assert NUMBER.unpack(octets[:8]) == (number + 1,)
    cost_us = (perf_counter() - start) / count * 1e6
    child.join()
    octets.release()
    memory.close()
    memory.unlink()
    return cost_us


def case(scale: float = 1.0) -> Case:
    count = scaled(ROUND_TRIPS, scale)
    strict, q32, real = "simulated strict", "simulated q32", "multiprocessing, real"
    return Case(
        "hand-over",
        "8 octets in shared memory and back, by semaphores",
        "us",
        (
            Contender(strict, lambda: asyncipc.run(_simulated, count, quantum=1)),
            Contender(real, partial(_real, count)),
            Contender(q32, lambda: asyncipc.run(_simulated, count, quantum=32)),
        ),
        (Comparison(strict, real), Comparison(q32, real)),
    )
