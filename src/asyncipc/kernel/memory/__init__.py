"""Memory that processes share: the octets behind files and mappings, and mmap(2).

They must never know a path, nor who waits, nor what the octets mean.

``contents`` first (what a file or a segment holds), then ``private_pages``
(copy on write), ``mapping`` (how a process sees a part of the contents),
``address_space`` (all that one process has mapped: fork, exec, exit),
``mmap`` (the call), ``memfd`` (a file without a name, and its seals).
"""
