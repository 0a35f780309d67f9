"""Names of the small models with random weights, and of the node that gives their base model.

Standard library only.
"""

CHECKPOINT_NODE = "SmallSDXLCheckpoint"
ADAPTER_FILE = "instantid_small.safetensors"
CONTROLNET_FILE = "instantid_small.safetensors"
"""IdentityNet; its folder is another one than the adapter's."""
PLAIN_CONTROLNET_FILE = "depth_small.safetensors"
"""A ControlNet that sees text, for chains."""
LORA_FILE = "style_small.safetensors"
