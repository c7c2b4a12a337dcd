"""Every family on one budget: how the contest is held, and what it found.

From the ground floor up:

``tasks``             the two distributions that are learned
``methods``           how each is trained, sampled and measured
``search``            the settings that each may try
``protocol``          a job, its evaluations, what they measure
``results``           the table, intervals and verdicts
``claims``            what is often said, and what was measured
``hold``              run all of it: ``make contest``

and what chapters 6 and 7 make of it:

``sizes``             latents and parameters, read from the modules
``figures``           a function a figure, from the table
``tables``            the tables in Markdown
``facts``             the numbers in the prose, and what is said of them
``game``              chapter 6's figures of the game of two numbers
``families``          chapter 7's figures of VAE and flow
"""
