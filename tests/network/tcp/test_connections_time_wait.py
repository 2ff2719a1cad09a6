"""TIME-WAIT between hosts: what it answers, and to whom it gives way.

The answers are Linux 6.18's, measured between two network namespaces with
segments made by hand.
"""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from asyncipc.kernel.sockets.socket import SHUT_RD
from asyncipc.kernel.tcp.socket import TcpSocket
from asyncipc.network.links.conditions import Conditions
from asyncipc.network.tcp import time_wait
from asyncipc.network.tcp.agreed import Left
from asyncipc.network.tcp.segment import NO_OPTIONS, Options, Segment
from asyncipc.network.tcp.time_wait import Fate
from tests.network.lab import Host, Lab
from tests.network.tcp.stranger import Stranger, letters

NOTHING = NO_OPTIONS


def stamped(value: int) -> Options:
    return Options(stamp=(value, 0))


@dataclass
class Ended:
    """A connection that the server closed first; it is in TIME-WAIT there.

    ``next``: the stranger's next number, ``acked``: the server's.
    """

    lab: Lab
    server: Host
    listener: TcpSocket
    stranger: Stranger
    next: int
    acked: int

    def waits(self) -> int:
        return len(self.server.kernel.inet.tcp.time_waits(self.lab.now()))

    def send(
        self, flags: str, offset: int = 0, data: bytes = b"", options: Options = NOTHING
    ) -> str | None:
        """``offset``: from the stranger's next number."""
        number = (self.next + offset) % 2**32
        answer = self.stranger.send(flags, number, self.acked, data, options=options)
        return None if answer is None else letters(answer.flags)


def ended(isn: int = 1000, *, options: Options = NOTHING) -> Ended:
    lab = Lab()
    lab.fabric.conditions = Conditions(latency_ns=0)
    server = lab.host("server", "10.0.0.2")
    listener = server.listener(80, 5)
    stranger = Stranger(lab, "stranger", "10.0.0.9", "10.0.0.2", 80)
    answer = stranger.send("S", isn, options=options)
    assert answer is not None
    own = (answer.sequence + 1) % 2**32
    first = (isn + 1) % 2**32
    stranger.send(".", first, own, options=options)
    found = listener.accept()
    assert isinstance(found, tuple)
    connection = found[0]
    connection.hold()
    connection.drop()
    assert letters(stranger.got[-1].flags) == "F."
    stranger.send("F.", first, own + 1, options=options)
    scene = Ended(lab, server, listener, stranger, (first + 1) % 2**32, (own + 1) % 2**32)
    assert scene.waits() == 1
    stranger.seen()
    return scene


def test_the_peers_fin_again_is_acknowledged_again_and_the_minute_begins_anew() -> None:
    scene = ended()
    scene.lab.run(59)
    assert scene.send("F.", -1) == "."
    assert (scene.stranger.got[0].sequence, scene.stranger.got[0].ack) == (scene.acked, scene.next)
    scene.lab.run(118)
    assert scene.waits() == 1
    scene.lab.run(119)
    assert scene.waits() == 0


def test_when_the_minute_is_over_nobody_knows_the_connection() -> None:
    scene = ended()
    scene.lab.run(60)
    assert scene.send("F.", -1) == "R"


@pytest.mark.parametrize(("flags", "offset", "count"), [("F.", -1, 20), ("S", -100, 4)])
def test_a_storm_is_answered_twice_a_second_but_fins_always(
    flags: str, offset: int, count: int
) -> None:
    scene = ended()
    for moment in range(20):
        scene.lab.run(moment / 10)
        scene.send(flags, offset)
    assert len(scene.stranger.times) == count


@pytest.mark.parametrize(
    ("flags", "offset", "data", "answer"),
    [
        ("F.", -1, b"", "."),
        ("S", -100, b"", "."),
        ("P.", -10, b"xxxxx", "."),
        ("S.", 100, b"", "."),
        (".", 0, b"", None),
        ("R", 0, b"", None),
        ("R", 1, b"", None),
        ("R", -1, b"", None),
        ("S", 100, b"", "S."),
    ],
)
def test_it_answers_what_is_out_of_place(
    flags: str, offset: int, data: bytes, answer: str | None
) -> None:
    assert ended().send(flags, offset, data) == answer


@pytest.mark.parametrize(("offset", "left"), [(-1, 1), (0, 0), (1, 1)])
def test_a_reset_of_the_next_number_alone_ends_it(offset: int, left: int) -> None:
    scene = ended()
    assert scene.send("R", offset) is None
    assert scene.waits() == left


class TestANewSyn:
    def test_with_a_greater_number_takes_the_names_over(self) -> None:
        scene = ended()
        assert scene.send("S", 100) == "S."
        assert scene.waits() == 0
        answer = scene.stranger.got[-1]
        assert answer.sequence == (scene.acked + 65537) % 2**32
        assert scene.stranger.send(".", scene.next + 101, answer.sequence + 1) is None
        assert isinstance(scene.listener.accept(), tuple)

    def test_with_a_smaller_number_does_not(self) -> None:
        scene = ended()
        assert scene.send("S", -100) == "."
        assert scene.waits() == 1

    def test_with_a_smaller_number_but_a_later_timestamp_does(self) -> None:
        scene = ended(options=stamped(500))
        assert scene.send("S", -100, options=stamped(501)) == "S."

    def test_with_an_earlier_timestamp_is_an_old_one(self) -> None:
        scene = ended(options=stamped(500))
        assert scene.send("S", 100, options=stamped(499)) == "."
        assert scene.waits() == 1

    def test_is_greater_across_the_end_of_the_numbers(self) -> None:
        scene = ended(isn=2**32 - 10)
        assert scene.send("S", 100) == "S."

    def test_does_not_where_nobody_listens_any_more(self) -> None:
        scene = ended()
        scene.listener.shutdown(SHUT_RD)
        assert scene.send("S", 100) == "."
        assert scene.waits() == 1

    def test_needs_no_room_in_a_queue_full_of_others(self) -> None:
        scene = ended()
        scene.listener.listen(scene.server.process, 0)
        scene.stranger.ask(port=5000)
        assert scene.stranger.send("S", port=5001) is None
        assert scene.send("S", 100) == "S."


def test_the_last_timestamp_is_that_of_the_last_expected_segment() -> None:
    scene = ended(options=stamped(500))
    assert scene.send(".", options=stamped(700)) is None
    assert scene.send("S", -100, options=stamped(600)) == "."
    assert scene.send("S", -100, options=stamped(701)) == "S."


def test_without_timestamps_there_is_nothing_to_be_late() -> None:
    left = Left(5, 1000, 64, None, 0)
    names = Lab().host("a", "10.0.0.1").tcp().local
    syn = Segment(names, names, 900, 0, 2, 100, options=stamped(9))
    assert time_wait.fate(left, syn) is Fate.ACKNOWLEDGED
