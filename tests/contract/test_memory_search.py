"""Searching a memory map: it finds what ``mmap.mmap`` does, and accesses no page behind that."""

from __future__ import annotations

import mmap as real
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import asyncipc
from asyncipc import posix
from asyncipc.faces.memory_map import MemoryMap
from asyncipc.kernel.memory.mapping import SIGBUS

Run = Callable[..., Any]

PAGE = 4096
SIZE = 3 * PAGE + 100
EDGES = [0, 1, PAGE - 1, PAGE, 2 * PAGE - 2, 2 * PAGE, 3 * PAGE, SIZE - 1, SIZE, SIZE + 5]


@pytest.fixture(scope="module")
def original() -> Iterator[real.mmap]:
    with real.mmap(-1, SIZE) as memory:
        yield memory


places = st.none() | st.sampled_from([*EDGES, *(-edge for edge in EDGES)]) | st.integers(0, SIZE)


@example(marks=[], searches=[(b"", SIZE + 5, None), (b"", SIZE, 1), (b"\0", 5, -SIZE)])
@settings(max_examples=60, deadline=None)
@given(
    marks=st.lists(st.tuples(st.sampled_from(EDGES[:-2]), st.binary(max_size=5)), max_size=6),
    searches=st.lists(
        st.tuples(st.sampled_from([b"", b"\0", b"a", b"ab", b"aba", b"\0" * 5000]), places, places),
        min_size=1,
        max_size=8,
    ),
)
def test_what_is_found_is_what_python_finds(
    original: real.mmap, marks: list[tuple[int, bytes]], searches: list[Any]
) -> None:
    original[:] = bytes(SIZE)
    for place, mark in marks:
        letters = bytes(b"ab"[octet % 2] for octet in mark)[: SIZE - place]
        original[place : place + len(letters)] = letters
    found = []

    async def main() -> None:
        memory = posix.mmap(-1, SIZE)
        memory[:] = original[:]
        for sub, start, end in searches:
            found.append((memory.find(sub, start, end), memory.rfind(sub, start, end)))

    expected = []
    for sub, start, end in searches:
        bounds = (start or 0, SIZE if end is None else end)
        expected.append((original.find(sub, *bounds), original.rfind(sub, *bounds)))
    asyncipc.run(main)
    assert found == expected


def cut_map() -> MemoryMap:
    """Two pages, of which the second is no longer there; 7 is the eleventh octet."""
    fd = posix.memfd_create("m")
    posix.ftruncate(fd, 2 * PAGE)
    memory = posix.mmap(fd, 0)
    memory[10:12] = b"\x07\n"
    posix.ftruncate(fd, PAGE)
    return memory


@pytest.mark.parametrize(
    ("search", "found"),
    [
        (lambda memory: memory.find(b"\x07"), 10),
        (lambda memory: memory.find(b"\x08"), None),
        (lambda memory: memory.find(b"\x08", 0, PAGE), -1),
        (lambda memory: memory.rfind(b"\x07"), None),
        (lambda memory: memory.rfind(b"\x07", 0, PAGE), 10),
        (lambda memory: memory.find(b"", 5000), 5000),
        (lambda memory: memory.readline(), bytes(10) + b"\x07\n"),
    ],
)
def test_a_search_faults_only_if_it_comes_to_what_is_gone(
    run: Run, search: Callable[[MemoryMap], object], found: object
) -> None:
    async def child(memory: MemoryMap) -> None:
        assert search(memory) == found

    async def main() -> None:
        memory = cut_map()
        status = (await posix.waitpid(posix.fork(child, memory)))[1]
        assert status == (SIGBUS if found is None else 0)

    run(main)


@pytest.mark.parametrize("forward", [True, False])
def test_pages_that_a_search_does_not_come_to_get_no_storage(run: Run, forward: bool) -> None:
    async def main() -> None:
        fd = posix.memfd_create("m")
        posix.ftruncate(fd, 1 << 20)
        memory = posix.mmap(fd, 0)
        if forward:
            posix.pwrite(fd, b"line\n" * 100, 0)
            assert [memory.readline() for _ in range(100)] == [b"line\n"] * 100
            assert memory.find(b"line", 0) == 0
        else:
            posix.pwrite(fd, b"last", (1 << 20) - PAGE)
            assert memory.rfind(b"last") == (1 << 20) - PAGE
        assert posix.fstat(fd).st_blocks == PAGE // 512

    run(main)


def test_the_last_line_ends_with_the_map(run: Run) -> None:
    async def main() -> None:
        memory = posix.mmap(-1, 2 * PAGE)
        memory[PAGE - 1 : PAGE + 1] = b"a\n"
        assert len(memory.readline()) == PAGE + 1
        assert memory.readline() == bytes(PAGE - 1)
        assert memory.readline() == b""

    run(main)


def test_a_search_of_what_is_closed_or_for_no_octets_is_refused(run: Run) -> None:
    async def main() -> None:
        memory = posix.mmap(-1, 10)
        with pytest.raises(TypeError, match="a bytes-like object is required, not 'str'"):
            memory.find("a")  # type: ignore[arg-type]
        memory.close()
        with pytest.raises(ValueError, match="mmap closed or invalid"):
            memory.rfind(b"a", 0)

    run(main)
