"""The letter: what a parent gives its child to read, and what the child leaves behind.

It is a file in memory that both hold, memfd_create(2): it takes any size at
once, so nobody waits for the other.  The child finds in it what it is to run
and inherits; if it fails, it leaves its exception there, which the parent
reads once it has ended.
"""

from __future__ import annotations

import os
import pickle
import traceback
from typing import final


@final
class Letter:
    """``number``: its descriptor, which the holder of the letter closes."""

    __slots__ = ("number",)

    def __init__(self, number: int) -> None:
        self.number = number

    @classmethod
    def written(cls, text: bytes) -> Letter:
        letter = cls(os.memfd_create("asyncipc letter"))
        try:
            letter._write(text)
        except BaseException:
            letter.close()
            raise
        return letter

    def _write(self, text: bytes) -> None:
        done = 0
        while done < len(text):
            done += os.pwrite(self.number, text[done:], done)

    def _read(self) -> bytes:
        return os.pread(self.number, os.fstat(self.number).st_size, 0)

    def open(self) -> bytes:
        """The child's: its text, which is gone from now on."""
        text = self._read()
        os.ftruncate(self.number, 0)
        return text

    def report(self, error: BaseException) -> None:
        """The child's last words: what it has failed with."""
        self._write(_pickled(error))

    def last_words(self) -> BaseException | None:
        """What the child has failed with; None if it has not said.

        Ask when it has ended.  The traceback, which stays in the other
        interpreter, is a note.  What cannot be sent is a RuntimeError here.
        """
        text = self._read()
        if not text:
            return None
        try:
            pickled, summary, trace = pickle.loads(text)
        except Exception:  # it was killed before it had written it all, or at all
            return None
        error = _unpickled(pickled) or RuntimeError(summary)
        error.add_note(f"in another interpreter:\n{trace}")
        return error

    def close(self) -> None:
        number, self.number = self.number, -1
        os.close(number)


def _pickled(error: BaseException) -> bytes:
    trace = "".join(traceback.format_exception(error)).rstrip()
    summary = "".join(traceback.format_exception_only(error)).rstrip()
    try:
        pickled = pickle.dumps(error)
        pickle.loads(pickled)  # it may need more arguments than it has kept
    except Exception:
        pickled = b""
    return pickle.dumps((pickled, summary, trace))


def _unpickled(pickled: bytes) -> BaseException | None:
    try:
        error = pickle.loads(pickled) if pickled else None
    except Exception:  # its class is known in the other interpreter only
        return None
    return error if isinstance(error, BaseException) else None
