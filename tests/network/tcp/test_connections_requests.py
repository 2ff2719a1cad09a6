"""The SYN queue: what a listener answers before there is a connection.

The answers to odd segments are those of Linux 6.18, measured between two
network namespaces with segments made by hand.
"""

from __future__ import annotations

import errno

import pytest

from asyncipc.kernel.ip.options import IPPROTO_TCP
from asyncipc.kernel.sockets.address import InetAddress
from asyncipc.kernel.sockets.options import SO_RCVBUF, SOL_SOCKET
from asyncipc.kernel.sockets.socket import SHUT_RD
from asyncipc.kernel.tcp.options import TCP_DEFER_ACCEPT, TCP_MAXSEG, TCP_SYNCNT
from asyncipc.kernel.tcp.socket import TcpSocket
from asyncipc.network.links.conditions import Conditions
from asyncipc.network.tcp.segment import Options
from asyncipc.statistics import SocketStatistics
from tests.network.lab import Host, Lab
from tests.network.tcp.stranger import Stranger, letters

BACKLOG = 5


class Scene:
    """A server with a listener, a stranger, and a wire that takes no time."""

    def __init__(self, backlog: int = BACKLOG) -> None:
        self.lab = Lab()
        self.lab.fabric.conditions = Conditions(latency_ns=0)
        self.server = self.lab.host("server", "10.0.0.2")
        self.listener = self.server.listener(80, backlog)
        self.stranger = self.new_stranger("10.0.0.9")

    def new_stranger(self, address: str, port: int = 80) -> Stranger:
        return Stranger(self.lab, f"stranger {address}", address, self.server.address, port)

    def requests(self, listener: TcpSocket | None = None) -> int:
        """How many handshakes the listener has going on."""
        state = (listener or self.listener).listener
        return 0 if state is None or state.handshakes is None else len(state.handshakes.names())


@pytest.fixture
def scene() -> Scene:
    return Scene()


NOBODYS = [
    (".", 7000, None, "R"),
    ("R", None, None, None),
    ("", 0, 1003, "R."),
    ("F", 0, 1004, "R."),
    ("S", 0, 1004, "R."),
    ("SF", 0, 1005, "R."),
    ("S.", 7000, None, "R"),
    ("F.", 7000, None, "R"),
]


@pytest.mark.parametrize(("flags", "number", "ack", "answer"), NOBODYS)
def test_nobodys_segment_draws_a_reset_that_its_sender_will_believe(
    scene: Scene, flags: str, number: int | None, ack: int | None, answer: str | None
) -> None:
    stranger = scene.new_stranger("10.0.0.8", port=81)
    got = stranger.send(flags, 1000, 7000, b"abc")
    if answer is None:
        assert got is None
        return
    assert got is not None
    assert (letters(got.flags), got.sequence, got.window) == (answer, number, 0)
    if ack is not None:
        assert got.ack == ack


@pytest.mark.parametrize(
    ("flags", "answer"),
    [(".", "R"), ("R", None), ("", None), ("F", None), ("SF", None), ("SR", None), ("S.", "R"),
     ("F.", "R"), ("S", "S.")],
)  # fmt: skip
def test_a_listener_answers_syns_and_refuses_acknowledgements(
    scene: Scene, flags: str, answer: str | None
) -> None:
    got = scene.stranger.send(flags, 5000, 7000)
    assert (None if got is None else letters(got.flags)) == answer


class TestTheAnswer:
    def test_offers_only_what_was_offered(self, scene: Scene) -> None:
        answer = scene.stranger.ask()
        assert answer.ack == 1001
        assert answer.options == Options(mss=1460)
        assert answer.window == 64240

    def test_agrees_to_scale_sack_and_stamps(self, scene: Scene) -> None:
        scene.lab.run(5)
        offer = Options(mss=1400, window_scale=3, may_sack=True, stamp=(77, 0))
        answer = scene.stranger.ask(options=offer)
        options = answer.options
        assert (options.mss, options.window_scale, options.may_sack) == (1460, 7, True)
        assert options.stamp is not None
        assert options.stamp[1] == 77
        assert answer.window == 65160

    def test_window_is_half_of_the_receive_buffer_in_whole_segments(self, scene: Scene) -> None:
        scene.listener.setsockopt(SOL_SOCKET, SO_RCVBUF, 10_000)
        assert scene.stranger.ask().window == 10_000 - 10_000 % 1460

    def test_announces_no_more_than_maxseg(self, scene: Scene) -> None:
        scene.listener.setsockopt(IPPROTO_TCP, TCP_MAXSEG, 1000)
        assert scene.stranger.ask().options.mss == 1000

    def test_numbers_begin_where_nobody_can_guess_and_grow_with_time(self) -> None:
        first, second = Scene(), Scene()
        number = first.stranger.ask().sequence
        assert second.stranger.ask().sequence == number
        assert second.stranger.ask(port=4001).sequence != number
        second.stranger.send("R", 1001)
        second.lab.run(0.64)
        assert second.stranger.ask().sequence == (number + 10_000_000) % 2**32


class TestItsTime:
    def test_is_sent_again_after_1_2_4_8_and_16_seconds_and_forgotten_after_32_more(
        self, scene: Scene
    ) -> None:
        scene.stranger.ask()
        scene.lab.run(62.9)
        assert scene.stranger.times == [0, 1, 3, 7, 15, 31]
        assert scene.requests() == 1
        scene.lab.run(63)
        assert scene.requests() == 0
        assert scene.lab.heap.next_due() is None

    def test_syncnt_of_the_listener_gives_up_earlier(self, scene: Scene) -> None:
        scene.listener.setsockopt(IPPROTO_TCP, TCP_SYNCNT, 1)
        scene.stranger.ask()
        scene.lab.run()
        assert (scene.stranger.times, scene.lab.now_ns) == ([0, 1], 3_000_000_000)

    def test_a_crowded_queue_forgets_the_older_until_it_is_half_empty(self) -> None:
        scene = Scene(backlog=8)
        for port in range(9):
            scene.stranger.ask(port=5000 + port)
        scene.lab.run(6.9)
        assert scene.requests() == 9
        scene.lab.run(7.1)
        assert scene.requests() == 4
        scene.lab.run(40)
        assert scene.stranger.times.count(31) == 4

    def test_a_crowd_of_newcomers_does_not_make_the_old_ones_go(self) -> None:
        scene = Scene(backlog=8)
        for port in range(2):
            scene.stranger.ask(port=5000 + port)
        scene.lab.run(6.9)
        for port in range(7):
            scene.stranger.ask(port=6000 + port)
        scene.lab.run(7.5)
        assert scene.requests() == 9

    def test_newcomers_that_were_reset_protect_nobody(self) -> None:
        scene = Scene(backlog=8)
        for port in range(5):
            scene.stranger.ask(port=5000 + port)
        scene.lab.run(6.9)
        for port in range(4):
            scene.stranger.ask(port=6000 + port)
            scene.stranger.send("R", 1001, port=6000 + port)
        scene.lab.run(7.5)
        assert scene.requests() == 4

    def test_syn_again_is_answered_at_once_and_moves_the_next_answer(self, scene: Scene) -> None:
        scene.stranger.ask()
        scene.lab.run(0.6)
        answer = scene.stranger.send("S")
        assert answer is not None
        assert letters(answer.flags) == "S."
        scene.lab.run(2)
        assert scene.stranger.times == [0, 0.6, 1.6]

    def test_a_storm_of_syns_is_answered_twice_a_second(self, scene: Scene) -> None:
        for moment in range(20):
            scene.lab.run(moment / 10)
            scene.stranger.send("S")
        assert scene.stranger.times == [0, 0.1, 0.6, 1.1, 1.6]


class TestWhatComes:
    def test_reset_ends_it(self, scene: Scene) -> None:
        scene.stranger.ask()
        assert scene.stranger.send("R", 1001) is None
        assert scene.requests() == 0
        assert scene.lab.heap.next_due() is None

    def test_reset_outside_the_window_does_not(self, scene: Scene) -> None:
        scene.stranger.ask()
        assert scene.stranger.send("R", 1) is None
        assert scene.requests() == 1

    def test_acknowledgement_of_something_else_is_refused(self, scene: Scene) -> None:
        answer = scene.stranger.ask()
        refusal = scene.stranger.send(".", 1001, answer.sequence + 7)
        assert refusal is not None
        assert (letters(refusal.flags), refusal.sequence) == ("R", answer.sequence + 7)
        assert scene.requests() == 1

    def test_another_syn_inside_the_window_is_reset(self, scene: Scene) -> None:
        scene.stranger.ask()
        refusal = scene.stranger.send("S", 1005)
        assert refusal is not None
        assert (letters(refusal.flags), refusal.ack) == ("R.", 1006)
        assert scene.requests() == 0

    def test_another_syn_outside_the_window_is_told_what_is_expected(self, scene: Scene) -> None:
        answer = scene.stranger.ask()
        told = scene.stranger.send("S", 100_000_000)
        assert told is not None
        assert (letters(told.flags), told.sequence, told.ack) == (".", answer.sequence + 1, 1001)
        assert scene.requests() == 1

    def test_acknowledgement_outside_the_window_is_told_what_is_expected(
        self, scene: Scene
    ) -> None:
        answer = scene.stranger.ask()
        told = scene.stranger.send(".", 90_001_001, answer.sequence + 1)
        assert told is not None
        assert (letters(told.flags), told.ack) == (".", 1001)
        assert scene.requests() == 1

    @pytest.mark.parametrize("flags", ["", "F"])
    def test_what_acknowledges_nothing_is_ignored(self, scene: Scene, flags: str) -> None:
        scene.stranger.ask()
        assert scene.stranger.send(flags, 1001) is None
        assert scene.requests() == 1

    def test_an_older_timestamp_is_out_of_place(self, scene: Scene) -> None:
        answer = scene.stranger.ask(options=Options(stamp=(77, 0)))
        told = scene.stranger.send(".", 1001, answer.sequence + 1, options=Options(stamp=(76, 0)))
        assert told is not None
        assert letters(told.flags) == "."
        assert told.options.stamp is not None
        assert scene.requests() == 1

    def test_icmp_that_nobody_is_there_ends_it(self, scene: Scene) -> None:
        scene.stranger.ask()
        names = InetAddress("10.0.0.2", 80), InetAddress("10.0.0.9", 4000)
        scene.server.stack.tcp.unreachable(*names, errno.ECONNREFUSED, hard=True)
        assert scene.requests() == 1
        scene.server.stack.tcp.unreachable(*names, errno.EHOSTUNREACH, hard=False)
        assert scene.requests() == 0
        assert scene.lab.heap.next_due() is None


class TestItsRoom:
    @pytest.mark.parametrize("backlog", [0, 1, 4, 64])
    def test_a_flood_meets_room_for_one_more_than_the_backlog(self, backlog: int) -> None:
        scene = Scene(backlog)
        for port in range(100):
            scene.stranger.send("S", port=5000 + port)
        assert scene.requests() == len(scene.stranger.got) == backlog + 1

    def test_a_flood_leaves_a_quarter_of_what_the_host_has_room_for(self) -> None:
        scene = Scene(backlog=4096)
        for port in range(1600):
            scene.stranger.send("S", port=5000 + port)
        assert scene.requests() == 1537

    def test_room_comes_back_when_the_flood_is_forgotten(self) -> None:
        scene = Scene(backlog=0)
        scene.stranger.ask(port=5000)
        assert scene.stranger.send("S", port=5001) is None
        scene.lab.run(63)
        assert scene.stranger.send("S", port=5001) is not None

    def test_each_listener_has_its_own(self) -> None:
        scene = Scene(backlog=0)
        other = scene.server.listener(81, 0)
        scene.stranger.ask()
        scene.new_stranger("10.0.0.8", port=81).ask()
        assert (scene.requests(), scene.requests(other)) == (1, 1)


class TestTheListenersEnd:
    @pytest.mark.parametrize("how", ["close", "shutdown", "disconnect"])
    def test_is_silent_and_resets_who_completes_later(self, scene: Scene, how: str) -> None:
        answer = scene.stranger.ask()
        scene.stranger.seen()
        if how == "close":
            scene.listener.drop()
        elif how == "shutdown":
            scene.listener.shutdown(SHUT_RD)
        else:
            scene.listener.connect(scene.server.process, None)
        assert scene.stranger.seen() == []
        assert len(scene.server.stack.tcp) == 0
        assert scene.lab.heap.next_due() is None
        refusal = scene.stranger.send(".", 1001, answer.sequence + 1)
        assert refusal is not None
        assert letters(refusal.flags) == "R"

    def test_a_listener_that_listens_again_begins_with_an_empty_queue(self, scene: Scene) -> None:
        scene.stranger.ask()
        scene.listener.shutdown(SHUT_RD)
        scene.listener.listen(scene.server.process, 1)
        assert scene.requests() == 0
        scene.stranger.ask()
        assert scene.requests() == 1

    def test_a_host_that_loses_power_lets_go_of_every_timer(self, scene: Scene) -> None:
        scene.stranger.ask()
        scene.server.stack.tcp.power_off()
        assert scene.lab.heap.next_due() is None
        assert len(scene.server.stack.tcp) == 0


def sockets(host: Host) -> list[SocketStatistics]:
    found = host.kernel.statistics().files
    return [each for each in found if isinstance(each, SocketStatistics)]


def test_a_request_is_seen_as_syn_recv(scene: Scene) -> None:
    scene.server.process.table.open(scene.listener, cloexec=False)
    scene.stranger.ask()
    listener, request = sockets(scene.server)
    assert (listener.state, listener.receive_queue) == ("LISTEN", 0)
    assert (request.state, request.inode) == ("SYN-RECV", 0)
    assert (request.local, request.remote) == ("10.0.0.2:80", "10.0.0.9:4000")


def test_deferred_listener_drops_the_bare_ack_and_answers_once_more_when_its_time_is_over(
    scene: Scene,
) -> None:
    scene.listener.setsockopt(IPPROTO_TCP, TCP_DEFER_ACCEPT, 7)
    answer = scene.stranger.ask()
    assert scene.stranger.send(".", 1001, answer.sequence + 1) is None
    scene.lab.run(7.1)
    assert scene.stranger.times == [0, 7]
    assert scene.requests() == 1
