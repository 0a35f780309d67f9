"""`dev.py bench`: measures speed and memory, relative to a baseline."""
