"""Lines to events: the reference that training, detection and the C engine share.

The way of a line, one module each::

    bytes ─lines→ text ─headers→ message ─masks→ masked text ─matching→ event

``preprocess`` holds the rules of a log and their file, ``patterns`` the regular expressions that
mean the same in Python and in PCRE2, ``templates`` mines templates, ``events`` puts the way
together, and ``parsing`` is ``logexport parse``.
"""
