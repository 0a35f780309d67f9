"""`dev.py demo`: a picture from one face photo."""
