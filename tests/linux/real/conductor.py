"""The door to the real kernel: what each step of a case gives there.

``outcomes(case)`` is the counterpart of ``tests.linux.machine.outcomes``; who
runs many cases keeps a ``RealKernel``, or just goes on calling ``outcomes``,
which keeps one.
"""

from __future__ import annotations

import atexit
import contextlib
import math
import os
import select
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Final, Self, cast, final

from tests.linux.machine import LOST, Case
from tests.linux.oplang import Written
from tests.linux.real.init import receive, send
from tests.linux.real.leader import LOOK_S

ROOT: Final = Path(__file__).parents[3]
PATIENCE_S: Final = 0.03
"""How long a task is seen asleep before it counts as blocked; less will do if nothing is timed."""
STEP_LIMIT_S: Final = 25.0
"""A case that has not answered after so long a step is given up."""
GRACE_S: Final = 5.0
"""How long it may take to end by itself."""


@final
class RealKernel:
    """A small process that leads cases, kept for many of them."""

    def __init__(self, patience_s: float = PATIENCE_S) -> None:
        self.patience_s = patience_s
        self.isolated = False
        """Has it namespaces of its own?  Without them some cases are not safe to run."""
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self._start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def outcomes(self, case: Case, patience_s: float | None = None) -> list[Written]:
        """What each step gives; all ``!Lost`` if whoever leads the case was lost."""
        patience_s = self.patience_s if patience_s is None else patience_s
        process = self._process or self._start()
        lines = [line for line, _ in case.steps]
        order = lines, max(math.ceil(patience_s / LOOK_S), 1)
        try:
            send(cast("BinaryIO", process.stdin), order)
            answer = self._answer(process, STEP_LIMIT_S * (len(lines) + 1))
        except BrokenPipeError:
            answer = None
        if isinstance(answer, list):
            return answer
        self.close()
        return [LOST] * len(lines)

    def close(self) -> None:
        """End it, and with it whatever it has started."""
        process, self._process = self._process, None
        if process is None:
            return
        for stream in (process.stdin, process.stdout):
            assert stream is not None
            with contextlib.suppress(BrokenPipeError):
                stream.close()
        process.terminate()
        try:
            process.wait(GRACE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def _start(self) -> subprocess.Popen[bytes]:
        path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
        process = self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.linux.real.init"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=os.environ | {"PYTHONPATH": path},
        )
        hello = self._answer(process, STEP_LIMIT_S)
        if not isinstance(hello, bool):
            self.close()
            raise RuntimeError("the real kernel's conductor did not start")
        self.isolated = hello
        return process

    def _answer(self, process: subprocess.Popen[bytes], limit_s: float) -> object:
        stream = cast("BinaryIO", process.stdout)
        if not select.select([stream], [], [], limit_s)[0]:
            return None
        return receive(stream)


_kept: dict[int, RealKernel] = {}
"""The one of this process; a forked child starts its own."""


def outcomes(case: Case, patience_s: float = PATIENCE_S) -> list[Written]:
    """What each step of a case gives on the real kernel."""
    kernel = _kept.get(os.getpid())
    if kernel is None:
        kernel = _kept[os.getpid()] = RealKernel()
        atexit.register(kernel.close)
    return kernel.outcomes(case, patience_s)
