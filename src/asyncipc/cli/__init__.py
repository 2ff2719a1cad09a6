"""The command line: ``asyncipc demo``.

It knows the whole house, and nobody may know it.  typer and rich are an
extra, so nothing here imports them before :func:`main` is called, and nothing
outside does at all.

Exit status: 0 all is well, 1 the program failed, 2 the command was wrong,
3 a deadlock.

Read in this order: ``catalog`` (which demos there are), ``showing`` (how they
are shown), ``app`` (the commands).
"""

from __future__ import annotations

import signal
import sys
from typing import Final, NoReturn

EXTRAS: Final = frozenset({"rich", "typer"})


def main() -> NoReturn:
    """Run the command that the shell's arguments name, and exit."""
    try:
        from asyncipc.cli.app import app
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in EXTRAS:
            raise
        print("install with: pip install 'asyncipc[cli]'", file=sys.stderr)
        sys.exit(2)
    _behave_in_a_pipeline()
    app(prog_name="asyncipc")
    sys.exit(0)


def _behave_in_a_pipeline() -> None:
    """Let ``| head`` end us in silence, and no terminal be too poor for a box character."""
    if hasattr(signal, "SIGPIPE"):
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="replace")
