"""The byte queue: the one buffer between a writer and a reader.

Sends merge, reads split.  It stores references to immutable chunks, so a
chunk that is read whole was never copied; a read over several chunks joins
them once.  It knows no bound: what may enter is decided by the object that
owns it (page slots for a pipe, memory of packets for a socket).
"""

from __future__ import annotations

from collections import deque
from typing import Final, TypeAlias

Buffer: TypeAlias = bytes | bytearray | memoryview
"""What a program may send: anything with bytes in a row."""


NO_CHUNKS: Final[deque[bytes | memoryview]] = deque()
"""Stands for every queue that nothing has entered: an idle object stays small."""


def as_bytes(data: Buffer) -> bytes:
    """The bytes themselves where they can't change, else a copy of now."""
    return data if type(data) is bytes else bytes(data)


def part_of(data: Buffer, start: int, stop: int) -> bytes | memoryview:
    """A part of ``data`` that can't change: a view where the whole can't, else a copy."""
    if stop - start == len(data):
        return as_bytes(data)
    if type(data) is bytes:
        return memoryview(data)[start:stop]
    return bytes(data[start:stop])


class ByteQueue:
    """``put`` takes only what nobody can change any more."""

    __slots__ = ("_chunks", "_offset", "size")

    def __init__(self) -> None:
        self._chunks = NO_CHUNKS
        self._offset = 0  # bytes of the first chunk already taken
        self.size = 0

    def put(self, chunk: bytes | memoryview) -> None:
        if self._chunks is NO_CHUNKS:
            self._chunks = deque()
        self._chunks.append(chunk)
        self.size += len(chunk)

    def put_first(self, chunk: bytes) -> None:
        """Give back what was taken: it is the next to be taken again."""
        chunks = self._chunks = deque() if self._chunks is NO_CHUNKS else self._chunks
        if self._offset:
            chunks[0] = memoryview(chunks[0])[self._offset :]
            self._offset = 0
        chunks.appendleft(chunk)
        self.size += len(chunk)

    def take(self, limit: int) -> bytes:
        """Remove and return the first ``limit`` bytes, or all there are."""
        chunks = self._chunks
        if limit >= self.size:
            if len(chunks) == 1 and not self._offset:
                self.size = 0
                return bytes(chunks.pop())
            limit = self.size
        if not limit:
            return b""
        first, start = chunks[0], self._offset
        stop = start + limit
        if stop < len(first):
            self._offset = stop
            self.size -= limit
            return bytes(first[start:stop])
        return b"".join(self._take_parts(limit))

    def peek(self, limit: int) -> bytes:
        """The first ``limit`` bytes, or all there are; they stay."""
        parts: list[bytes | memoryview] = []
        start, left = self._offset, limit
        for chunk in self._chunks:
            if left <= 0:
                break
            parts.append(chunk[start : start + left])
            left -= len(parts[-1])
            start = 0
        return b"".join(parts)

    def _take_parts(self, limit: int) -> list[bytes | memoryview]:
        """Take past the end of the first chunk; nothing is copied yet."""
        chunks, start, left = self._chunks, self._offset, limit
        parts: list[bytes | memoryview] = []
        while left:
            first = chunks[0]
            stop = start + left
            if stop < len(first):
                parts.append(memoryview(first)[start:stop])
                start = stop
                break
            parts.append(memoryview(first)[start:] if start else first)
            left -= len(first) - start
            start = 0
            chunks.popleft()
        self._offset = start
        self.size -= limit
        return parts
