"""How few passes are enough: solvers and students, measured."""
