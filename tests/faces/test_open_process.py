"""``open_process``: a child for the length of a block, with its pipes."""

from __future__ import annotations

import errno
from collections.abc import Callable
from typing import Any

import anyio
import pytest

import asyncipc
from asyncipc import PIPE, posix
from asyncipc.kernel.signals.disposition import SIGKILL, SIGTERM
from asyncipc.runtime.process import current
from tests.pace import moment, now

Run = Callable[..., Any]


async def shouts() -> None:
    while data := await posix.read(0, 100):
        await posix.write(1, data.upper())
    posix._exit(5)


def test_a_child_speaks_through_its_pipes(run: Run) -> None:
    async def main() -> int | None:
        async with asyncipc.open_process(shouts, stdin=PIPE, stdout=PIPE) as child:
            assert child.stdin is not None
            assert child.stdout is not None
            await child.stdin.send(b"hello")
            assert await child.stdout.receive() == b"HELLO"
            await child.stdin.aclose()
            assert await child.wait() == 5
            assert await child.wait() == 5
        return child.returncode

    assert run(main) == 5


def test_the_end_of_the_block_closes_the_pipes_and_waits(run: Run) -> None:
    async def main() -> None:
        async with asyncipc.open_process(shouts, stdin=PIPE, stdout=PIPE) as child:
            pass
        assert child.returncode == 5
        assert len(current().process.table) == 3

    run(main)


def test_a_child_sees_no_descriptor_but_the_inheritable_ones(run: Run) -> None:
    async def child() -> None:
        assert [entry.fd for entry in current().process.table] == [0, 1, 2]

    async def main() -> int | None:
        posix.pipe()
        async with asyncipc.open_process(child, stdin=PIPE, stdout=PIPE) as process:
            pass
        return process.returncode

    assert run(main) == 0


def test_given_descriptors_may_change_places(run: Run) -> None:
    async def child() -> None:
        await posix.write(1, await posix.read(0, 10))

    async def main() -> bytes:
        r, w = posix.pipe()
        there_r, there_w = posix.pipe()
        posix.dup2(r, 1)  # the child's input is our 1,
        posix.dup2(there_w, 0)  # and its output is our 0
        async with asyncipc.open_process(child, stdin=1, stdout=0):
            await posix.write(w, b"crossed")
            return await posix.read(there_r, 10)

    assert run(main) == b"crossed"


def test_an_exception_in_the_block_kills_the_child(run: Run) -> None:
    async def main() -> int | None:
        with pytest.raises(LookupError):
            async with asyncipc.open_process(anyio.sleep, 1000, stdin=PIPE) as child:
                raise LookupError
        assert now() == moment(0)
        return child.returncode

    assert run(main) == -SIGKILL


def test_a_cancelled_block_kills_and_reaps_the_child(run: Run) -> None:
    async def main() -> int | None:
        with anyio.move_on_after(1):
            async with asyncipc.open_process(anyio.sleep, 1000, stdout=PIPE) as child:
                await anyio.sleep(100)
        assert len(current().process.table) == 3
        assert not current().process.children
        return child.returncode

    assert run(main) == -SIGKILL


def test_a_wait_at_the_end_of_the_block_that_is_cancelled_kills_the_child(run: Run) -> None:
    async def main() -> None:
        with anyio.move_on_after(1) as scope:
            async with asyncipc.open_process(anyio.sleep, 1000) as child:
                pass
        assert scope.cancelled_caught
        assert child.returncode == -SIGKILL
        assert now() == moment(1)

    run(main)


def test_a_child_that_a_bare_wait_has_reaped_is_no_error_at_the_end(run: Run) -> None:
    async def main() -> None:
        async with asyncipc.open_process(anyio.sleep, 1) as child:
            assert await asyncipc.posix.wait() == (child.pid, 0)
        assert child.returncode is None

    run(main)


def test_a_parent_that_is_killed_in_the_block_leaves_an_orphan_with_closed_pipes(run: Run) -> None:
    ended: list[float] = []

    async def grandchild() -> None:
        assert await posix.read(0, 1) == b""
        ended.append(now())

    async def child() -> None:
        async with asyncipc.open_process(grandchild, stdin=PIPE):
            await anyio.sleep(1000)

    async def main() -> None:
        pid = posix.fork(child)
        await anyio.sleep(1)
        posix.kill(pid, SIGKILL)
        assert await posix.waitpid(pid) == (pid, SIGKILL)

    run(main)
    assert ended == [moment(1)]


def test_a_parent_that_is_killed_while_it_waits_at_the_end_dies_at_once(run: Run) -> None:
    async def child() -> None:
        async with asyncipc.open_process(anyio.sleep, 5):
            pass

    async def main() -> None:
        pid = posix.fork(child)
        await anyio.sleep(1)
        posix.kill(pid, SIGKILL)
        assert await posix.waitpid(pid) == (pid, SIGKILL)
        assert now() == moment(1)

    run(main)


def test_signals_go_to_the_child_until_it_was_waited_for(run: Run) -> None:
    async def main() -> None:
        async with asyncipc.open_process(anyio.sleep, 1000) as child:
            child.terminate()
            assert await child.wait() == -SIGTERM
            child.kill()

    run(main)


def limit_descriptors(number: int) -> None:
    posix.setrlimit(posix.RLIMIT_NOFILE, (number, number))


@pytest.mark.parametrize("room", [3, 4, 5, 6])
def test_without_room_for_its_pipes_nothing_is_left(run: Run, room: int) -> None:
    async def main() -> None:
        limit_descriptors(room)
        with pytest.raises(OSError) as caught:
            async with asyncipc.open_process(shouts, stdin=PIPE, stdout=PIPE):
                raise AssertionError("unreachable")
        assert caught.value.errno == errno.EMFILE
        assert len(current().process.table) == 3
        assert not current().process.children

    run(main)


def test_a_closed_descriptor_for_the_child_is_refused_in_the_parent(run: Run) -> None:
    async def main() -> None:
        with pytest.raises(OSError) as caught:
            async with asyncipc.open_process(shouts, stdin=PIPE, stdout=77):
                raise AssertionError("unreachable")
        assert caught.value.errno == errno.EBADF
        assert len(current().process.table) == 3
        assert not current().process.children

    run(main)


def test_what_is_no_program_is_refused_and_leaves_nothing(run: Run) -> None:
    async def main() -> None:
        with pytest.raises(TypeError, match="a program is an async function, not str"):
            async with asyncipc.open_process("ls", stdin=PIPE):  # type: ignore[arg-type]
                raise AssertionError("unreachable")
        assert len(current().process.table) == 3

    run(main)
