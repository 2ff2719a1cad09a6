"""The demos: one short script for each topic of interprocess communication.

Each runs by itself (``python demos/pipe.py``) and as ``asyncipc demo pipe``.
A demo is a module whose docstring begins with its summary; ``main`` is the
simulated program, and ``run(backend, seed)`` shows it and returns an exit
status.
"""

READING_ORDER = ("pipe", "duplex", "bounded", "unclosed", "both_send")
