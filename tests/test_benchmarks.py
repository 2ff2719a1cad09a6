"""The benchmarks run: tiny counts, one round, no judgement of speed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks import report
from benchmarks.__main__ import main
from benchmarks.case import Case, Comparison, Contender, Limit
from benchmarks.catalogue import cases
from benchmarks.rounds import ratio, sample

TINY = cases(scale=0.005)


@pytest.mark.parametrize("name", TINY)
def test_every_benchmark_measures_each_contender_and_judges_each_bar(name: str) -> None:
    case = TINY[name]
    samples = sample(case, rounds=1)
    judged = list(report.verdicts(case, samples))
    assert list(samples) == [contender.name for contender in case.contenders]
    assert len(judged) == len(case.comparisons) + len(case.limits)
    assert case.work in report.text(case, samples)


def test_every_second_round_runs_in_the_reverse_order() -> None:
    order: list[str] = []

    def contender(name: str) -> Contender:
        def measure() -> float:
            order.append(name)
            return 1.0

        return Contender(name, measure)

    sample(Case("c", "work", "us", (contender("ours"), contender("peer"))), rounds=2)
    assert order == ["ours", "peer", "peer", "ours"]


def test_a_ratio_is_the_median_of_the_ratios_of_each_round() -> None:
    samples = {"ours": [1.0, 2.0, 10.0], "peer": [3.0, 8.0, 20.0]}
    assert ratio(samples, "ours", "peer") == 3.0


def test_a_bar_that_is_missed_is_named_in_the_summary() -> None:
    comparisons = (Comparison("ours", "peer", 2), Comparison("ours", "peer"))
    case = Case("c", "work", "us", (), comparisons, (Limit("ours", 5),))
    judged = list(report.verdicts(case, {"ours": [4.0], "peer": [6.0]}))
    assert [verdict.met for verdict in judged] == [False, None, True]
    assert report.summary(judged).startswith("1 bars met, 1 not met\n  c: ours against peer")


def test_the_command_prints_a_table_and_writes_all_samples(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "figures.json"
    main(["pingpong-asyncio", "--rounds", "2", "--scale", "0.005", "--json", str(file)])
    assert "ping-pong 64 B, asyncio (us, 2 rounds)" in capsys.readouterr().out
    (case,) = json.loads(file.read_text())["cases"]
    assert len(case["samples"]["channels strict"]) == 2


def test_an_unknown_name_is_an_error_that_lists_the_names(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit):
        main(["nonsense"])
    assert "there are pingpong" in capsys.readouterr().err
