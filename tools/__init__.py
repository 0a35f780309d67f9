"""Commands that people run from a checkout, and what they share."""
