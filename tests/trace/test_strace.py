from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from asyncipc import posix
from asyncipc.events import Failure, ProcessLife, SystemCall, Wire
from asyncipc.trace.strace import Strace, line, value_text
from asyncipc.trace.words import signal_name
from tests.trace.programs import parent


def call(name: str, *args: object, result: object = None, blocked_ns: int = 0) -> SystemCall:
    return SystemCall(1, 0, "localhost", 2, name, args, result, blocked_ns)


def life(change: str, detail: str = "") -> ProcessLife:
    return ProcessLife(1, 0, "localhost", 3, change, detail)


def test_a_call_that_slept_shows_for_how_long() -> None:
    event = call("read", 3, 100, result=b"message for parent", blocked_ns=250_000_000)
    assert line(event) == 'pid 2  read(3, 100) = b"message for parent"  [blocked 0.250 s]'


def test_a_call_that_did_not_sleep_does_not() -> None:
    assert line(call("read", 3, 100, result=b"")) == 'pid 2  read(3, 100) = b""'


def test_a_failure_is_its_errno() -> None:
    assert line(call("read", 3, 100, result=Failure("EAGAIN"))) == "pid 2  read(3, 100) = EAGAIN"


def test_success_without_a_value_is_zero_as_in_c() -> None:
    assert line(call("close", 4)) == "pid 2  close(4) = 0"


@pytest.mark.parametrize(
    ("event", "text"),
    [
        (call("pipe2", posix.O_CLOEXEC, result=(3, 4)), "pipe2(O_CLOEXEC) = (3, 4)"),
        (call("pipe2", 0, result=(3, 4)), "pipe2(0) = (3, 4)"),
        (call("pipe2", 0o4001, result=Failure("EINVAL")), "pipe2(O_NONBLOCK|0x1) = EINVAL"),
        (call("fork", "child", 3, 4, result=3), "fork(child, 3, 4) = 3"),
        (call("fcntl", 3, posix.F_GETPIPE_SZ, 0, result=1), "fcntl(3, F_GETPIPE_SZ, 0) = 1"),
        (call("fcntl", 3, 99, 0, result=Failure("EINVAL")), "fcntl(3, 99, 0) = EINVAL"),
        (call("shutdown", 3, 1), "shutdown(3, SHUT_WR) = 0"),
        (
            call("socketpair", 1, 1, 0, result=(3, 4)),
            "socketpair(AF_UNIX, SOCK_STREAM, 0) = (3, 4)",
        ),
        (
            call("socketpair", 1, 0o4002, 0, result=(3, 4)),
            "socketpair(AF_UNIX, SOCK_DGRAM|SOCK_NONBLOCK, 0) = (3, 4)",
        ),
        (call("recv", 3, 9, 0x42, result=b""), 'recv(3, 9, MSG_PEEK|MSG_DONTWAIT) = b""'),
        (call("waitpid", -1, 1, result=(0, 0)), "waitpid(-1, WNOHANG) = (0, 0)"),
        (call("kill", 3, 9), "kill(3, SIGKILL) = 0"),
        (call("kill", 3, 0), "kill(3, 0) = 0"),
        (call("frobnicate", "a file", result=3), 'frobnicate("a file") = 3'),
        (
            call("openat", -100, b"/f", 0o4001, 0o777, result=3),
            'openat(AT_FDCWD, "/f", O_WRONLY|O_NONBLOCK) = 3',
        ),
        (
            call("openat", -100, b"/f", 0o102, 0o644, result=3),
            'openat(AT_FDCWD, "/f", O_RDWR|O_CREAT, 0644) = 3',
        ),
        (call("unlink", b"/f"), 'unlink("/f") = 0'),
        (call("umask", 0o77, result=0o22), "umask(077) = 022"),
        (
            call("rt_sigprocmask", 0, (10, 17), result=()),
            "rt_sigprocmask(SIG_BLOCK, [USR1 CHLD]) = []",
        ),
        (call("rt_sigtimedwait", result=(10, 0, 3, 0)), "rt_sigtimedwait() = SIGUSR1"),
        (call("mkfifo", b"/f", 0o600), 'mkfifo("/f", 0600) = 0'),
        (call("socket", 2, 1, 0, result=3), "socket(AF_INET, SOCK_STREAM, 0) = 3"),
        (call("bind", 3, ("127.0.0.1", 7000)), 'bind(3, ("127.0.0.1", 7000)) = 0'),
        (call("accept4", 3, 0o2000000, result=(4, b"")), 'accept4(3, SOCK_CLOEXEC) = (4, "")'),
        (call("accept", 3, result=(4, ("::1", 7, 0, 0))), 'accept(3) = (4, ("::1", 7, 0, 0))'),
        (call("accept", 3, result=Failure("EAGAIN")), "accept(3) = EAGAIN"),
        (call("getsockname", 3, result=b"/s"), 'getsockname(3) = "/s"'),
        (call("getsockname", 3, result=b"\0s"), r'getsockname(3) = b"\x00s"'),
        (call("setsockopt", 3, 1, 2, 1), "setsockopt(3, SOL_SOCKET, SO_REUSEADDR, 1) = 0"),
        (call("setsockopt", 3, 6, 1, 1), "setsockopt(3, SOL_TCP, TCP_NODELAY, 1) = 0"),
        (call("getsockopt", 3, 1, 4, result=0), "getsockopt(3, SOL_SOCKET, SO_ERROR) = 0"),
        (call("getsockopt", 3, 99, 4, result=0), "getsockopt(3, 99, 4) = 0"),
        (
            call("sendto", 3, b"x", 0x4000, "/s", result=1),
            'sendto(3, b"x", MSG_NOSIGNAL, "/s") = 1',
        ),
        (
            call("recvfrom", 3, 9, 0, result=(b"x", 1, 0, ("127.0.0.1", 7))),
            'recvfrom(3, 9, 0) = (b"x", ("127.0.0.1", 7))',
        ),
        (
            call("recvmsg", 3, 1, 0, result=(b"x", 2, 0x20, None)),
            'recvmsg(3, 1, 0) = (b"x", MSG_TRUNC, None)',
        ),
        (
            call("recv", 3, 1, 0x22, result=(b"x", 2, 0x20, None)),
            "recv(3, 1, MSG_PEEK|MSG_TRUNC) = 2",
        ),
        (call("recv", 3, 1, 0, result=(b"x", 2, 0x20, None)), 'recv(3, 1, 0) = b"x"'),
        (
            call("signal", 10, "handler", 0x10000000, (), result="DEFAULT"),
            "signal(SIGUSR1, handler, SA_RESTART, ()) = SIG_DFL",
        ),
    ],
)
def test_numbers_become_the_words_of_their_call(event: SystemCall, text: str) -> None:
    assert line(event) == f"pid 2  {text}"


@pytest.mark.parametrize(
    ("event", "text"),
    [
        (life("exited", "0"), "+++ exited with 0 +++"),
        (life("killed", "9"), "+++ killed by SIGKILL +++"),
        (life("born", "of pid 2"), "--- born of pid 2 ---"),
        (life("exec", "main"), "--- now runs main ---"),
        (life("stopped", "19"), "--- stopped by SIGSTOP ---"),
        (life("continued"), "--- continued ---"),
        (life("reaped"), "--- reaped ---"),
        (life("signal", "10 0 2 7"), "--- SIGUSR1 {si_code=SI_USER, si_pid=2, si_uid=7} ---"),
        (life("signal", "17 1 4 0"), "--- SIGCHLD {si_code=CLD_EXITED, si_pid=4, si_uid=0} ---"),
    ],
)
def test_a_life_is_told_between_marks(event: ProcessLife, text: str) -> None:
    assert line(event) == f"pid 3  {text}"


def test_a_real_time_signal_has_no_name() -> None:
    assert signal_name(40) == "SIG40"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (b"x" * 32, f'b"{"x" * 32}"'),
        (b"x" * 33, f'b"{"x" * 32}"...'),
        (b"a\n\x00\xff", r'b"a\n\x00\xff"'),
        (b"it's", 'b"it\'s"'),
        (b'say "hi"', r'b"say \"hi\""'),
        (b"both ' and \"", r'''b"both ' and \""'''),
        (b"\\'", r'''b"\\'"'''),
        ((1, b"x"), '(1, b"x")'),
    ],
)
def test_bytes_stand_in_double_quotes_and_are_cut(value: object, text: str) -> None:
    assert value_text(value) == text


def test_the_wire_is_told_only_on_request() -> None:
    wire = Wire(1, 0, "localhost", 2, "socket:[2]", "socket:[3]", 18)
    lines: list[str] = []
    Strace(lines.append)(wire)
    assert lines == []
    Strace(lines.append, wire=True)(wire)
    assert lines == ["pid 2  ... 18 bytes from socket:[2] to socket:[3] ..."]


def test_it_tells_a_run(run: Callable[..., Any]) -> None:
    lines: list[str] = []
    run(parent, observers=[Strace(lines.append)])
    assert lines[:3] == [
        "pid 2  --- born of pid 1 ---",
        "pid 2  pipe2(O_CLOEXEC) = (3, 4)",
        "pid 3  --- born of pid 2 ---",
    ]
    assert 'pid 2  read(3, 100) = b"message for parent"  [blocked 0.250 s]' in lines
    assert "pid 3  +++ exited with 0 +++" in lines
