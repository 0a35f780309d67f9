"""`dev.py evaluate`: likeness, text and pose, measured on one page."""
