"""Methods and builds crossed, on equal budgets: how it is held, what came out.

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
``shown``     which build stands for a method, and its values
``sizes``     latents and parameters, read from the modules
``figures``   a function a figure, from the table
``claims``    what is often said, and what was measured
``tables``    the verdicts and other tables, in Markdown
``facts``     numbers for prose, and what may be said of them
``collapse``  a generator against a discriminator that stands still
"""
