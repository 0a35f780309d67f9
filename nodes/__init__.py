"""The nodes of InstantID Compose."""

from comfy_api.latest import ComfyExtension, io

from .apply import Apply, ApplyAdapter, ApplyIdentityNet
from .faces import AnalyzeFaces, DrawKeypoints, EmbedIdentity
from .host.paths import register_model_folders
from .loaders import LoadAdapter, LoadFaceAnalyzer

NODES: list[type[io.ComfyNode]] = [
    Apply,
    LoadFaceAnalyzer,
    LoadAdapter,
    AnalyzeFaces,
    EmbedIdentity,
    DrawKeypoints,
    ApplyAdapter,
    ApplyIdentityNet,
]
"""In the order in which the node library lists them."""


class InstantIDCompose(ComfyExtension):
    """What ComfyUI loads."""

    async def on_load(self) -> None:
        register_model_folders()

    async def get_node_list(self) -> list[type[io.ComfyNode]]:
        return NODES
