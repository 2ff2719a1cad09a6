"""A reader sees half of a change to shared memory.

The money is neither here nor there.

A writer moves an amount between two accounts in shared memory: two stores.
Who reads between them sees a sum that never was.  Each store is whole by
itself, so no single value looks wrong; only their sum does.

The cure here is a version in front of the data, as seqlocks have it: odd
while somebody writes, and a reader who saw an odd one, or two different ones,
reads again.  So the writer never waits for readers.
"""

import struct
import sys

import anyio

from asyncipc.cli.showing import SIMULATED, Stage
from asyncipc.posix import MemoryMap, fork, mmap, waitpid, write

STDOUT = 1
PAGE = 4096
VERSION = 0
HERE = 8
THERE = 16
SUM = 100


async def trusting() -> None:
    """The reader takes what it finds."""
    await main(read_once)


async def careful() -> None:
    """The reader looks at the version before and after."""
    await main(read_whole)


async def main(reader: object) -> None:
    memory = mmap(-1, PAGE)
    put(memory, HERE, SUM)
    writer_pid = fork(writer, memory)
    reader_pid = fork(reader, memory)  # type: ignore[arg-type]
    await waitpid(writer_pid)
    await waitpid(reader_pid)


async def writer(memory: MemoryMap) -> None:
    for _ in range(3):
        put(memory, VERSION, get(memory, VERSION) + 1)
        put(memory, HERE, get(memory, HERE) - 10)
        await anyio.sleep(0.010)  # between the two stores others run
        put(memory, THERE, get(memory, THERE) + 10)
        put(memory, VERSION, get(memory, VERSION) + 1)
        await anyio.sleep(0.010)


async def read_once(memory: MemoryMap) -> None:
    for _ in range(4):
        await tell(get(memory, HERE), get(memory, THERE))
        await anyio.sleep(0.015)


async def read_whole(memory: MemoryMap) -> None:
    for _ in range(4):
        await tell(*await snapshot(memory))
        await anyio.sleep(0.015)


async def snapshot(memory: MemoryMap) -> tuple[int, int]:
    while True:
        version = get(memory, VERSION)
        values = get(memory, HERE), get(memory, THERE)
        if version % 2 == 0 and version == get(memory, VERSION):
            return values
        await anyio.sleep(0.001)


async def tell(here: int, there: int) -> None:
    verdict = b"" if here + there == SUM else b", which never was"
    await write(STDOUT, b"%d + %d = %d%s\n" % (here, there, here + there, verdict))


def get(memory: MemoryMap, place: int) -> int:
    (value,) = struct.unpack("<q", memory[place : place + 8])
    return int(value)


def put(memory: MemoryMap, place: int, value: int) -> None:
    memory[place : place + 8] = struct.pack("<q", value)


def run(stage: Stage = SIMULATED) -> int:
    print(__doc__)
    stage.show(trusting, "A reader that takes what it finds")
    stage.show(careful, "A reader that looks at the version")
    return 0


if __name__ == "__main__":
    sys.exit(run())
