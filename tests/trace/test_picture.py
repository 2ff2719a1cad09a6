from __future__ import annotations

from collections.abc import Callable
from socket import AF_INET, AF_INET6, AF_UNIX, SOCK_DGRAM, SOCK_STREAM
from typing import Any

import pytest

import asyncipc
from asyncipc import posix
from asyncipc.posix import (
    O_RDWR,
    accept,
    bind,
    close,
    connect,
    dup2,
    fork,
    listen,
    mkfifo,
    pipe,
    read,
    socket,
    socketpair,
    waitpid,
    write,
)
from asyncipc.statistics import (
    DescriptorStatistics,
    FileStatistics,
    MachineStatistics,
    ProcessStatistics,
)
from asyncipc.trace.picture import picture, text_of


async def wait_for_eof(keep: int, other: int) -> None:
    close(other)
    while await read(keep, 100):
        pass


def test_the_picture_shows_both_tables_after_fork(run: Callable[..., Any]) -> None:
    async def main() -> str:
        read_end, write_end = pipe()
        child = fork(wait_for_eof, read_end, write_end)
        shown = picture(asyncipc.current_simulation(), "after fork")
        close(write_end)
        await waitpid(child)
        return shown

    assert run(main) == (
        "── after fork ───────────────────────────────────────────────────── 0.000 s ──\n"
        "\n"
        "  pid 2  main\n"
        "    0 1 2 ──────────────┐\n"
        "    3 ──────────────────│─┐\n"
        "    4 ──────────────────│─│─┐\n"
        "  pid 3  wait_for_eof   │ │ │\n"
        "    0 1 2 ──────────────┴─│─│─▶ console:[1]         held by 6\n"
        "    3 ────────────────────┴─│─▶ pipe:[2] read end   held by 2\n"
        "    4 ──────────────────────┴─▶ pipe:[2] write end  held by 2\n"
        "\n"
        "  pid 2, 3 ══▶ pipe:[2] (empty) ══▶ pid 2, 3\n"
    )


def test_a_pipe_shows_what_is_inside_and_which_ends_are_open(run: Callable[..., Any]) -> None:
    async def main() -> str:
        _, write_end = pipe()
        await write(write_end, b"three")
        close(write_end)
        return picture(asyncipc.current_simulation())

    shown = run(main)
    assert "nobody ══▶ pipe:[2] (5 bytes) ══▶ pid 2" in shown
    assert "write end" not in shown


def test_sockets_show_their_peers(run: Callable[..., Any]) -> None:
    async def main() -> list[str]:
        one, _ = socketpair()
        await write(one, b"!")
        connected = picture(asyncipc.current_simulation())
        close(one)
        return [connected, picture(asyncipc.current_simulation())]

    connected, alone = run(main)
    assert "pid 2 ◀═▶ socket:[2] (empty) ═══ socket:[3] (1 byte) ◀═▶ pid 2" in connected
    assert "pid 2 ◀═▶ socket:[3] (1 byte) ═══ nobody" in alone


def test_a_zombie_holds_nothing(run: Callable[..., Any]) -> None:
    async def child() -> None:
        pass

    async def main() -> str:
        read_end, write_end = pipe()
        pid = fork(child)
        close(write_end)
        await read(read_end, 1)
        shown = picture(asyncipc.current_simulation())
        await waitpid(pid)
        return shown

    assert "  pid 3  child (zombie)\n" in run(main)


def test_a_process_may_have_nothing_open(run: Callable[..., Any]) -> None:
    async def main() -> str:
        for fd in range(3):
            close(fd)
        return picture(asyncipc.current_simulation())

    assert "  pid 2  main (nothing open)\n" in run(main)


def test_numbers_apart_have_rows_of_their_own(run: Callable[..., Any]) -> None:
    async def main() -> str:
        for fd in (3, 5, 6):
            dup2(0, fd)
        return picture(asyncipc.current_simulation())

    shown = run(main)
    assert "    0-3 ────────┐\n    5 6 ────────┴─▶ console:[1]  held by 6" in shown


def test_the_statistics_are_a_value_that_stays(run: Callable[..., Any]) -> None:
    async def main() -> tuple[MachineStatistics, MachineStatistics]:
        first = asyncipc.current_simulation().statistics()
        pipe()
        return first, asyncipc.current_simulation().statistics()

    first, second = run(main)
    table = tuple(DescriptorStatistics(fd, 0, False) for fd in range(3))
    assert first == MachineStatistics(
        0,
        (
            ProcessStatistics(1, 0, 1, 1, 0, "S", "init", ()),
            ProcessStatistics(2, 1, 2, 2, 0, "R", "main", table),
        ),
        (FileStatistics("console:[1]", "CHR", 1, "u", 0),),
    )
    assert [(file.kind, file.access) for file in second.files] == [
        ("CHR", "u"),
        ("FIFO", "r"),
        ("FIFO", "w"),
    ]
    assert second.holders(1) == [(2, 3)]


def test_a_crowd_is_counted_not_listed() -> None:
    table = (DescriptorStatistics(3, 0, False),)
    processes = tuple(
        ProcessStatistics(pid, 1, 2, 2, 0, "S", "worker", table) for pid in range(2, 12)
    )
    pipe_end = FileStatistics("pipe:[2]", "FIFO", 2, "r", 0)
    assert "▶ pid 2, 3, 4, 5, 6 and 5 more" in text_of(MachineStatistics(0, processes, (pipe_end,)))


def test_the_picture_fits_into_eighty_columns(run: Callable[..., Any]) -> None:
    async def a_program_with_a_rather_long_name() -> None:
        await waitpid(fork(waiter))

    async def waiter() -> None:
        for _ in range(4):
            socketpair()
        shown.append(picture(asyncipc.current_simulation()))

    async def main() -> None:
        for _ in range(4):
            pipe()
        await waitpid(fork(a_program_with_a_rather_long_name))

    shown: list[str] = []
    run(main)
    assert max(map(len, shown[0].splitlines())) <= 80


def talks(simulation: Any) -> list[str]:
    """The lower part of the picture: who can talk to whom."""
    return [line for line in picture(simulation).splitlines() if line.startswith("  pid 2 ◀═▶")]


def test_a_listener_shows_its_name_and_who_waits(run: Callable[..., Any]) -> None:
    async def main() -> list[str]:
        listener, client, other = (socket(AF_UNIX, SOCK_STREAM) for _ in range(3))
        bind(listener, "/service")
        listen(listener)
        before = talks(asyncipc.current_simulation())
        await connect(client, "/service")
        await write(client, b"three")
        await connect(other, "/service")
        close(other)
        return before + talks(asyncipc.current_simulation())

    assert run(main) == [
        "  pid 2 ◀═▶ socket:[2] listens at /service, nobody waits to be accepted",
        "  pid 2 ◀═▶ socket:[3] not connected, without a name",
        "  pid 2 ◀═▶ socket:[4] not connected, without a name",
        "  pid 2 ◀═▶ socket:[2] listens at /service, 2 wait to be accepted",
        "  pid 2 ◀═▶ socket:[3] (empty) ═══ socket:[5] (5 bytes) waits at socket:[2]",
    ]


def test_a_connection_of_the_internet_shows_both_its_ends(run: Callable[..., Any]) -> None:
    async def main() -> list[str]:
        listener, client = (socket(AF_INET, SOCK_STREAM) for _ in range(2))
        bind(listener, ("127.0.0.1", 7000))
        listen(listener)
        await connect(client, ("127.0.0.1", 7000))
        await write(client, b"three")
        before = talks(asyncipc.current_simulation())
        await accept(listener)
        return before + talks(asyncipc.current_simulation())

    assert run(main) == [
        "  pid 2 ◀═▶ socket:[2] listens at 127.0.0.1:7000, 1 waits to be accepted",
        "  pid 2 ◀═▶ socket:[3] (empty) ═══ socket:[4] (5 bytes) waits at socket:[2]",
        "  pid 2 ◀═▶ socket:[2] listens at 127.0.0.1:7000, nobody waits to be accepted",
        "  pid 2 ◀═▶ socket:[3] (empty) ═══ socket:[4] (5 bytes) ◀═▶ pid 2",
    ]


@pytest.mark.parametrize(
    ("family", "name", "shown"),
    [
        (AF_UNIX, "/mailbox", "/mailbox"),
        (AF_UNIX, b"\0mailbox", "@mailbox"),
        (AF_INET, ("127.0.0.1", 7000), "127.0.0.1:7000"),
        (AF_INET6, ("::1", 7000), "[::1]:7000"),
    ],
)
def test_a_datagram_socket_shows_its_name_and_whom_it_sends_to(
    run: Callable[..., Any], family: int, name: Any, shown: str
) -> None:
    async def main() -> list[str]:
        receiver, sender, _ = (socket(family, SOCK_DGRAM) for _ in range(3))
        bind(receiver, name)
        await connect(sender, name)
        await write(sender, b"three")
        return talks(asyncipc.current_simulation())

    assert run(main) == [
        f"  pid 2 ◀═▶ socket:[2] (5 bytes) at {shown}",
        "  pid 2 ◀═▶ socket:[3] (empty) ══▶ socket:[2]",
        "  pid 2 ◀═▶ socket:[4] (empty) without a name",
    ]


def test_a_fifo_shows_its_path_and_both_its_ends(run: Callable[..., Any]) -> None:
    async def main() -> str:
        mkfifo("/fifo")
        await write(await posix.open("/fifo", O_RDWR), b"three")
        return picture(asyncipc.current_simulation())

    shown = run(main)
    assert "▶ /fifo both ends\n" in shown
    assert "  pid 2 ══▶ /fifo (5 bytes) ══▶ pid 2\n" in shown
