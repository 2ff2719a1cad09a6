"""Signals: signal(7).

``disposition`` (numbers, defaults, what a process asks for), ``state``
(pending, masks), ``delivery`` (who gets one, and what it does), ``wait``, and
``io`` (SIGIO).  It must never run a handler: that is the runtime's part.
"""
