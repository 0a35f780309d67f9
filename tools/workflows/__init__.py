"""The shipped workflows, written from code."""
