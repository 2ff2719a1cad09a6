"""Bad input to posix: the errno that Linux gives or a clear error, and nothing half-done."""

from __future__ import annotations

import errno
import math
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

import asyncipc
from asyncipc import posix
from asyncipc.kernel.readiness import IN, NVAL, OUT
from asyncipc.kernel.sockets.socket import (
    AF_INET,
    AF_UNIX,
    MSG_OOB,
    SOCK_DGRAM,
    SOCK_SEQPACKET,
    SOCK_STREAM,
)
from asyncipc.runtime.process import current

Run = Callable[..., Any]
CLOSED = 99
Calls = list[tuple[str, Callable[[], object]]]


async def outcome(call: Callable[[], object]) -> str:
    """The errno's name, or the exception's."""
    try:
        result = call()
        if isinstance(result, Awaitable):
            await result
    except OSError as error:
        name = errno.errorcode[error.errno or 0]
        return {"ENOTSUP": "EOPNOTSUPP"}.get(name, name)  # one number, two names
    except Exception as error:
        return type(error).__name__
    return "no error"


def snapshot() -> object:
    process = current().process
    table = [(entry.fd, entry.file, entry.cloexec, entry.file.flags) for entry in process.table]
    return table, list(process.children), process.table.limit, dict(process.dispositions)


def each_is_refused(run: Run, calls: Callable[[], Calls]) -> None:
    """Every call has its outcome, and none has an effect."""

    async def main() -> None:
        before = snapshot()
        wrong = []
        for number, (expected, call) in enumerate(calls()):
            got = await outcome(call)
            if got != expected:
                wrong.append(f"call {number}: {got}, not {expected}")
            assert snapshot() == before, f"call {number} has had an effect"
        assert not wrong

    run(main)


@pytest.mark.parametrize("fd", [CLOSED, -1, 1 << 40])
def test_a_descriptor_that_is_not_open_is_ebadf(run: Run, fd: int) -> None:
    each_is_refused(
        run,
        lambda: [
            ("EBADF", call)
            for call in (
                lambda: posix.read(fd, 1),
                lambda: posix.read(fd, 0),
                lambda: posix.write(fd, b"x"),
                lambda: posix.write(fd, b""),
                lambda: posix.send(fd, b"x"),
                lambda: posix.recv(fd, 1),
                lambda: posix.shutdown(fd, 2),
                lambda: posix.close(fd),
                lambda: posix.dup(fd),
                lambda: posix.dup2(fd, 0),
                lambda: posix.dup2(fd, fd),
                lambda: posix.dup3(fd, 0, 0),
                lambda: posix.fcntl(fd, posix.F_GETFL),
                lambda: posix.fcntl(fd, posix.F_DUPFD, 0),
                lambda: posix.ioctl(fd, posix.FIONREAD),
                lambda: posix.get_blocking(fd),
                lambda: posix.set_blocking(fd, True),
                lambda: posix.get_inheritable(fd),
                lambda: posix.set_inheritable(fd, True),
            )
        ],
    )


def test_a_descriptor_of_another_process_is_ebadf(run: Run) -> None:
    told: list[str] = []

    async def child() -> None:
        told.append(await outcome(lambda: posix.read(3, 1)))
        told.append(await outcome(lambda: posix.close(4)))

    async def main() -> None:
        pid = posix.fork(child)
        _, w = posix.pipe()
        await posix.waitpid(pid)
        assert await posix.write(w, b"x") == 1

    run(main)
    assert told == ["EBADF", "EBADF"]


@pytest.mark.parametrize("wrong", ["3", None, 1.0, b"3", [3]])
def test_what_is_no_integer_is_a_type_error(run: Run, wrong: Any) -> None:
    each_is_refused(
        run,
        lambda: [
            ("TypeError", call)
            for call in (
                lambda: posix.read(wrong, 1),
                lambda: posix.read(0, wrong),
                lambda: posix.write(wrong, b"x"),
                lambda: posix.send(wrong, b"x"),
                lambda: posix.send(0, b"x", wrong),
                lambda: posix.recv(wrong, 1),
                lambda: posix.recv(0, wrong),
                lambda: posix.recv(0, 1, wrong),
                lambda: posix.shutdown(wrong, 1),
                lambda: posix.shutdown(0, wrong),
                lambda: posix.close(wrong),
                lambda: posix.close_range(wrong, 5),
                lambda: posix.close_range(5, wrong),
                lambda: posix.dup(wrong),
                lambda: posix.dup2(wrong, 5),
                lambda: posix.dup2(0, wrong),
                lambda: posix.fcntl(wrong, posix.F_GETFD),
                lambda: posix.fcntl(0, posix.F_DUPFD, wrong),
                lambda: posix.pipe2(wrong),
                lambda: posix.socketpair(wrong),
                lambda: posix.socketpair(AF_UNIX, wrong),
                lambda: posix.poll([(wrong, IN)]),
                lambda: posix.poll([(0, wrong)]),
                lambda: posix.waitpid(wrong),
                lambda: posix.waitpid(-1, wrong),
                lambda: posix.kill(wrong, 0),
                lambda: posix.kill(2, wrong),
                lambda: posix.signal(wrong, posix.SIG_DFL),
                lambda: posix._exit(wrong),
                lambda: posix.setrlimit(posix.RLIMIT_NOFILE, (wrong, 4096)),
            )
        ],
    )


@pytest.mark.parametrize("wrong", ["text", None, 3, [1, 2], object()])
def test_what_has_no_bytes_in_a_row_cannot_be_written(run: Run, wrong: Any) -> None:
    each_is_refused(
        run,
        lambda: [
            ("TypeError", lambda: posix.write(1, wrong)),
            ("TypeError", lambda: posix.send(1, wrong)),
        ],
    )


def test_negative_sizes_are_einval(run: Run) -> None:
    each_is_refused(
        run,
        lambda: [
            ("EINVAL", lambda: posix.read(0, -1)),
            ("EINVAL", lambda: posix.recv(0, -1)),
        ],
    )


def test_numbers_out_of_range(run: Run) -> None:
    each_is_refused(
        run,
        lambda: [
            ("EINVAL", lambda: posix.pipe2(1)),
            ("EINVAL", lambda: posix.fcntl(0, posix.F_DUPFD, -1)),
            ("EINVAL", lambda: posix.fcntl(0, posix.F_DUPFD, 1024)),
            ("EINVAL", lambda: posix.fcntl(0, 12345)),
            ("EINVAL", lambda: posix.fcntl(0, posix.F_SETSIG, 65)),
            ("ESRCH", lambda: posix.fcntl(0, posix.F_SETOWN, 12345)),
            ("EBADF", lambda: posix.fcntl(0, posix.F_GETPIPE_SZ)),
            ("EBADF", lambda: posix.dup2(0, -1)),
            ("EBADF", lambda: posix.dup2(0, 1024)),
            ("EINVAL", lambda: posix.dup3(0, 0, 0)),
            ("EINVAL", lambda: posix.dup3(0, 5, 1)),
            ("EINVAL", lambda: posix.close_range(5, 4)),
            ("EINVAL", lambda: posix.close_range(5, 6, 1)),
            ("Unsupported", lambda: posix.close_range(5, 6, 2)),
            ("ENOTTY", lambda: posix.ioctl(0, 1)),
            ("ENOTSOCK", lambda: posix.send(0, b"x")),
            ("ENOTSOCK", lambda: posix.recv(0, 1)),
            ("ENOTSOCK", lambda: posix.shutdown(0, 0)),
            ("EOPNOTSUPP", lambda: posix.socketpair(AF_INET)),
            ("EAFNOSUPPORT", lambda: posix.socketpair(99)),
            ("ESOCKTNOSUPPORT", lambda: posix.socketpair(AF_UNIX, 4)),
            ("EINVAL", lambda: posix.socketpair(AF_UNIX, 15)),
            ("EPROTONOSUPPORT", lambda: posix.socketpair(AF_UNIX, SOCK_STREAM, 7)),
            ("EPROTONOSUPPORT", lambda: posix.socketpair(AF_UNIX, SOCK_SEQPACKET, 7)),
            ("EINVAL", lambda: posix.kill(2, 65)),
            ("EINVAL", lambda: posix.kill(2, -1)),
            ("ESRCH", lambda: posix.kill(4242, 0)),
            ("EINVAL", lambda: posix.signal(0, posix.SIG_IGN)),
            ("EINVAL", lambda: posix.signal(9, posix.SIG_IGN)),
            ("EINVAL", lambda: posix.signal(19, posix.SIG_IGN)),
            ("EINVAL", lambda: posix.signal(65, posix.SIG_IGN)),
            ("TypeError", lambda: posix.signal(15, None)),  # type: ignore[arg-type]
            ("ECHILD", lambda: posix.waitpid(-1)),
            ("ECHILD", lambda: posix.waitpid(2)),
            ("EINVAL", lambda: posix.waitpid(-1, 1 << 20)),
            ("EINVAL", lambda: posix.setrlimit(posix.RLIMIT_NOFILE, (20, 10))),
            ("EPERM", lambda: posix.setrlimit(posix.RLIMIT_NOFILE, (1, 1 << 30))),
            ("Unsupported", lambda: posix.getrlimit(0)),
        ],
    )


def test_sockets_refuse_what_their_kind_lacks(run: Run) -> None:
    async def main() -> None:
        a, _ = posix.socketpair()
        c, _ = posix.socketpair(AF_UNIX, SOCK_DGRAM)
        assert await outcome(lambda: posix.shutdown(a, 3)) == "EINVAL"
        assert await outcome(lambda: posix.recv(a, 1, MSG_OOB)) == "EINVAL"
        assert await outcome(lambda: posix.send(a, b"", MSG_OOB)) == "EOPNOTSUPP"
        assert await outcome(lambda: posix.send(c, b"x", MSG_OOB)) == "EOPNOTSUPP"
        assert await outcome(lambda: posix.send(c, bytes(300_000))) == "EMSGSIZE"

    run(main)


def test_the_wrong_end_of_a_pipe_is_ebadf(run: Run) -> None:
    async def main() -> None:
        r, w = posix.pipe()
        assert await outcome(lambda: posix.read(w, 1)) == "EBADF"
        assert await outcome(lambda: posix.write(r, b"x")) == "EBADF"
        assert posix.ioctl(r, posix.FIONREAD) == 0

    run(main)


def test_poll_tells_of_closed_descriptors_and_skips_negative_ones(run: Run) -> None:
    async def main() -> None:
        r, w = posix.pipe()
        asked = [(CLOSED, IN), (-5, IN), (w, OUT), (r, IN)]
        assert await posix.poll(asked) == [(CLOSED, NVAL), (w, OUT)]
        assert await outcome(lambda: posix.poll([(r,)])) == "ValueError"  # type: ignore[list-item]
        assert await outcome(lambda: posix.poll([r])) == "TypeError"  # type: ignore[list-item]
        assert await outcome(lambda: posix.poll([(r, IN)], "1")) == "TypeError"  # type: ignore[arg-type]
        assert await outcome(lambda: posix.poll([(r, IN)], math.nan)) == "ValueError"
        assert not current().sleepers

    run(main)


def test_a_poll_with_an_endless_timeout_has_none(run: Run) -> None:
    async def main() -> None:
        r, w = posix.pipe()
        await posix.write(w, b"x")
        assert await posix.poll([(r, IN)], math.inf) == [(r, IN)]

    run(main)


@pytest.mark.parametrize("wrong", ["program", None, 3])
def test_what_is_no_program_makes_no_process(run: Run, wrong: Any) -> None:
    each_is_refused(
        run,
        lambda: [
            ("TypeError", lambda: posix.fork(wrong)),
            ("TypeError", lambda: posix.execv(wrong)),
        ],
    )


def test_too_many_processes_are_eagain(run: Run) -> None:
    async def nothing() -> None:
        pass

    async def main() -> None:
        current().simulation.localhost.kernel.processes_max = 10
        with pytest.raises(BlockingIOError) as caught:
            while True:
                posix.fork(nothing)
        assert caught.value.errno == errno.EAGAIN
        assert len(current().process.children) == 8

    run(main)


@pytest.mark.parametrize(
    "make", [posix.pipe, posix.socketpair, asyncipc.create_pipe, asyncipc.create_socketpair]
)
def test_a_pair_with_room_for_one_takes_no_number(run: Run, make: Callable[[], Any]) -> None:
    async def main() -> None:
        posix.setrlimit(posix.RLIMIT_NOFILE, (4, 4))
        assert await outcome(make) == "EMFILE"
        assert posix.dup(0) == 3

    run(main)
