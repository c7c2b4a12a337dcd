"""Every family on one budget: how the contest is held, and what it found.

From the ground floor up:

``tasks``             the two distributions that are learned
``methods``           how each is trained, sampled and measured
``search``            the settings that each may try
``protocol``          a job, its evaluations, what they measure
``results``           the table, intervals and verdicts
``claims``            what is often said, and what was measured
``hold``              run all of it: ``make contest``
``figures``           the figures of chapters 6 and 7, one function each
"""
