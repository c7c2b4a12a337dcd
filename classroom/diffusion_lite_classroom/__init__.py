"""Grade a class: ``python -m diffusion_lite_classroom SUBMISSIONS``.

A notebook runs in a process of its own (``worker``), shut in by bubblewrap
(``sandbox``). The checks stay outside (``examine``): they call the functions
that the notebook hands in over a pipe (``wire``, ``remote``). ``grade`` does
so for a whole class, and ``report`` writes the table and the pages.
"""
