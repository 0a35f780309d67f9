"""The small world's networks: plain torch, so that a ComfyUI node can carry a copy of them."""
