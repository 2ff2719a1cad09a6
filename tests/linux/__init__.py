"""What Linux did, measured case by case, and the program that replays it here.

``observed.json`` (the measurements) and ``scope.json`` (which cases a part of
the project must pass) are data; ``more.json``, ``storage.json``, ``tcp.json``
and the ``random.json`` ones have the same format and hold further measurements.  Read
``oplang`` first, then ``task``, ``machine`` and ``replay``; the ``*_ops``
modules are one function per operation.  ``real`` does the same on the kernel
that is there, so that the two can be held against each other.
"""
