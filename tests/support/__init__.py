"""Code that the test suites share."""
