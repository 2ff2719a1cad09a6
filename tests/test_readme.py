"""The README's programs run, and print what the README says."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

README = Path(__file__).parents[1] / "README.md"
BLOCK = re.compile(r"```(\w+)\n(.*?)```", re.DOTALL)


def programs() -> list[tuple[str, str]]:
    """Each python block, with the text block that follows it, if one does."""
    blocks = BLOCK.findall(README.read_text(encoding="utf-8"))
    found = []
    for (kind, text), (next_kind, next_text) in zip(blocks, [*blocks[1:], ("", "")], strict=True):
        if kind == "python":
            found.append((text, next_text if next_kind == "text" else ""))
    return found


@pytest.mark.parametrize(("program", "output"), programs())
def test_a_program_of_the_readme_prints_what_it_says(
    program: str, output: str, tmp_path: Path
) -> None:
    script = tmp_path / "program.py"
    script.write_text(program, encoding="utf-8")
    run = subprocess.run(
        [sys.executable, "-W", "error", script], capture_output=True, text=True, check=False
    )
    assert (run.stdout, run.stderr, run.returncode) == (output, "", 0)


def test_the_deadlock_of_the_readme_is_the_one_that_its_program_makes(tmp_path: Path) -> None:
    program = programs()[0][0].replace("    close(w)\n", "")
    script = tmp_path / "chapter.py"
    script.write_text(program, encoding="utf-8")
    run = subprocess.run([sys.executable, script], capture_output=True, text=True, check=False)
    shown = BLOCK.findall(README.read_text(encoding="utf-8"))
    report = next(text for kind, text in shown if kind == "text" and "Deadlock" in text)
    for line in report.splitlines()[1:]:
        assert line.split("  at")[0].split("chapter.py")[0].rstrip() in run.stderr
