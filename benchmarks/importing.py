"""Import: CPU time of ``import asyncipc`` in a fresh interpreter."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import asyncipc
from benchmarks.case import Case, Comparison, Contender, scaled

RUNS = 3
AT_MOST = 1.3
"""``import asyncipc`` / ``import trio``: 30 % more."""

PROGRAM = """
import time
start = time.process_time()
import {module}
print(time.process_time() - start)
"""


def _milliseconds(module: str, runs: int) -> float:
    """The least of a few runs, over a bare interpreter, bytecode at hand for all."""
    home = str(Path(asyncipc.__file__).parents[1])
    cache = str(Path(tempfile.gettempdir()) / f"asyncipc-benchmarks-{os.getuid()}")
    environment = {**os.environ, "PYTHONPATH": home, "PYTHONPYCACHEPREFIX": cache}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    command = [sys.executable, "-c", PROGRAM.format(module=module)]

    def once() -> float:
        run = subprocess.run(command, env=environment, capture_output=True, check=True)
        return float(run.stdout)

    once()  # writes the bytecode
    return min(once() for _ in range(runs)) * 1e3


def case(scale: float = 1.0) -> Case:
    """What asyncipc adds to trio, which it needs."""
    runs = min(RUNS, scaled(RUNS, scale))
    return Case(
        "import",
        "import time",
        "ms",
        (
            Contender("import asyncipc", lambda: _milliseconds("asyncipc", runs)),
            Contender("import trio", lambda: _milliseconds("trio", runs)),
            Contender("import trio, anyio", lambda: _milliseconds("trio, anyio", runs)),
        ),
        (
            Comparison("import asyncipc", "import trio", 1 / AT_MOST),
            Comparison("import asyncipc", "import trio, anyio"),
        ),
    )
