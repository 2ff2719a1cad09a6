"""What the demos of several hosts have to show: the fault, what comes of it, and the cure.

They say it with numbers that dice have made, so most of it is shown with one seed, and
what holds for every seed with two.
"""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

import demos
from asyncipc.cli import catalog
from asyncipc.cli.showing import Backend, Stage
from tests.cli.text import in_order

Show = Callable[..., str]

WIRE = re.compile(
    r"came: (?P<first>.*) …\n"
    r".* │ program: (?P<came>\d+) letters; (?P<missing>\d+) missing, "
    r"(?P<twice>\d+) twice, (?P<late>\d+) late, (?P<damaged>\d+) damaged\n"
    r"(?:.* │     b['\"].*\n)*"
    r".* │ link: (?P<sent>\d+) sent \+ (?P<copied>\d+) copied = (?P<arrived>\d+) arrived "
    r"\+ (?P<lost>\d+) lost\n"
    r".* │ receiver's kernel: (?P<found>\d+) dropped \(damage\)\n"
)


@pytest.fixture
def show(backend: Backend, capsys: pytest.CaptureFixture[str]) -> Show:
    """The output of a demo with a seed."""

    def output_of(name: str, seed: int | None = 7) -> str:
        assert catalog.load(name).run(Stage(backend, seed)) == 0
        output, errors = capsys.readouterr()
        assert errors == ""
        return output

    return output_of


def wires(output: str) -> list[dict[str, int]]:
    """The counts of each part of ``lossy_wire``."""
    found = [match.groupdict(default="0") for match in WIRE.finditer(output)]
    return [{name: int(n) for name, n in one.items() if name != "first"} for one in found]


def test_lossy_wire_delivers_everything_while_it_is_clean(show: Show) -> None:
    output = show("lossy_wire")
    clean = wires(output)[0]
    nothing = ("missing", "twice", "late", "damaged", "copied", "lost", "found")
    assert [clean[name] for name in nothing] == [0] * 7
    assert clean["came"] == clean["sent"] == clean["arrived"] == 250
    assert in_order(output, "came: 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 …")


def test_lossy_wire_loses_doubles_and_reorders_and_checksums_turn_damage_into_loss(
    show: Show,
) -> None:
    bad = wires(show("lossy_wire"))[1]
    assert min(bad["missing"], bad["twice"], bad["late"], bad["lost"], bad["found"]) > 0
    assert bad["damaged"] == 0
    assert bad["came"] == bad["arrived"] - bad["found"]
    assert bad["came"] == 250 - bad["missing"] + bad["twice"]


def test_lossy_wire_without_checksums_hands_on_what_is_damaged(show: Show) -> None:
    output = show("lossy_wire")
    _, checked, unchecked = wires(output)
    assert unchecked["damaged"] == checked["found"] > 0
    assert unchecked["found"] == 0
    assert unchecked["came"] == unchecked["arrived"] == checked["arrived"]
    assert re.search(r"│     b['\"].*[pP].*['\"]\n", output)


@pytest.mark.parametrize("seed", [7, 8])
def test_lossy_wire_counts_every_packet(seed: int, show: Show) -> None:
    for counts in wires(show("lossy_wire", seed)):
        assert counts["sent"] + counts["copied"] == counts["arrived"] + counts["lost"]


def test_stop_and_wait_is_slow_and_a_window_makes_use_of_the_wire(show: Show) -> None:
    rows = re.findall(r"│ +(\d+) +([\d.]+) +([\d.]+) +(\d+) +(\d+)% █*\n", show("stop_and_wait"))
    windows, seconds, _, again, share = zip(*rows, strict=True)
    assert windows == ("1", "2", "4", "8", "16", "32")
    taken = [float(took) for took in seconds]
    assert taken == sorted(taken, reverse=True)
    assert taken[0] > 100 * 0.08  # a round trip for each letter
    assert all(int(number) > 0 for number in again)
    assert int(share[0]) < 10 < 40 < int(share[-1])


@pytest.mark.parametrize("seed", [7, 8])
def test_thirty_percent_delivers_all_and_the_picture_shows_what_was_sent_again(
    seed: int, show: Show
) -> None:
    output = show("thirty_percent", seed)
    assert "sent 24000 bytes, received 24000: the same\n" in output
    told = re.search(r"(\d+) segments with data, (\d+) lost, (\d+) sent again\n", output)
    assert told is not None
    sent, lost, again = map(int, told.groups())
    assert sent - again == 17  # of 1448 bytes
    assert again >= lost > 0
    picture = output.partition("     time │ 0 ")[2]
    assert all(mark in picture for mark in "█x▒┃")
    assert max(map(len, picture.splitlines())) <= 80


def test_one_way_cut_lets_one_side_give_up_a_connection_that_the_other_waits_on(
    show: Show,
) -> None:
    assert in_order(
        show("one_way_cut"),
        "│ A: news 4\n",
        "── what A sends does not arrive any more\n",
        "│ A: news 5\n",  # its acknowledgement is lost
        " 14.118 s │ B: news 15: Connection timed out\n",  # ten seconds later
        " 16.155 s │ A: no news for 12 seconds, and no error.",
        "── it does again\n",
        "│ A: Connection reset by peer\n",
        "dropped (cut), 0 in flight\n",
    )


@pytest.mark.parametrize("seed", [7, None])
def test_one_way_cut_divides_two_hearts_until_each_says_whether_it_hears(
    seed: int | None, show: Show
) -> None:
    assert in_order(
        show("one_way_cut", seed),
        "Both send a heartbeat",
        "A: B is alive    B: A is alive\n",
        "── what A sends",
        "A: B is alive    B: A is dead\n",
        "── it does again\n",
        "A: B is alive    B: A is alive\n",
        "whether the other is heard",
        "A: B is alive    B: A is alive\n",
        "── what A sends",
        "A: B is deaf     B: A is dead\n",
        "── it does again\n",
        "A: B is alive    B: A is alive\n",
    )


@pytest.mark.parametrize("seed", [7, None])
def test_split_brain_has_two_leaders_and_with_majorities_one(seed: int | None, show: Show) -> None:
    first, second = show("split_brain", seed).split("Who hears a majority may lead:")
    assert in_order(
        first,
        "follows     1  1  1  1  1    1 leads\n",
        "── 1 and 2 are cut off",
        "follows     1  1  3  3  3    1 and 3 lead, TWO LEADERS\n",
        "── the cut is healed\n",
        "follows     1  1  1  1  1    1 leads\n",
    )
    assert in_order(
        second,
        "follows     1  1  1  1  1    1 leads\n",
        "── 1 and 2 are cut off",
        "nobody leads\n",
        "follows     -  -  3  3  3    3 leads\n",
        "── the cut is healed\n",
        "follows     1  1  1  1  1    1 leads\n",
    )
    assert "TWO LEADERS" not in second


@pytest.mark.parametrize("seed", [7, None])
def test_crashing_server_books_twice_for_who_asks_again_unless_it_knows_the_order(
    seed: int | None, show: Show
) -> None:
    assert in_order(
        show("crashing_server", seed),
        "3.3 s to 4.95 s: crash server\n",
        "The client asks once:",
        "order 3, attempt 1: no answer.  FAILED, or was it?\n",
        "order 4, attempt 1: no answer.  FAILED, or was it?\n",
        "  4.950 s │ the server starts\n",
        "│ answered: 1 2 5 6\n",
        "│ booked:   1 2 3 5 6\n",
        "The client asks again:",
        "order 3, attempt 2: no answer; once more in ",
        "order 3, attempt 3: booked\n",
        "│ answered: 1 2 3 4 5 6\n",
        "│ booked:   1 2 3 3 4 5 6\n",
        "and the server knows what it has booked:",
        "order 3, attempt 3: booked\n",
        "│ answered: 1 2 3 4 5 6\n",
        "│ booked:   1 2 3 4 5 6\n",
    )


@pytest.mark.parametrize("name", demos.NETWORK)
def test_another_seed_is_another_run(name: str, show: Show) -> None:
    assert show(name, 7) != show(name, 8)


@pytest.mark.parametrize("name", demos.NETWORK)
def test_what_a_demo_of_the_network_shows_fits_into_eighty_columns(name: str, show: Show) -> None:
    lines = show(name).splitlines()
    assert all(line == line.rstrip() for line in lines)
    assert [line for line in lines if len(line) > 80] == []
