"""`dev.py evaluate`: measures likeness, text and pose, and writes one page."""
