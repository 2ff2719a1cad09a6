"""How fast one connection gets, against what the link, the window and the laws of loss allow.

On a clean link it is the link's rate; where the window is less than what fits on the way, a
window each round trip; under random loss MSS / RTT * sqrt(3/2 / p) (Mathis et al.,
1997) with NewReno, and RFC 9438's (section 5.2) with CUBIC.
"""

from __future__ import annotations

from functools import partial
from math import sqrt

import pytest

from asyncipc.kernel.sockets.options import SO_RCVBUF, SOL_SOCKET
from asyncipc.network.links.conditions import conditions
from asyncipc.network.tcp import congestion
from asyncipc.network.tcp.agreed import RECEIVE_MOST
from asyncipc.network.tcp.congestion import Cubic, Reno
from tests.network.bulk import MSS, WIRE, Transfer, transfer
from tests.network.lab import SECOND

MEGABIT = 1_000_000
WINDOW_MOST = RECEIVE_MOST // 2
"""Half of SO_RCVBUF is for what is around the bytes."""
FITS = [
    (rate, rtt)
    for rate in (1, 10, 100, 1000)
    for rtt in (0.001, 0.01, 0.1)
    if rate * MEGABIT / 8 * rtt < WINDOW_MOST
]


def on_the_wire(bytes_per_second: float) -> float:
    """Bits per second, with the heads of full segments."""
    return bytes_per_second * 8 * WIRE / MSS


def mathis(share: float, rtt: float) -> float:
    return sqrt(1.5 / share) * MSS / rtt


def cubic_law(share: float, rtt: float) -> float:
    """RFC 9438, 5.2, figure 5, with C = 0.4 and a factor of 0.7."""
    return 1.054 * float((rtt / share) ** 0.75) * MSS / rtt


def rate_under_loss(
    share: float, rtt: float, packets: int, seed: int = 0, control: bytes = b"reno"
) -> float:
    """Bytes per second.  Slow start ends by a loss of its own, so that chance has no say in how
    far it goes.
    """
    made = Transfer(packets * MSS, rtt, seed, control, loss=[60, 61])
    link = made.lab.fabric.link("a", "b")
    begin = partial(setattr, link, "conditions", conditions(link.conditions, loss=share))
    made.lab.arm(round(8 * rtt * SECOND), begin)
    made.run()
    return made.rate(0.9)


# -- clean links


@pytest.mark.parametrize(("rate", "rtt"), FITS)
def test_on_a_clean_link_bulk_transfer_is_as_fast_as_the_link(rate: int, rtt: float) -> None:
    held = rate * MEGABIT / 8 * rtt
    done = transfer(round(2_000_000 + 8 * held), rtt, bandwidth=rate * MEGABIT)
    assert 0.85 <= on_the_wire(done.rate()) / (rate * MEGABIT) <= 1.0001


@pytest.mark.parametrize("rate", [10, 100])
def test_a_whole_transfer_takes_what_slow_start_and_the_link_take(rate: int) -> None:
    """Each round trip doubles the window, from ten segments on.  A big segment is acknowledged
    when the last of it is there, which costs a round trip or two more than single ones would.
    """
    rtt, size = 0.02, 4_000_000
    rounds = 3 + (rate * MEGABIT // 8 // 50 // (10 * WIRE)).bit_length()
    least = size * 8 * WIRE / MSS / (rate * MEGABIT)
    done = transfer(size, rtt, bandwidth=rate * MEGABIT).received[-1][0]
    assert least + 1.5 * rtt < done < least + rounds * rtt


def test_where_more_fits_on_the_way_than_into_the_window_it_is_a_window_each_round_trip() -> None:
    rtt, rate = 0.1, 1000 * MEGABIT
    done = transfer(60_000_000, rtt, bandwidth=rate).rate(0.3)
    assert 0.85 <= done / (WINDOW_MOST / rtt) <= 1.0001
    assert on_the_wire(done) < 0.3 * rate


def test_a_small_receive_buffer_holds_a_fast_link_back() -> None:
    rtt, size = 0.05, 100_000
    made = Transfer(3_000_000, rtt, bandwidth=100 * MEGABIT)
    made.listener.setsockopt(SOL_SOCKET, SO_RCVBUF, size)
    made.run()
    assert 0.7 <= made.rate() / (size / rtt) <= 1.0001


# -- random loss


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    ("share", "rtt", "packets"),
    [
        (0.001, 0.05, 9_000),
        (0.003, 0.02, 4_000),
        (0.01, 0.1, 2_500),
        (0.02, 0.01, 2_000),
        (0.05, 0.1, 2_000),
    ],
)
def test_under_loss_newreno_follows_the_law_of_the_square_root(
    share: float, rtt: float, packets: int, seed: int
) -> None:
    assert 0.5 < rate_under_loss(share, rtt, packets, seed) / mathis(share, rtt) < 2


class Stubborn(Reno):
    """It sends no less after a loss."""

    def lost(self) -> None:
        self.threshold = self.window


class Timid(Reno):
    """Its window grows twenty times too slowly."""

    def _avoid(self, count: int, now: int, round_trip: int) -> None:
        self._count(count, 20 * self.window)


@pytest.mark.parametrize("wrong", [Stubborn, Timid])
def test_the_law_tells_a_wrong_congestion_control(
    wrong: type[Reno], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(congestion.KINDS, b"reno", wrong)
    rates = [rate_under_loss(0.01, 0.05, 2_000, seed) / mathis(0.01, 0.05) for seed in range(2)]
    assert all(rate < 0.5 or rate > 2 for rate in rates)


def test_four_times_the_loss_is_half_the_rate() -> None:
    rates = [rate_under_loss(share, 0.05, 3_000) for share in (0.008, 0.032)]
    assert 1.5 < rates[0] / rates[1] < 2.7


def test_twice_the_round_trip_is_half_the_rate() -> None:
    rates = [rate_under_loss(0.01, rtt, 3_000) for rtt in (0.05, 0.1)]
    assert rates[0] / rates[1] == pytest.approx(2, rel=0.1)


# -- CUBIC

LONG_GAP = 1_500


def rate_with_losses_apart(gap: int, rtt: float, control: bytes) -> float:
    """Every ``gap``-th packet is lost."""
    losses = [60, *range(gap, 6 * gap, gap)]
    return transfer(5 * gap * MSS, rtt, 0, control, loss=losses).rate(0.75)


def test_on_a_long_fat_pipe_cubic_is_faster_than_newreno() -> None:
    cubic, reno = (rate_with_losses_apart(LONG_GAP, 0.2, name) for name in (b"cubic", b"reno"))
    assert 1.2 < cubic / reno < 3
    assert 0.5 < cubic / cubic_law(1 / LONG_GAP, 0.2) < 2
    assert 0.5 < reno / mathis(1 / LONG_GAP, 0.2) < 2


def test_on_a_short_way_cubic_is_as_fast_as_newreno() -> None:
    """It is never slower than that would be (RFC 9438, 4.3), and its cubic is, there."""
    cubic, reno = (rate_with_losses_apart(400, 0.01, name) for name in (b"cubic", b"reno"))
    assert 0.85 < cubic / reno < 1.5
    assert cubic > 1.5 * cubic_law(1 / 400, 0.01)


def test_the_law_tells_a_cubic_that_does_not_grow(monkeypatch: pytest.MonkeyPatch) -> None:
    class Flat(Cubic):
        def _avoid(self, count: int, now: int, round_trip: int) -> None:
            """It stays where it was cut to."""

    monkeypatch.setitem(congestion.KINDS, b"cubic", Flat)
    assert rate_with_losses_apart(LONG_GAP, 0.2, b"cubic") < 0.5 * cubic_law(1 / LONG_GAP, 0.2)
