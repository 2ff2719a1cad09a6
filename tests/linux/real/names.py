"""What the names of a case stand for on the real machine: private ones."""

from __future__ import annotations

import os
import zlib
from typing import Final, final

from tests.linux.oplang import (
    ABSTRACT_PREFIX,
    CASE_DIRECTORY,
    FIRST_KEY,
    Names,
    SocketName,
    Value,
    unspell,
)

KEYS: Final = 0x10000
"""How many keys of System V a case may name."""


@final
class RealNames(Names):
    """``prefix``: what no other case's abstract names and names of IPC begin with."""

    def __init__(self, directory: str, prefix: str) -> None:
        super().__init__(pids={os.getpid(): "init"})
        self._directory = directory
        self._prefix = prefix
        self.of_ipc: set[str] = set()
        """Names of queues, semaphores and shared memory that were told."""

    def value(self, token: str) -> Value:
        if token.startswith("$D"):
            return self._directory + token.removeprefix("$D")
        if token.startswith("$N/"):
            name = f"/{self._prefix}{token.removeprefix('$N/')}"
            self.of_ipc.add(name)
            return name
        if token.startswith("$K"):
            key = zlib.crc32(self._prefix.encode()) * KEYS + int(token.removeprefix("$K"))
            return FIRST_KEY | key % FIRST_KEY
        if token.startswith("@+"):
            return b"\0" + unspell(token.removeprefix("@+"))
        if token.startswith("@"):
            return b"\0" + (self._prefix + token.removeprefix("@")).encode()
        return super().value(token)

    def _address(self, name: SocketName | None) -> str:
        """Told as if it were in the simulated machine's place."""
        if isinstance(name, str):
            name = name.replace(self._directory, CASE_DIRECTORY)
        elif isinstance(name, bytes):
            own = b"\0" + self._prefix.encode()
            if name.startswith(own):
                name = ABSTRACT_PREFIX + name.removeprefix(own)
        return super()._address(name)
