"""What the demos of classic mistakes have to show: the mistake, its sign, and the cure."""

from __future__ import annotations

from tests.cli.text import in_order


def test_unclosed_ends_in_a_deadlock_and_its_cure(shown: dict[str, str]) -> None:
    assert in_order(
        shown["unclosed"],
        "   output │ message for parent\n",
        "Deadlock: nobody can run at t=0.000s",
        "read(3, 100)",
        "pid 2 fd 4",
        "unclosed.py:",
        "hint: ",
        "close(4) first",
        "The parent closes it before it reads",
        'pid 2  read(3, 100) = b""\n',
        "pid 2  waitpid(3, 0) = (3, 0)",
    )


def test_both_send_ends_in_a_cycle_and_its_cure(shown: dict[str, str]) -> None:
    assert in_order(
        shown["both_send"],
        "Deadlock: nobody can run",
        "room in socket:[2]",
        "room in socket:[3]",
        "cycle: pid 2 -> pid 3 -> pid 2",
        "hint: everyone in it sends before it reads",
        "The child reads first",
        "got a letter of 300000 bytes",
        "got a letter of 300000 bytes",
    )


def test_partial_read_takes_half_a_message_for_the_message(shown: dict[str, str]) -> None:
    assert in_order(
        shown["partial_read"],
        'pid 2  recv(3, 100, 0) = b"do not"',
        "   output │ the message is: do not\n",
        "The length goes first",
        'pid 2  recv(3, 22, MSG_WAITALL) = b"do not push the button"  [blocked 0.500 s]\n',
        "   output │ the message is: do not push the button\n",
    )


def test_end_of_file_makes_a_loop_spin(shown: dict[str, str]) -> None:
    assert in_order(
        shown["end_of_file"],
        "   output │ got [hello]\n",
        'pid 2  recv(3, 100, 0) = b""',
        "   output │ got []\n",
        "   output │ got []\n",
        "TimeFrozen: virtual time has not moved",
        'b"" ends the loop:',
        "   output │ got [hello]\n",
        'pid 2  recv(3, 100, 0) = b""',
        "pid 2  close(3) = 0",
    )


def test_truncated_is_told_by_recvmsg_and_can_be_asked(shown: dict[str, str]) -> None:
    assert in_order(
        shown["truncated"],
        'recv(4, 8, 0) = b"pay 1000"',
        "   output │ the order is: pay 1000\n",
        'recvmsg(4, 8, 0) = (b"pay 1000", MSG_TRUNC, None)',
        "   output │ the order was cut after: pay 1000\n",
        "recv(4, 1, MSG_PEEK|MSG_TRUNC) = 11",
        'recv(4, 11, 0) = b"pay 1000000"',
        "   output │ the order is: pay 1000000\n",
    )


def test_sigpipe_kills_unless_it_is_not_wanted(shown: dict[str, str]) -> None:
    assert in_order(
        shown["sigpipe"],
        "pid 3  signal(SIGPIPE, SIG_DFL",
        'pid 3  send(4, b"message for parent", 0) = EPIPE',
        "pid 3  +++ killed by SIGPIPE +++",
        "pid 2  waitpid(3, 0) = (3, 13)",
        "   output │ the child was killed by signal 13\n",
        "The child gets an error",
        'pid 3  send(4, b"message for parent", MSG_NOSIGNAL) = EPIPE',
        "   output │ nobody reads any more\n",
        "   output │ the child goes on\n",
        "pid 2  waitpid(3, 0) = (3, 0)",
    )


def test_stale_path_refuses_clients_and_servers_until_it_is_unlinked(
    shown: dict[str, str],
) -> None:
    assert in_order(
        shown["stale_path"],
        'pid 3  bind(3, "/tmp/service") = 0',
        "pid 3  +++ killed by SIGKILL +++",
        'connect(3, "/tmp/service") = ECONNREFUSED',
        "   output │ client: Connection refused\n",
        'pid 4  bind(3, "/tmp/service") = EADDRINUSE',
        "   output │ server: Address already in use\n",
        "Every server unlinks it first",
        'pid 3  unlink("/tmp/service") = ENOENT',
        'pid 4  unlink("/tmp/service") = 0',
        'pid 4  bind(3, "/tmp/service") = 0',
        'connect(3, "/tmp/service") = 0',
        "   output │ client: connected\n",
    )


def test_time_wait_holds_the_port_for_a_minute(shown: dict[str, str]) -> None:
    assert in_order(
        shown["time_wait"],
        '  0.000 s │ pid 2  bind(3, ("127.0.0.1", 7001)) = 0\n',
        '  0.000 s │ pid 2  bind(3, ("127.0.0.1", 7001)) = EADDRINUSE\n',
        ' 20.000 s │ pid 2  bind(3, ("127.0.0.1", 7001)) = EADDRINUSE\n',
        ' 40.000 s │ pid 2  bind(3, ("127.0.0.1", 7001)) = EADDRINUSE\n',
        "= 0\n",
        "SO_REUSEADDR, for both",
        "setsockopt(3, SOL_SOCKET, SO_REUSEADDR, 1) = 0",
        '  0.000 s │ pid 2  bind(3, ("127.0.0.1", 7001)) = 0\n',
        "setsockopt(3, SOL_SOCKET, SO_REUSEADDR, 1) = 0",
        '  0.000 s │ pid 2  bind(3, ("127.0.0.1", 7001)) = 0\n',
    )


def test_zombie_is_there_until_it_is_waited_for(shown: dict[str, str]) -> None:
    assert in_order(
        shown["zombie"],
        "  0.500 s │ pid 3  +++ exited with 0 +++",
        "── five seconds later ─",
        "pid 3  child (zombie)",
        "  5.000 s │ pid 2  kill(3, 0) = 0",
        "   output │ there is a process 3\n",
        "pid 2  waitpid(3, 0) = (3, 0)",
        "pid 2  kill(3, 0) = ESRCH",
        "   output │ there is no process 3\n",
        "The parent waits when SIGCHLD comes",
        "pid 2  pause() = EINTR  [blocked 0.500 s]",
        "pid 2  waitpid(-1, 0) = (3, 0)",
        "  0.500 s │ pid 2  kill(3, 0) = ESRCH",
        "The parent ignores SIGCHLD",
        "pid 2  signal(SIGCHLD, SIG_IGN",
        "pid 3  --- reaped ---",
        "  5.000 s │ pid 2  kill(3, 0) = ESRCH",
    )
