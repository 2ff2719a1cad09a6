"""Memory that processes share: the octets behind files and mappings, and mmap(2).

It must never know a path, nor who waits.  ``contents`` first (what a file or a
segment holds), then ``mapping`` (how a process sees a part of it).
"""
