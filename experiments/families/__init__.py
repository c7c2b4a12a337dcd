"""Chapter 7's live figure: one cloud, carried to the data by each family."""
