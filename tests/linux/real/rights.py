"""What a case needs that this machine, or whoever runs it, may not have."""

from __future__ import annotations

import os
import platform
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from tests.linux.machine import Case
from tests.linux.oplang import Line, parse
from tests.linux.real.machine_code import AVAILABLE

SIGNALLING: Final = frozenset({"kill", "killpg", "sigqueue", "pidfd_open"})
"""Operations that choose a process by the first token."""
OWN_TARGET: Final = re.compile(r"-?%\w+|0")
"""Tokens that mean processes of the case."""


def why_not_here() -> str | None:
    """Why no case can run on the real kernel; None if it can."""
    return None if sys.platform == "linux" else f"needs Linux, this is {sys.platform}"


def why_not(case: Case, isolated: bool) -> str | None:
    """Why a case cannot run on the real kernel as we may use it; None if it can."""
    for need in case.needs:
        lacking = _lacking(need, isolated)
        if lacking:
            return lacking
    lines = _parsed([text for text, _ in case.steps])
    if not AVAILABLE and any(line.op == "chandle" for line in lines):
        return "needs a handler in machine code, which is written for x86-64"
    if not isolated and any(_reaches_out(line) for line in lines):
        return "needs a PID namespace (CAP_SYS_ADMIN): it signals processes by their numbers"
    return None


def _lacking(need: str, isolated: bool) -> str | None:
    if need == "root" and not (isolated and os.getuid() == 0):
        return "needs root, with CAP_SYS_ADMIN"
    if need == "ipv6" and not Path("/proc/net/if_inet6").exists():
        return "needs IPv6"
    if need == "racy":
        return "its outcome is a race"
    if need.startswith("linux-"):
        wanted, running = _version(need), _version(platform.release())
        return f"needs Linux {wanted[0]}.{wanted[1]}" if running < wanted else None
    return None


def _version(text: str) -> tuple[int, int]:
    major, minor = re.findall(r"\d+", text)[:2]
    return int(major), int(minor)


def _parsed(texts: Sequence[str]) -> list[Line]:
    lines = []
    for text in texts:
        try:
            lines.append(parse(text))
        except ValueError:
            continue
    return lines


def _reaches_out(line: Line) -> bool:
    """Could a signal go to a process that is none of the case's?"""
    if line.op == "fcntl":
        return "F_SETOWN" in line.tokens and not OWN_TARGET.fullmatch(line.tokens[-1])
    if line.op not in SIGNALLING or not line.tokens:
        return False
    harmless = len(line.tokens) > 1 and line.tokens[1] == "0" and line.op != "pidfd_open"
    return not harmless and not OWN_TARGET.fullmatch(line.tokens[0])
