"""Methods and builds crossed, on equal budgets: how it is held, and what came.

From the ground floor up:

``reader``    features of digits, by a network that never saw them
``tasks``     what is learned, and how it is measured
``networks``  a perceptron and a convolution for each role
``methods``   how each is trained, sampled and measured
``search``    who is in it, and the settings that each may choose from
``cost``      what a step costs, in seconds and in operations
``protocol``  a job, its evaluations, what they measure
``results``   the table, read and checked
``verdicts``  the questions, and their answers with intervals
``hold``      run all of it
"""
