"""The commands, as typer builds them from functions."""

from __future__ import annotations

import difflib
import enum
import sys
import traceback
from importlib import metadata
from typing import Annotated, Final

import typer
from rich.console import Console

from asyncipc.cli import catalog
from asyncipc.cli.showing import Stage
from asyncipc.errors import Deadlock

OK: Final = 0
FAILED: Final = 1
WRONG_USAGE: Final = 2
DEADLOCK: Final = 3

app: Final = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Pipes, sockets and processes inside one event loop.",
)


class Backend(enum.StrEnum):
    """The event loops."""

    TRIO = "trio"
    ASYNCIO = "asyncio"


class Machine(enum.StrEnum):
    """Whose objects a program uses."""

    SIMULATED = "simulated"
    NATIVE = "native"


class Isolation(enum.StrEnum):
    """What a child is on the native machine."""

    TASK = "task"
    PROCESS = "process"


def print_version(wanted: bool) -> None:
    if wanted:
        print(f"asyncipc {version()}")
        raise typer.Exit


def version() -> str:
    try:
        return metadata.version("asyncipc")
    except metadata.PackageNotFoundError:
        return "(not installed)"


@app.callback()
def options(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=print_version, is_eager=True, help="Show the version and exit."
        ),
    ] = False,
) -> None:
    """Pipes, sockets and processes inside one event loop."""


@app.command()
def demo(
    name: Annotated[
        str | None, typer.Argument(help="Which demo; without one: pipe, then the list.")
    ] = None,
    backend: Annotated[Backend, typer.Option(help="The event loop.")] = Backend.TRIO,
    seed: Annotated[int | None, typer.Option(help="Fix the order of everything.")] = None,
    machine: Annotated[Machine, typer.Option(help="Whose objects.")] = Machine.SIMULATED,
    isolation: Annotated[
        Isolation, typer.Option(help="What a child is on the native machine.")
    ] = Isolation.TASK,
    source: Annotated[bool, typer.Option("--source", help="Show the program instead.")] = False,
) -> None:
    """Run a demo: a small program, its system calls, and what they do."""
    chosen = catalog.names()[0] if name is None else name
    if chosen not in catalog.names():
        refuse(chosen)
    if source:
        print(catalog.source(chosen), end="")
        return
    status = run_demo(chosen, Stage(backend.value, seed, machine.value, isolation.value))
    if status != OK:
        raise typer.Exit(status)
    if name is None:
        list_demos()


def refuse(name: str) -> None:
    """No such demo: say which there are, and which may be meant."""
    names = catalog.names()
    meant = difflib.get_close_matches(name, names, n=1)
    hint = f"  Did you mean {meant[0]!r}?" if meant else ""
    print(f"There is no demo {name!r}.{hint}", file=sys.stderr)
    print(f"The demos: {', '.join(names)}", file=sys.stderr)
    raise typer.Exit(WRONG_USAGE)


def run_demo(name: str, stage: Stage) -> int:
    """Run one demo; its exit status, and how to see a failure again."""
    try:
        status = catalog.load(name).run(stage)
    except Deadlock as verdict:
        print(f"Deadlock: {verdict}", file=sys.stderr)
        status = DEADLOCK
    except Exception:
        traceback.print_exc()
        status = FAILED
    if status != OK:
        print(f"replay: asyncipc demo {name} {options_of(stage)}", file=sys.stderr)
    return status


def options_of(stage: Stage) -> str:
    """The options that ask for a stage."""
    words = [f"--backend {stage.backend}"]
    if stage.seed is not None:
        words.append(f"--seed {stage.seed}")
    if stage.machine != "simulated":
        words.append(f"--machine {stage.machine} --isolation {stage.isolation}")
    return " ".join(words)


def list_demos() -> None:
    """Every demo in a line."""
    console = Console(highlight=False, soft_wrap=True)
    console.print("\n[bold]More of them[/bold]: asyncipc demo NAME (--source shows the program)\n")
    for name in catalog.names():
        console.print(f"  [cyan]{name:<15}[/cyan]  {catalog.summary(name)}")
