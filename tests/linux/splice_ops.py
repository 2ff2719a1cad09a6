"""Operations that move octets inside the kernel: splice, tee, sendfile."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from asyncipc import posix
from tests.linux.descriptor_ops import Operation, retried


async def splice(
    source: int,
    target: int,
    count: int,
    flags: int = 0,
    offin: int | None = None,
    offout: int | None = None,
) -> int:
    return await posix.splice(source, target, count, offin, offout, flags)


async def tee(source: int, target: int, count: int, flags: int = 0) -> int:
    return await posix.tee(source, target, count, flags)


async def sendfile(target: int, source: int, offset: int | None, count: int) -> int:
    return await retried(posix.sendfile, target, source, offset, count)


OPERATIONS: Final[Mapping[str, Operation]] = {
    "sendfile": sendfile,
    "splice": splice,
    "tee": tee,
}
