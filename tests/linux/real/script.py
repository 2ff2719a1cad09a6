"""A case of one task, done by its worker in one go: nobody else is there to be looked at.

It gives what the leader would give line by line, at a tenth of the cost.  A
script that sleeps or dies is done again by the leader, who sees where.
"""

from __future__ import annotations

import ctypes
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

from tests.linux.oplang import Identifier, Line, Value, Written, error_name, parse
from tests.linux.real.names import RealNames
from tests.linux.real.operations import OPERATIONS


class Unsupported(Exception):
    """There is no such operation; the name is the simulated machine's."""


def failure(error: Exception) -> str:
    """An exception as an outcome: the name of its errno, or else of its class."""
    if isinstance(error, OSError) and error.errno is not None:
        return error_name(error)
    name = "TypeError" if isinstance(error, ctypes.ArgumentError) else type(error).__name__
    return f"!{name}"


def is_for_one(lines: Sequence[str]) -> bool:
    """Has a case one task, which no line asks anything of but operations?"""
    try:
        parsed = [parse(line) for line in lines]
    except ValueError:
        return False
    return all(line.task == "A" and line.op not in {"fork", "thread", "join"} for line in parsed)


@dataclass
class Report:
    """What a script gave, and what it made that outlives it."""

    outcomes: list[Written]
    made: set[tuple[str, int]]
    """Objects of System V, with the operations that made them."""
    of_ipc: set[str]
    """Names of queues, semaphores and shared memory that were told."""


@final
class Script:
    def __init__(self, names: RealNames) -> None:
        self._names = names
        self._names.pids[os.getpid()] = "A"
        self._made: set[tuple[str, int]] = set()

    def run(self, lines: Sequence[str]) -> Report:
        return Report([self._step(line) for line in lines], self._made, self._names.of_ipc)

    def _step(self, text: str) -> Written:
        try:
            return self._names.write(self._do(parse(text)))
        except Exception as error:
            return failure(error)

    def _do(self, line: Line) -> Value:
        if line.op == "sleep":
            time.sleep(int(line.tokens[0]) / 1000)
            return None
        args, keywords = self._names.arguments(line.tokens)
        some = keywords.get("show") == "some" and bool(keywords.pop("show"))
        outcome = attempted(line.op, args, keywords)
        self._names.bind(line.names, outcome)
        if isinstance(outcome, Identifier):
            self._made.add((line.op, int(outcome)))
        return "some" if some and isinstance(outcome, int) and outcome > 0 else outcome


def attempted(op: str, args: Sequence[Value], keywords: dict[str, Value]) -> Value:
    """The outcome of one operation."""
    try:
        if op not in OPERATIONS:
            raise Unsupported(op)
        outcome: Value = OPERATIONS[op](*args, **keywords)
    except Exception as error:
        return failure(error)
    return outcome
