"""ps, lsof, ss: the columns of Linux's tools, drawn from one value."""

from __future__ import annotations

from collections.abc import Callable
from socket import AF_UNIX, SOCK_DGRAM
from typing import Any

import asyncipc
from asyncipc import posix
from asyncipc.statistics import MachineStatistics, SocketStatistics
from asyncipc.trace.lsof import lsof
from asyncipc.trace.ps import ps
from asyncipc.trace.ss import ss


def look() -> MachineStatistics:
    return asyncipc.current_simulation().statistics()


async def sleeper(fd: int) -> None:
    await posix.read(fd, 1)


def test_ps_shows_who_runs_sleeps_is_stopped_and_has_ended(run: Callable[..., Any]) -> None:
    async def child() -> None:
        pass

    async def main() -> str:
        read_end, write_end = posix.pipe()
        asleep, stopped, ended = (
            posix.fork(sleeper, read_end),
            posix.fork(sleeper, read_end),
            posix.fork(child),
        )
        await posix.nanosleep(0.01)
        posix.kill(stopped, 19)
        shown = ps(look())
        posix.close(write_end)
        posix.kill(stopped, 18)
        for pid in (asleep, stopped, ended):
            posix.kill(pid, 9)
            await posix.waitpid(pid)
        return shown

    assert run(main) == (
        "PPID PID PGID SID TTY TPGID STAT UID TIME COMMAND\n"
        "   0   1    1   1 ?      -1 Ss     0 0:00 init\n"
        "   1   2    2   2 ?      -1 Rs     0 0:00 main\n"
        "   2   3    2   2 ?      -1 S      0 0:00 sleeper\n"
        "   2   4    2   2 ?      -1 T      0 0:00 sleeper\n"
        "   2   5    2   2 ?      -1 Z      0 0:00 [child] <defunct>\n"
    )


def test_lsof_has_a_line_for_each_descriptor(run: Callable[..., Any]) -> None:
    async def main() -> str:
        posix.pipe()
        posix.socketpair()
        listener = posix.socket()
        posix.bind(listener, ("127.0.0.1", 80))
        posix.listen(listener)
        client = posix.socket()
        await posix.connect(client, ("127.0.0.1", 80))
        posix.mkfifo("/tmp/fifo")
        await posix.open("/tmp/fifo", posix.O_RDWR)
        return lsof(look())

    assert run(main) == (
        "COMMAND PID USER  FD TYPE DEVICE SIZE/OFF NODE NAME\n"
        "main      2 root 0u   CHR             0t0    1 console:[1]\n"
        "main      2 root 1u   CHR             0t0    1 console:[1]\n"
        "main      2 root 2u   CHR             0t0    1 console:[1]\n"
        "main      2 root 3r  FIFO             0t0    2 pipe\n"
        "main      2 root 4w  FIFO             0t0    2 pipe\n"
        "main      2 root 5u  unix             0t0    4 type=STREAM (CONNECTED)\n"
        "main      2 root 6u  unix             0t0    5 type=STREAM (CONNECTED)\n"
        "main      2 root 7u  IPv4             0t0  TCP 127.0.0.1:80 (LISTEN)\n"
        "main      2 root 8u  IPv4             0t0  TCP "
        "127.0.0.1:32768->127.0.0.1:80 (ESTABLISHED)\n"
        "main      2 root 9u  FIFO             0t0    5 /tmp/fifo\n"
    )


def test_ss_shows_queues_backlogs_and_users(run: Callable[..., Any]) -> None:
    async def main() -> str:
        a, _ = posix.socketpair()
        await posix.send(a, b"three")
        listener = posix.socket()
        posix.bind(listener, ("127.0.0.1", 80))
        posix.listen(listener, 5)
        client = posix.socket()
        await posix.connect(client, ("127.0.0.1", 80))
        await posix.send(client, b"xyz")
        receiver = posix.socket(AF_UNIX, SOCK_DGRAM)
        posix.bind(receiver, "/tmp/mailbox")
        return ss(look())

    lines = [line.split() for line in run(main).splitlines()]
    assert lines[0][:4] == ["Netid", "State", "Recv-Q", "Send-Q"]
    table = [line[:6] + line[6:7] for line in lines[1:]]
    assert ["u_str", "ESTAB", "0", "768", "*", "2", "*"] in table
    assert ["u_str", "ESTAB", "5", "0", "*", "3", "*"] in table
    assert [
        "tcp", "LISTEN", "1", "5", "127.0.0.1:80", "0.0.0.0:*", 'users:(("main",pid=2,fd=5))',
    ] in table  # fmt: skip
    assert ["tcp", "ESTAB", "3", "0", "127.0.0.1:80", "127.0.0.1:32768"] in table
    assert any(line[:2] == ["u_dgr", "UNCONN"] and "/tmp/mailbox" in line for line in lines)


def test_what_a_connection_left_behind_is_shown_until_its_minute_is_over(
    run: Callable[..., Any],
) -> None:
    async def main() -> list[list[str]]:
        listener, client = posix.socket(), posix.socket()
        posix.bind(listener, ("127.0.0.1", 80))
        posix.listen(listener)
        await posix.connect(client, ("127.0.0.1", 80))
        server, _ = await posix.accept(listener)
        posix.close(client)
        posix.close(server)
        at_once = tcp_states(look())
        await posix.nanosleep(61)
        return [at_once, tcp_states(look())]

    assert run(main) == [["LISTEN", "TIME-WAIT"], ["LISTEN"]]


def tcp_states(machine: MachineStatistics) -> list[str]:
    return [
        each.state
        for each in machine.files
        if isinstance(each, SocketStatistics) and each.netid == "tcp"
    ]
