from __future__ import annotations

import builtins
import os
import subprocess
import sys
from types import SimpleNamespace
from typing import Any

import pytest
from typer.testing import CliRunner, Result

import asyncipc
from asyncipc import cli
from asyncipc.cli import catalog
from asyncipc.cli.app import app
from asyncipc.cli.showing import Stage
from asyncipc.posix import pipe, read


def invoke(*args: str) -> Result:
    return CliRunner().invoke(app, args, prog_name="asyncipc")


def shell(*args: str, code: str = "from asyncipc.cli import main; main()") -> Any:
    return subprocess.run(
        [sys.executable, "-c", code, *args],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path), "PYTHONIOENCODING": "utf-8"},
        capture_output=True,
        encoding="utf-8",
        timeout=30,
        check=False,
    )


def replace_demo(monkeypatch: pytest.MonkeyPatch, run: Any) -> None:
    monkeypatch.setattr(catalog, "load", lambda name: SimpleNamespace(run=run))


def test_without_a_name_the_pipe_runs_and_then_the_list_is_shown() -> None:
    result = invoke("demo")
    assert result.exit_code == 0
    assert '= b"message for parent"  [blocked 0.250 s]' in result.stdout
    listing = result.stdout.partition("More of them")[2]
    assert all(f"  {name} " in listing for name in catalog.names())


def test_a_named_demo_runs_alone() -> None:
    result = invoke("demo", "duplex", "--backend", "asyncio", "--seed", "3")
    assert result.exit_code == 0
    assert "the answer is 42" in result.stdout
    assert "More of them" not in result.stdout


def test_an_unknown_name_is_a_usage_error_that_helps() -> None:
    result = invoke("demo", "pip")
    assert result.exit_code == 2
    assert "There is no demo 'pip'.  Did you mean 'pipe'?" in result.stderr
    assert "duplex" in result.stderr
    assert result.stdout == ""


@pytest.mark.parametrize("wrong", [("--backend", "curio"), ("--seed", "x"), ("--nonsense",)])
def test_a_wrong_option_is_a_usage_error(wrong: tuple[str, ...]) -> None:
    assert invoke("demo", "pipe", *wrong).exit_code == 2


def test_the_source_can_be_read() -> None:
    result = invoke("demo", "pipe", "--source")
    assert result.exit_code == 0
    assert result.stdout == catalog.source("pipe")


def test_the_version_is_shown() -> None:
    result = invoke("--version")
    assert result.exit_code == 0
    assert result.stdout.startswith("asyncipc ")


def test_a_deadlock_has_a_status_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    async def wait_for_oneself() -> None:
        await read(pipe()[0], 1)

    def run(stage: Stage) -> int:
        asyncipc.run(wait_for_oneself, backend=stage.backend, seed=stage.seed)
        return 0

    replace_demo(monkeypatch, run)
    result = invoke("demo", "pipe", "--seed", "5")
    assert result.exit_code == 3
    assert "Deadlock: nobody can run" in result.stderr
    assert result.stderr.endswith("replay: asyncipc demo pipe --backend trio --seed 5\n")


def test_a_failing_demo_shows_its_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    def run(stage: Stage) -> int:
        raise ValueError("it went wrong")

    replace_demo(monkeypatch, run)
    result = invoke("demo", "pipe")
    assert result.exit_code == 1
    assert "ValueError: it went wrong" in result.stderr
    assert result.stderr.endswith("replay: asyncipc demo pipe --backend trio\n")


def test_output_to_a_file_is_plain_text() -> None:
    done = shell("demo")
    assert done.returncode == 0
    assert done.stderr == ""
    assert "\x1b" not in done.stdout
    assert done.stdout.splitlines()[0] == catalog.summary("pipe")
    assert all(line == line.rstrip() for line in done.stdout.splitlines())
    assert max(map(len, done.stdout.splitlines())) <= 80


def test_a_poor_terminal_still_gets_its_demo() -> None:
    ascii_only = "import sys; sys.stdout.reconfigure(encoding='ascii')"
    done = shell("demo", "pipe", code=f"{ascii_only}; from asyncipc.cli import main; main()")
    assert done.returncode == 0
    assert "message for parent" in done.stdout


def test_the_commands_module_is_not_imported_with_the_package() -> None:
    code = "import sys, asyncipc.cli; sys.exit('typer' in sys.modules or 'rich' in sys.modules)"
    assert shell(code=code).returncode == 0


@pytest.mark.parametrize("missing", ["typer", "rich"])
def test_without_its_extras_it_says_what_to_install(
    missing: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    refuse_import(missing, monkeypatch)
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 2
    assert capsys.readouterr().err == "install with: pip install 'asyncipc[cli]'\n"


def test_another_missing_module_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    refuse_import("difflib", monkeypatch)
    with pytest.raises(ModuleNotFoundError, match="difflib"):
        cli.main()


def refuse_import(missing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    real_import = builtins.__import__

    def import_(name: str, *args: Any, **kwargs: Any) -> Any:
        if name.partition(".")[0] == missing:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return real_import(name, *args, **kwargs)

    monkeypatch.delitem(sys.modules, "asyncipc.cli.app")
    monkeypatch.setattr(builtins, "__import__", import_)
