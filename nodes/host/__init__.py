"""The only place that knows ComfyUI's Python modules."""
