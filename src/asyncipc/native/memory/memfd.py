"""memfd_create(2) of the operating system: a file without a name."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from asyncipc.kernel.memory.memfd import MFD_CLOEXEC, MFD_HUGETLB, O_LARGEFILE
from asyncipc.kernel.openfile import O_RDWR
from asyncipc.native.files.regular import NativeRegular
from asyncipc.native.refusal import refuse

if TYPE_CHECKING:
    from asyncipc.kernel.openfile import Home


def memfd_create(home: Home, name: bytes, flags: int) -> NativeRegular:
    """The open file.  EINVAL, and whatever else the operating system says."""
    if not hasattr(os, "memfd_create"):
        refuse("memfd_create(2)", "only Linux has it")
    if flags & MFD_HUGETLB:
        refuse("MFD_HUGETLB")
    number = os.memfd_create(os.fsdecode(name), flags | MFD_CLOEXEC)
    return NativeRegular(home, number, O_RDWR | O_LARGEFILE)
