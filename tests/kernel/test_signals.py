from __future__ import annotations

import signal

import pytest

from asyncipc.kernel.signals import Disposition, Effect, check_number, effect
from tests.kernel.helpers import failure


@pytest.mark.parametrize(
    ("number", "default"),
    [
        (signal.SIGTERM, Effect.TERMINATE),
        (signal.SIGKILL, Effect.TERMINATE),
        (signal.SIGUSR1, Effect.TERMINATE),
        (64, Effect.TERMINATE),
        (signal.SIGSTOP, Effect.STOP),
        (signal.SIGTSTP, Effect.STOP),
        (signal.SIGCONT, Effect.CONTINUE),
        (signal.SIGCHLD, Effect.NOTHING),
        (signal.SIGURG, Effect.NOTHING),
        (signal.SIGWINCH, Effect.NOTHING),
    ],
)
def test_default_effects(number: int, default: Effect) -> None:
    assert effect(number, Disposition.DEFAULT) is default


def test_ignoring_suppresses_all_but_sigcont() -> None:
    assert effect(signal.SIGTERM, Disposition.IGNORE) is Effect.NOTHING
    assert effect(signal.SIGTSTP, Disposition.IGNORE) is Effect.NOTHING
    assert effect(signal.SIGCONT, Disposition.IGNORE) is Effect.CONTINUE


def test_numbers_of_signals() -> None:
    for number in (0, 1, 64):
        check_number(number)
    assert [failure(check_number, number) for number in (-1, 65)] == ["EINVAL", "EINVAL"]
