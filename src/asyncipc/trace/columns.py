"""Columns: rows of text under their headings, as the tools of Linux lay them out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def columns(heads: Sequence[str], rows: Iterable[Sequence[str]], right: str = "") -> str:
    """A table; the headings named in ``right`` (with spaces between) stand to the right.

    The last column is as wide as it likes.
    """
    everything = [list(heads), *(list(row) for row in rows)]
    widths = [max(map(len, column)) for column in zip(*everything, strict=True)]
    to_the_right = [head in right.split(" ") for head in heads]
    lines = (
        " ".join(
            cell.rjust(width) if rightward else cell.ljust(width)
            for cell, width, rightward in zip(row, widths, to_the_right, strict=True)
        ).rstrip()
        for row in everything
    )
    return "".join(f"{line}\n" for line in lines)


def user(uid: int) -> str:
    """The name of a user: root, or the number, since there is no list of them."""
    return "root" if uid == 0 else str(uid)
