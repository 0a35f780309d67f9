"""Screenshots of nodes for the help pages, and thumbnails of workflows."""
