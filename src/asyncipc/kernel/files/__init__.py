"""What has a path, or is one: pipes, FIFOs, and the namespace.

It must never know a socket's inside, nor who waits.  ``pipe`` first, then
``node`` and ``namespace``, then ``fifo``, which joins them.
"""
