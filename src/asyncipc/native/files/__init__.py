"""Files of the operating system: path names below a root, opening, pipes, regular files, locks.

Read in this order: ``pipe`` (the pattern), ``names``, ``opening`` (a FIFO's, above
all), ``regular``, ``splice``, ``locks``.
"""
