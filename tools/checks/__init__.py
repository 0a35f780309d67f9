"""`dev.py test`: lint, types and the test suites."""
