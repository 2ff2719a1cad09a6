"""The replay of measured Linux cases, and the replayer itself."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Final, TypeAlias

import pytest

from tests.linux.machine import BackendName, Case
from tests.linux.oplang import Addressed, Names, SocketName, Written, spell, unspell
from tests.linux.replay import HERE, chosen, differences, load, main

Steps: TypeAlias = "list[list[Written]]"
WriteCases: TypeAlias = Callable[..., str]

BACKENDS: Final[tuple[BackendName, ...]] = ("trio", "asyncio")
SCOPES: Final = ("first slice", "message passing", "the stdlib socket", "storage and the rest")
MEASURED: Final = [case for scope in SCOPES for case in chosen(HERE / "observed.json", scope, ())]
MORE: Final = load(HERE / "more.json") + load(HERE / "storage.json")
EXCEPTIONS: Final = {
    "storage.mmap.resize": "mremap(2) is not modelled: a mapping keeps its size",
}
"""Measured cases that cannot pass, and why."""


def replayed(case: Case) -> object:
    """A case as a parameter; an exception that passes all the same fails."""
    reason = EXCEPTIONS.get(case.id)
    marks = [pytest.mark.xfail(strict=True, reason=reason)] if reason else []
    return pytest.param(case, id=case.id, marks=marks)


@pytest.fixture
def write_cases(tmp_path: Path) -> WriteCases:
    """Write a file of cases, given as id=steps; its name."""

    def write(**cases: Steps) -> str:
        file = tmp_path / "cases.json"
        content = [{"id": name, "steps": steps} for name, steps in cases.items()]
        file.write_text(json.dumps({"format": 1, "cases": content}))
        return str(file)

    return write


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("case", [replayed(case) for case in MEASURED + MORE])
def test_simulated_machine_does_what_linux_did(case: Case, backend: BackendName) -> None:
    assert [str(difference) for difference in differences(case, backend)] == []


def test_wrong_expectation_is_reported_with_step_and_both_values(
    write_cases: WriteCases, capsys: pytest.CaptureFixture[str]
) -> None:
    file = write_cases(
        wrong=[["r w = pipe", ["fd", "fd"]], ["fdno w", 9]],
        right=[["fdno 7", 7]],
    )
    status = main([file])
    assert capsys.readouterr().out.splitlines() == [
        "wrong",
        "  step 2: fdno w",
        "  expected: 9",
        "  got:      4",
        "",
        "1 passed, 1 failed",
    ]
    assert status == 1


def test_exit_status_is_zero_when_all_cases_pass(
    write_cases: WriteCases, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([write_cases(one=[["getppid", "%init"]]), "--backend", "asyncio"]) == 0
    assert capsys.readouterr().out == "1 passed, 0 failed\n"


def test_unknown_operation_is_a_difference_and_other_cases_go_on(
    write_cases: WriteCases, capsys: pytest.CaptureFixture[str]
) -> None:
    file = write_cases(
        unknown=[["frobnicate 1 2", "ok"], ["fdno 3", 3]],
        unmodelled=[["close_range 3 9 CLOSE_RANGE_UNSHARE", "ok"]],
        garbled=[["", "ok"], ["join Q", "ok"], ["Q: read 0 1", "''"], ["read nonsense 1", "''"]],
        good=[["fdno 3", 3]],
    )
    assert main([file]) == 1
    output = capsys.readouterr().out
    assert output.count('"!Unsupported"') == 2
    assert output.count('"!BadCase"') == 2
    assert output.endswith("\n1 passed, 3 failed\n")


@pytest.mark.parametrize("backend", BACKENDS)
def test_case_that_kills_its_conductor_fails_and_others_go_on(
    backend: str, write_cases: WriteCases, capsys: pytest.CaptureFixture[str]
) -> None:
    file = write_cases(
        suicide=[["kill -1 SIGKILL", "ok"], ["getpid", "%A"]],
        good=[["fdno 3", 3]],
    )
    assert main([file, "--backend", backend]) == 1
    output = capsys.readouterr().out
    assert '"!Lost"' in output
    assert output.endswith("\n1 passed, 1 failed\n")


def test_prefixes_select_cases(write_cases: WriteCases, capsys: pytest.CaptureFixture[str]) -> None:
    file = write_cases(apple=[["fdno 3", 3]], avocado=[["fdno 3", 3]], pear=[["fdno 3", 0]])
    assert main([file, "app", "av"]) == 0
    assert capsys.readouterr().out == "2 passed, 0 failed\n"


def test_scope_is_read_from_the_folder_of_the_file(
    write_cases: WriteCases, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = write_cases(apple=[["fdno 3", 3]], pear=[["fdno 3", 0]])
    (tmp_path / "scope.json").write_text(json.dumps({"fruit": ["apple"]}))
    assert main([file, "--scope", "fruit"]) == 0
    assert capsys.readouterr().out == "1 passed, 0 failed\n"
    assert main([file, "--scope", "vegetables"]) == 2


@pytest.mark.parametrize("arguments", [["--machine", "else"], ["--scope", "none"], ["zzz"]])
def test_what_cannot_be_replayed_is_refused_in_words(
    arguments: list[str], write_cases: WriteCases, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([write_cases(apple=[["fdno 3", 3]]), *arguments]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err


def test_file_that_holds_no_cases_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "cases.json"
    file.write_text("[]")
    assert main([str(file)]) == 2
    assert "no file of cases" in capsys.readouterr().err


def test_blocked_operation_is_asked_for_later_and_a_dead_task_says_so() -> None:
    case = Case(
        "blocks",
        (
            ("r w = pipe", ["fd", "fd"]),
            ("fork B", "%B"),
            ("B: read r 5", "BLOCK"),
            ("join B", "BLOCK"),
            ("kill %B SIGKILL", "ok"),
            ("join B", "DIED"),
            ("B: read r 5", "!BadCase"),
        ),
    )
    for backend in BACKENDS:
        assert list(differences(case, backend)) == []


@pytest.mark.parametrize(
    "data", [b"", b"text with + and *", b"a" * 41, b"\0\xff" * 3, b"it's", bytes(range(20))]
)
def test_bytes_survive_being_written_and_read(data: bytes) -> None:
    assert unspell(spell(data)) == data


def test_tokens_mean_what_the_op_language_says() -> None:
    names = Names({"r": 3}, {1: "init", 7: "B"})
    assert names.value("-%B") == -7
    assert names.value("[r:POLLIN,4]") == [[3, 1], 4]
    assert names.value("a*2+'b c'+x00*1") == b"aab c\0"
    assert names.value("0o17") == 15
    assert names.value("SIGUSR1") == 10
    assert names.value("POLLIN|POLLOUT") == 5
    assert names.value("-") is None


def test_addresses_mean_what_the_op_language_says() -> None:
    names = Names({"a": Addressed(("127.0.0.1", 40000))})
    assert names.value("$D/x") == "/case/x"
    assert names.value("@x") == b"\0case.x"
    assert names.value("@+'x'+x00*1") == b"\0x\0"
    assert names.value("<broadcast>:9") == ("<broadcast>", 9)
    assert names.value("[::1]:$a") == ("::1", 40000)
    assert names.value("a") == ("127.0.0.1", 40000)


def test_addresses_are_written_by_order_of_appearance() -> None:
    names = Names()
    told: list[tuple[SocketName | None, str]] = [
        (("127.0.0.1", 40000), "127.0.0.1:P1"),
        (("::1", 50000, 0, 0), "[::1]:P2"),
        (("0.0.0.0", 40000), "0.0.0.0:P1"),
        (("127.0.0.1", 9), "127.0.0.1:9"),
        (b"\x0000007", "@auto1"),
        (b"\x0000009", "@auto2"),
        (b"\x0000007", "@auto1"),
        (b"\0case.x", "@x"),
        (b"\0other", "@+'other'"),
        ("/case/x", "$D/x"),
        ("", "unnamed"),
        (None, "none"),
    ]
    assert [names.write(Addressed(name)) for name, _ in told] == [text for _, text in told]
