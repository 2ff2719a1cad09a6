from __future__ import annotations

from collections.abc import Callable
from typing import Any

from asyncipc.events import Wire
from asyncipc.posix import write
from asyncipc.trace.transcript import Transcript


async def speak() -> None:
    await write(1, b"one line\nand another\n")


def test_output_stands_between_the_calls(run: Callable[..., Any]) -> None:
    lines: list[str] = []
    transcript = Transcript(lines.append)
    run(speak, observers=[transcript], console=transcript.output)
    assert lines[:4] == [
        "  0.000 s │ pid 2  --- born of pid 1 ---",
        "   output │ one line",
        "   output │ and another",
        '  0.000 s │ pid 2  write(1, b"one line\\nand another\\n") = 21',
    ]


def test_bytes_that_are_no_text_do_not_disturb() -> None:
    lines: list[str] = []
    Transcript(lines.append).output(b"\xff\n")
    assert lines == ["   output │ \N{REPLACEMENT CHARACTER}"]


def test_the_wire_is_left_out() -> None:
    lines: list[str] = []
    Transcript(lines.append)(Wire(1, 0, "localhost", 2, "pipe:[2]", "pipe:[2]", 18))
    assert lines == []
