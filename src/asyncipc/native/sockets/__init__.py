"""Sockets of the operating system, of every family and type that is modelled.

Read in this order: ``socket``, ``connecting`` (one call of connect), ``addresses``
(paths below a root), ``options``, ``ancillary`` (descriptors sent along).
"""
