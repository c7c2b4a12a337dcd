"""What students are likely to get wrong, a module an exercise.

Each public function of ``mistakes/posterior_1.py`` is a wrong answer to
posterior-1, written as a student would write it; the likely ones come first.
Its docstring is what the student is told. "It looks like ..." is told where
an answer returns what the function returns: the check calls it, and needs no
second formula. Any other docstring is a part of what the check says itself,
of a shape, an error, a property. The checks, their tests and the teacher's
book all read the mistakes here.
"""
