"""What each demo has to show, on both event loops."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import demos
from asyncipc.cli import catalog


@pytest.fixture(params=[None, 7], ids=["unseeded", "seed 7"])
def shown(
    request: pytest.FixtureRequest, backend: str, capsys: pytest.CaptureFixture[str]
) -> dict[str, str]:
    """The output of every demo."""
    return Shown(backend, request.param, capsys)


class Shown(dict[str, str]):
    def __init__(self, backend: str, seed: int | None, capsys: pytest.CaptureFixture[str]) -> None:
        super().__init__()
        self._how = backend, seed
        self._capsys = capsys

    def __missing__(self, name: str) -> str:
        assert catalog.load(name).run(*self._how) == 0
        output, errors = self._capsys.readouterr()
        assert errors == ""
        return output


def in_order(text: str, *parts: str) -> bool:
    """Do the parts occur in the text, one after the other?"""
    at = 0
    for part in parts:
        at = text.find(part, at) + 1
        if not at:
            pytest.fail(f"not found, or not in order: {part!r} in\n{text}")
    return True


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


@pytest.mark.parametrize("name", demos.READING_ORDER)
def test_the_same_seed_gives_the_same_output(
    name: str, backend: str, capsys: pytest.CaptureFixture[str]
) -> None:
    outputs = set()
    for _ in range(3):
        catalog.load(name).run(backend, 11)
        outputs.add(capsys.readouterr().out)
    assert len(outputs) == 1


@pytest.mark.parametrize("name", demos.READING_ORDER)
def test_a_demo_runs_as_a_script(name: str) -> None:
    script = Path(demos.__path__[0], f"{name}.py")
    done = subprocess.run(
        [sys.executable, script],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path), "PYTHONIOENCODING": "utf-8"},
        capture_output=True,
        encoding="utf-8",
        timeout=30,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(catalog.summary(name))
