"""A checkpoint loader for tests and the demo: SDXL's topology, small, with random weights."""

from __future__ import annotations

from comfy_api.latest import ComfyExtension, io


class SmallSDXLCheckpoint(io.ComfyNode):
    """Stands in for the core node Load Checkpoint, with its outputs in its order."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="SmallSDXLCheckpoint",
            display_name="Small SDXL Checkpoint (for tests)",
            category="InstantID/tests",
            inputs=[],
            outputs=[io.Model.Output(), io.Clip.Output(), io.Vae.Output()],
        )

    @classmethod
    def execute(cls) -> io.NodeOutput:
        from .small_sdxl import POOLED_WIDTH, SmallConfig, small_unet
        from .stand_ins import ColourVAE, WordEncoder

        config = SmallConfig()
        encoder = WordEncoder(config.context_dim, POOLED_WIDTH)
        return io.NodeOutput(small_unet(config), encoder, ColourVAE())


class SmallModels(ComfyExtension):
    async def get_node_list(self) -> list[type[io.ComfyNode]]:
        return [SmallSDXLCheckpoint]


async def comfy_entrypoint() -> ComfyExtension:
    return SmallModels()
