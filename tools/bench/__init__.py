"""`dev.py bench`: speed and memory as ratios to the usual implementation."""
