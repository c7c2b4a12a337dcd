"""Little landscapes with tags, for chapters to come."""
