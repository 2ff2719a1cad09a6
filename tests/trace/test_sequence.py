"""The time-sequence picture: what of a connection's packets it shows, and where."""

from __future__ import annotations

from asyncipc.events import Event, SystemCall, Transit
from asyncipc.trace.sequence import TimeSequence

ISN = 4_294_966_995
"""So near the end that the numbers begin anew within the connection."""


def packet(ms: int, what: str, fate: str = "sent", *, back: bool = False) -> Event:
    source, target = ("server", "client") if back else ("client", "server")
    return Transit(1, ms * 1_000_000, source, 0, source, target, what, 1500, fate)


def data(start: int, length: int) -> str:
    """A segment as the wire tells of it; ``start`` counts from the first byte."""
    first = (ISN + 1 + start) % 2**32
    end = (first + length) % 2**32
    return f"c > s: TCP 1 > 2 [.], seq {first}:{end}, ack 9, win 512, length {length}"


def ack(number: int) -> str:
    return f"s > c: TCP 2 > 1 [.], seq 9, ack {(ISN + 1 + number) % 2**32}, win 512, length 0"


def seen(*events: Event) -> TimeSequence:
    sequence = TimeSequence("client", "server")
    sequence(packet(0, f"c > s: TCP 1 > 2 [S], seq {ISN}, win 64240, length 0"))
    for event in events:
        sequence(event)
    return sequence


def rows(sequence: TimeSequence) -> list[str]:
    return str(sequence).splitlines()[1:]


def test_time_goes_down_and_the_stream_goes_right() -> None:
    sequence = seen(packet(100, data(0, 330)), packet(250, data(330, 330)))
    assert str(sequence).splitlines() == [
        "     time │ 0" + "660 bytes".rjust(65),
        "  0.100 s │ " + "█" * 33,
        "  0.250 s │ " + " " * 33 + "█" * 33,
    ]


def test_what_is_lost_and_what_is_sent_again_have_their_marks() -> None:
    sequence = seen(
        packet(100, data(0, 330)),
        packet(100, data(0, 330), "dropped: loss"),
        packet(100, data(330, 330)),
        packet(300, data(0, 330)),
        packet(300, data(0, 330), "dropped: cut"),
        packet(700, data(0, 330)),
        packet(750, data(0, 330), "arrived"),
    )
    assert rows(sequence) == [
        "  0.100 s │ " + "x" * 33 + "█" * 33,
        "  0.300 s │ " + "*" * 33,
        "  0.700 s │ " + "▒" * 33,
    ]
    assert (len(sequence.segments), sequence.lost, sequence.again) == (4, 2, 2)


def test_an_acknowledgement_counts_when_it_has_come_back() -> None:
    sequence = seen(
        packet(100, data(0, 660)),
        packet(150, ack(330), back=True),
        packet(150, ack(330), "dropped: loss", back=True),
        packet(160, ack(660), back=True),
        packet(210, ack(660), "arrived", back=True),
    )
    assert rows(sequence)[1:] == ["  0.210 s │ " + " " * 66 + "┃"]


def test_other_hosts_and_what_is_no_packet_are_not_in_the_picture() -> None:
    sequence = seen(
        SystemCall(1, 5, "client", 2, "read", (3, 9), b"", 0),
        Transit(1, 5, "x", 0, "x", "server", data(0, 10), 50, "sent"),
        packet(5, "c > s: UDP 1 > 2, length 9"),
    )
    assert sequence.segments == []
    assert rows(sequence) == []
