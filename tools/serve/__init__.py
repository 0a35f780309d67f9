"""`dev.py serve`: ComfyUI with the pack and the small models, until Ctrl-C."""
