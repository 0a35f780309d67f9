"""`dev.py batch`: runs a file of prompts on several ComfyUI instances."""
