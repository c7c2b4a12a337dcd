"""The network of chapter 4's live figure, and what its parts contribute."""
