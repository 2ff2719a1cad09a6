from __future__ import annotations

from asyncipc.trace.wiring import LANES_MAX, Row, draw, lay_lanes


def drawn(*rows: Row, names: str = "ABCDEF") -> list[str]:
    return list(draw(rows, list(names)))


def test_a_row_alone_leads_straight_to_its_name() -> None:
    assert drawn(Row("3", 0)) == ["3 ──▶ A"]


def test_rows_that_share_a_thing_share_a_lane() -> None:
    assert drawn(Row("0", 0), Row("1", 0), Row("2", 0)) == ["0 ──┐", "1 ──┤", "2 ──┴─▶ A"]


def test_lanes_cross_without_touching() -> None:
    rows = Row("3", 0), Row("4", 1), Row("3", 0), Row("4", 1)
    assert drawn(*rows) == ["3 ──┐", "4 ──│─┐", "3 ──┴─│─▶ A", "4 ────┴─▶ B"]


def test_a_lane_is_used_again_below_its_end() -> None:
    rows = Row("3", 0), Row("4", 0), Row("5", 1), Row("6", 1)
    assert [lane.column for lane in lay_lanes(rows).values()] == [0, 0]


def test_a_caption_lets_lanes_pass() -> None:
    rows = Row("0", 0), Row("pid 3"), Row("0", 0)
    assert drawn(*rows) == ["0 ──────┐", "pid 3   │", "0 ──────┴─▶ A"]


def test_a_caption_alone_has_nothing_behind_it() -> None:
    assert drawn(Row("pid 3")) == ["pid 3"]


def test_too_many_lanes_are_not_drawn_at_all() -> None:
    count = LANES_MAX + 1
    rows = [Row(str(target), target) for target in [*range(count), *range(count)]]
    lines = list(draw(rows, [f"thing {index}" for index in range(count)]))
    assert lines[0] == "0 ───▶ thing 0"
    assert lines[count] == "0 ───▶ thing 0"
