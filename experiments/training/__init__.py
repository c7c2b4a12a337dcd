"""Quality and time of the training of chapter 5: ``make bench``."""
