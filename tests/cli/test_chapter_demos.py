"""What the demos of message passing have to show, on both event loops."""

from __future__ import annotations

from tests.cli.text import in_order, of_pid


def test_pipe_shows_three_pictures_and_the_message(shown: dict[str, str]) -> None:
    assert in_order(
        shown["pipe"],
        "pid 2  pipe2(O_CLOEXEC) = (3, 4)",
        "── after pipe ─",
        "  pid 2 ══▶ pipe:[2] (empty) ══▶ pid 2\n",
        "pid 2  fork(child, 3, 4) = 3",
        "── after fork ─",
        "  pid 2, 3 ══▶ pipe:[2] (empty) ══▶ pid 2, 3\n",
        "── after the closes ─",
        "  pid 3 ══▶ pipe:[2] (empty) ══▶ pid 2\n",
        'pid 2  read(3, 100) = b"message for parent"  [blocked 0.250 s]\n',
        "   output │ message for parent\n",
        'pid 2  read(3, 100) = b""\n',
        "pid 2  waitpid(3, 0) = (3, 0)\n",
    )


def test_duplex_answers_after_the_half_close(shown: dict[str, str]) -> None:
    assert in_order(
        shown["duplex"],
        'send(3, b"6 * 7 = ?", 0) = 9',
        "socket:[2] (empty) ═══ socket:[3] (9 bytes)",
        'pid 3  recv(4, 100, 0) = b""',
        'pid 3  send(4, b"42", 0) = 2',
        "   output │ the answer is 42\n",
    )
    assert "pid 2  shutdown(3, SHUT_WR) = 0" in shown["duplex"]


def test_bounded_blocks_its_writer_until_a_page_is_free(shown: dict[str, str]) -> None:
    assert in_order(
        shown["bounded"],
        "= 65536\n",
        "the pipe is full",
        "(65536 bytes)",
        "half a page was read",
        "(63488 bytes)",
        "= 4096  [blocked 2.000 s]\n",
        "the writer has gone on",
        "nobody ══▶ pipe:[2] (65536 bytes) ══▶ pid 2",
    )


def test_half_duplex_carries_both_directions_in_one_pipe(shown: dict[str, str]) -> None:
    assert in_order(
        shown["half_duplex"],
        'write(4, b"6 * 7 = ?") = 9',
        "  pid 2 ══▶ pipe:[2] (9 bytes) ══▶ pid 2\n",
        'pid 3  read(3, 100) = b"6 * 7 = ?"',
        'pid 3  write(4, b"42") = 2',
        "pid 2  waitpid(3, 0) = (3, 0)",
        "  pid 2 ══▶ pipe:[2] (2 bytes) ══▶ pid 2\n",
        "   output │ the answer is 42\n",
    )


def test_boundaries_vanish_in_a_stream_and_stay_in_datagrams(shown: dict[str, str]) -> None:
    assert in_order(
        shown["boundaries"],
        "A stream:",
        'send(3, b"abc", 0) = 3',
        'send(3, b"de", 0) = 2',
        'recv(4, 100, 0) = b"abcde"',
        "Datagrams:",
        'send(3, b"abc", 0) = 3',
        'send(3, b"de", 0) = 2',
        'recv(4, 100, 0) = b"abc"',
        'recv(4, 100, 0) = b"de"',
    )


def test_fifo_opens_when_both_have_come(shown: dict[str, str]) -> None:
    assert in_order(
        shown["fifo"],
        'pid 2  mkfifo("/tmp/fifo", 0600) = 0',
        "── they have met ─",
        "  pid 4 ══▶ /tmp/fifo (empty) ══▶ pid 3\n",
        "   output │ message for whoever reads\n",
        'pid 3  read(3, 100) = b""\n',
        'pid 2  unlink("/tmp/fifo") = 0',
    )
    assert 'pid 3  openat(AT_FDCWD, "/tmp/fifo", O_RDONLY) = 3  [blocked 0.500 s]' in shown["fifo"]


def test_datagram_tells_who_has_sent_it(shown: dict[str, str]) -> None:
    over_udp, in_unix = shown["datagram"].split("In the UNIX domain:")
    assert in_order(
        of_pid(over_udp, 2),
        "socket(AF_INET, SOCK_DGRAM, 0) = 3",
        'bind(3, ("127.0.0.1", 7000)) = 0',
        'recvfrom(3, 100, 0) = (b"message for the receiver", ("127.0.0.1", 32768))',
        'sendto(3, b"thank you", 0, ("127.0.0.1", 32768)) = 9',
        "close(3) = 0",
    )
    assert in_order(
        of_pid(over_udp, 3),
        'sendto(4, b"message for the receiver", 0, ("127.0.0.1", 7000)) = 24',
        'recvfrom(4, 100, 0) = (b"thank you", ("127.0.0.1", 7000))',
    )
    assert in_order(
        of_pid(in_unix, 2),
        'bind(3, "/tmp/mailbox") = 0',
        'recvfrom(3, 100, 0) = (b"message for the receiver", None)',
        'unlink("/tmp/mailbox") = 0',
    )


def test_stream_is_bound_listened_accepted_and_talked_over(shown: dict[str, str]) -> None:
    assert in_order(
        of_pid(shown["stream"], 2),
        "socket(AF_INET, SOCK_STREAM, 0) = 3",
        'bind(3, ("127.0.0.1", 7000)) = 0',
        "listen(3, 5) = 0",
        'accept(3) = (4, ("127.0.0.1", 32768))',
        'recv(4, 100, 0) = b"message for the passive process"',
        'recv(4, 100, 0) = b""',
        "waitpid(3, 0) = (3, 0)",
    )
    assert in_order(
        of_pid(shown["stream"], 3),
        "socket(AF_INET, SOCK_STREAM, 0) = 3",
        'connect(3, ("127.0.0.1", 7000)) = 0',
        'send(3, b"message for the passive process", 0) = 31',
    )
    assert in_order(
        shown["stream"],
        "── the connection is made ─",
        "  pid 2 ◀═▶ socket:[2] listens at 127.0.0.1:7000, nobody waits to be accepted\n",
        "  pid 2 ◀═▶ socket:[4] (empty) ═══ socket:[3] (empty) ◀═▶ pid 3\n",
        "   output │ message for the passive process\n",
    )


def test_backlog_makes_the_third_client_wait(shown: dict[str, str]) -> None:
    assert in_order(
        shown["backlog"],
        "pid 2  listen(3, 1) = 0",
        '  0.100 s │ pid 3  connect(3, "/tmp/service") = 0\n',
        '  0.200 s │ pid 4  connect(3, "/tmp/service") = 0\n',
        "── two wait in the backlog",
        "  pid 2 ◀═▶ socket:[2] listens at /tmp/service, 2 wait to be accepted\n",
        "  pid 3 ◀═▶ socket:[3] (empty) ═══ socket:[4] (19 bytes) waits at socket:[2]\n",
        "  pid 5 ◀═▶ socket:[7] not connected, without a name\n",
        'accept(3) = (4, "")',
        "   output │ hello from client 1\n",
        "   output │ hello from client 2\n",
        "   output │ hello from client 3\n",
    )
    assert (
        '  1.000 s │ pid 5  connect(3, "/tmp/service") = 0  [blocked 0.700 s]\n' in shown["backlog"]
    )


def test_clients_have_a_child_each(shown: dict[str, str]) -> None:
    assert in_order(
        shown["clients"],
        "listen(3, 5) = 0",
        "fork(serve, 3, 4) = 6",
        "close(4) = 0",
        "fork(serve, 3, 4) = 7",
        "fork(serve, 3, 4) = 8",
        "── three children serve three clients ─",
        "pid 2  waitpid(6, 0) = (6, 0)",
        "pid 2  waitpid(8, 0) = (8, 0)",
    )
    for name in ("anna", "bert", "cleo"):
        assert f"   output │ hello {name}\n" in shown["clients"]
    for pid in (6, 7, 8):  # all at the same time
        assert f'  0.500 s │ pid {pid}  send(4, b"hello ' in shown["clients"]


def test_lost_drops_over_udp_and_blocks_in_the_unix_domain(shown: dict[str, str]) -> None:
    assert in_order(
        shown["lost"],
        "setsockopt(3, SOL_SOCKET, SO_RCVBUF, 2000) = 0",
        'sendto(4, b"letter 5", 0, ("127.0.0.1", 7000)) = 8\n',
        "   output │ got letter 4\n",
        "recv(3, 100, MSG_DONTWAIT) = EAGAIN",
        "   output │ there is no more\n",
        "twelve letters",
        '  0.000 s │ pid 3  sendto(3, b"letter 11", 0, "/tmp/mailbox") = 9\n',
        "   output │ the last one is letter 12\n",
    )
    assert (
        '  1.000 s │ pid 3  sendto(3, b"letter 12", 0, "/tmp/mailbox") = 9  [blocked 1.000 s]\n'
    ) in shown["lost"]
    assert "got letter 5" not in shown["lost"]


def test_signals_are_handled_end_a_process_and_tell_of_an_end(shown: dict[str, str]) -> None:
    assert in_order(
        shown["signals"],
        "pid 2  signal(SIGUSR1, handler) = SIG_DFL",
        "pid 3  kill(2, SIGUSR1) = 0",
        "pid 2  --- SIGUSR1 {si_code=SI_USER, si_pid=3, si_uid=0} ---",
        "pid 2  pause() = EINTR  [blocked 0.500 s]",
        "   output │ pause was interrupted, by pid [3]\n",
        "pid 2  kill(3, SIGTERM) = 0",
        "   output │ the child was ended by signal 15\n",
        "SIGCHLD:",
        "pid 2  --- SIGCHLD {si_code=CLD_EXITED, si_pid=3, si_uid=0} ---",
        "pid 2  pause() = EINTR  [blocked 0.500 s]",
        "pid 2  waitpid(-1, WNOHANG) = (3, 768)",
        "   output │ the child has exited with 3\n",
    )
    assert "pid 3  +++ killed by SIGTERM +++" in shown["signals"]
