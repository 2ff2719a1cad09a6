"""What has a path, or is one: files, directories, pipes, FIFOs, and the namespace.

It must never know who waits, nor a socket's inside beyond its verbs.  ``pipe``
first, then ``node`` and ``namespace``, then ``opening``, which joins them with
``fifo``, ``node_file``, ``regular`` (its holes in ``extents``), ``directory`` and ``proc``.  Last
what moves octets between two: ``splice`` and ``sendfile``, over ``slots`` and ``conduit``.
"""
