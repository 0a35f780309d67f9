"""`dev.py registry`: the archive that the Comfy Registry gets."""
