"""A small world of painted faces, and InstantID trained in it as its paper trains."""
