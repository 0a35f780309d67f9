"""Checkpoint loaders for tests and the demo: a small random SDXL, and the trained small world."""

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


class SmallWorldCheckpoint(io.ComfyNode):
    """Loads the trained small world, with the outputs of Load Checkpoint in their order."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        import folder_paths

        return io.Schema(
            node_id="SmallWorldCheckpoint",
            display_name="Small World Checkpoint (for tests)",
            category="InstantID/tests",
            inputs=[
                io.Combo.Input("ckpt_name", options=folder_paths.get_filename_list("checkpoints"))
            ],
            outputs=[io.Model.Output(), io.Clip.Output(), io.Vae.Output()],
        )

    @classmethod
    def execute(cls, ckpt_name: str) -> io.NodeOutput:
        import folder_paths

        from .trained import load_small_world

        path = folder_paths.get_full_path_or_raise("checkpoints", ckpt_name)
        return io.NodeOutput(*load_small_world(path))


class SmallModels(ComfyExtension):
    async def get_node_list(self) -> list[type[io.ComfyNode]]:
        return [SmallSDXLCheckpoint, SmallWorldCheckpoint]


async def comfy_entrypoint() -> ComfyExtension:
    return SmallModels()
