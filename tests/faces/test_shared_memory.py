"""SharedMemory: shaped as multiprocessing.shared_memory, and each process has its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from asyncipc import posix
from asyncipc.faces.shared_memory import SharedMemory
from asyncipc.kernel.memory.address_space import AddressSpace
from asyncipc.kernel.processes.holdings import held_by
from asyncipc.runtime.process import current

Run = Callable[..., Any]


def left() -> tuple[int, int]:
    """How many mappings and descriptors the process has, beside the first three."""
    process = current().process
    return len(list(held_by(process, AddressSpace) or ())), len(process.table) - 3


def test_another_process_attaches_by_name(run: Run) -> None:
    async def child() -> None:
        other = SharedMemory("block")
        assert other.size == 10
        assert bytes(other.buf[:5]) == b"hello"
        other.buf[0] = ord("H")
        other.close()
        assert left() == (1, 1)

    async def main() -> None:
        block = SharedMemory("block", create=True, size=10)
        assert (block.name, block.size, len(block.buf)) == ("block", 10, 10)
        block.buf[:5] = b"hello"
        assert (await posix.waitpid(posix.fork(child)))[1] == 0
        assert bytes(block.buf[:5]) == b"Hello"
        block.close()
        block.unlink()
        assert left() == (0, 0)
        assert repr(block) == "SharedMemory('block', size=10)"

    run(main)


def test_a_child_has_its_parents_block_and_closes_for_itself(run: Run) -> None:
    async def main() -> None:
        block = SharedMemory(create=True, size=10)

        async def child() -> None:
            block.buf[0] = 7
            block.close()
            assert block.buf is None
            block.close()

        assert (await posix.waitpid(posix.fork(child)))[1] == 0
        assert block.buf[0] == 7
        assert left() == (1, 1)
        block.unlink()

    run(main)


@pytest.mark.parametrize(
    ("args", "error", "text"),
    [
        (("x", True, -1), ValueError, "'size' must be a positive integer"),
        (("x", True, 0), ValueError, "'size' must be a positive number different from zero"),
        ((), ValueError, "'name' can only be None if create=True"),
        (("none",), FileNotFoundError, "No such file"),
        (("there", True, 10), FileExistsError, "File exists"),
        (("a/b", True, 10), OSError, "Invalid argument"),
        (("", True, 10), OSError, "Invalid argument"),
        (("empty",), ValueError, "cannot mmap an empty file"),
        (("x", True, 1.5), TypeError, "float"),
    ],
)
def test_errors_are_those_of_the_original(
    run: Run, args: tuple[Any, ...], error: type[Exception], text: str
) -> None:
    async def main() -> None:
        there = SharedMemory("there", True, 10)
        posix.close(posix.shm_open("empty", 0o102))
        with pytest.raises(error, match=text):
            SharedMemory(*args)
        assert left() == (1, 1), "a block that was not made left something behind"
        there.close()

    run(main)


def test_what_it_attaches_is_whole_whatever_is_asked_for(run: Run) -> None:
    async def main() -> None:
        block = SharedMemory("x", True, 10)
        assert SharedMemory("x", size=500).size == SharedMemory("/x", size=3).size == 10
        block.unlink()
        with pytest.raises(FileNotFoundError):
            block.unlink()
        block.buf[0] = 1

    run(main)


def test_it_does_not_close_under_a_view_and_does_so_later(run: Run) -> None:
    async def main() -> None:
        block = SharedMemory("x", True, 10)
        part = block.buf[:3]
        with pytest.raises(BufferError, match="exported pointers exist"):
            block.close()
        assert block.buf is None
        part.release()
        block.close()
        assert left() == (0, 0)

    run(main)


def test_what_was_made_in_one_machine_is_none_of_another(run: Run) -> None:
    kept: list[SharedMemory] = []

    async def first() -> None:
        kept.append(SharedMemory("x", True, 10))
        kept[0].unlink()

    async def second() -> None:
        SharedMemory("x", True, 10)
        assert kept[0].buf is None

    run(first)
    run(second)


def test_a_close_spares_a_number_that_was_given_to_another_file(run: Run) -> None:
    async def main() -> None:
        block = SharedMemory("x", True, 10)
        posix.close(3)
        assert posix.memfd_create("other") == 3
        block.close()
        assert left() == (0, 1)

    run(main)


@pytest.mark.simulated("seeds")
def test_names_are_thrown_by_the_seed(run: Run) -> None:
    async def main() -> list[str]:
        return [SharedMemory(create=True, size=1).name for _ in range(3)]

    one, two, three = (run(main, seed=seed) for seed in (1, 1, 2))
    assert one == two != three
    assert len(set(one)) == 3
    assert all(name.startswith("psm_") and len(name) == 12 for name in one)
