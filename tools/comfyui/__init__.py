"""A real ComfyUI for tools and tests: its source, its Python, a server on it, and a client."""
