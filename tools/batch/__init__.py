"""`dev.py batch`: a file of prompts on several ComfyUI."""
