"""What holds for every demo."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import demos
from asyncipc.cli import catalog
from asyncipc.cli.showing import Backend, Stage


@pytest.mark.parametrize("name", demos.READING_ORDER)
def test_the_same_seed_gives_the_same_output(
    name: str, backend: Backend, capsys: pytest.CaptureFixture[str]
) -> None:
    outputs = set()
    for _ in range(3):
        catalog.load(name).run(Stage(backend, 11))
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
