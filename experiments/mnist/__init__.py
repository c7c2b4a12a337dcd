"""Chapter 5's 28x28 digits: the training, the table, the weights."""
