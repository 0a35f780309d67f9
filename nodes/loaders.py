"""Nodes that load models."""

from __future__ import annotations

from comfy_api.latest import io

from ..instantid_core.adapter import FROM_FILE, RECOGNISERS, TRAINED
from ..instantid_core.faces import BASE_MODELS, FaceAnalyzer
from ..instantid_core.libraries import AUTO, CHOICES
from ..instantid_core.models import MODEL_PACK, PACKS, find_models
from . import sockets
from .host import models, paths
from .host.on_screen import without_folders
from .inputs import CATEGORY, PARTS


class LoadFaceAnalyzer(io.ComfyNode):
    """Opens the face detector and the face recogniser."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="InstantIDLoadFaceAnalyzer",
            display_name="InstantID Load Face Analyzer",
            category=PARTS,
            description="Loads the two antelopev2 models: the face detector and the face "
            "recogniser. For IP-Adapter FaceID, those of buffalo_l.",
            search_aliases=["insightface", "antelopev2", "face analysis", "InstantID", "faceid"],
            inputs=_face_models(),
            outputs=[_analyzer()],
        )

    @classmethod
    def fingerprint_inputs(
        cls,
        model_pack: str | None = None,
        provider: str | None = None,
        base_model: str | None = None,
    ) -> str:
        return paths.face_models_state(model_pack)

    @classmethod
    def execute(
        cls, model_pack: str, provider: str, base_model: str = BASE_MODELS[0]
    ) -> io.NodeOutput:
        files = find_models(paths.face_model_roots(), model_pack)
        return io.NodeOutput(FaceAnalyzer(files, provider, base_model))


def _face_models() -> list[io.Input]:
    return [
        io.Combo.Input(
            "model_pack",
            options=list(PACKS),
            default=MODEL_PACK,
            tooltip="Folder in models/insightface/models. Every adapter wants the recogniser that "
            "it was trained on: antelopev2 for InstantID, buffalo_l for IP-Adapter FaceID. An "
            "identity of the other one is refused, as the likeness would be lost.",
        ),
        io.Combo.Input(
            "provider",
            options=list(CHOICES),
            default=AUTO,
            tooltip="Device on which the face models run. auto: CUDA, MIGraphX or DirectML where "
            "it works, otherwise the CPU, which takes about 0.2 seconds per photo and no GPU "
            "memory. If the chosen device does not work, the CPU is used and a warning is shown.",
        ),
        io.Combo.Input(
            "base_model",
            options=list(BASE_MODELS),
            default=BASE_MODELS[0],
            optional=True,
            tooltip="Base model of the InstantID adapter. The SD 1.5 adapter was trained on "
            "embeddings of faces with red and blue swapped and needs the same here. Of no effect "
            "with buffalo_l.",
        ),
    ]


def _analyzer() -> io.Output:
    return sockets.Analyzer.Output(
        display_name="analyzer",
        tooltip="The face models, for InstantID Analyze Faces and InstantID.",
    )


def _adapter_name() -> io.Combo.Input:
    return io.Combo.Input(
        "adapter_name",
        options=paths.adapter_choices(),
        tooltip="File in models/instantid: the published ip-adapter.bin, an IP-Adapter FaceID, or "
        "the same weights as safetensors.",
    )


def _adapter() -> io.Output:
    return sockets.Adapter.Output(
        display_name="adapter", tooltip="The adapter, for the Apply nodes."
    )


def adapter_answer(name: str | None) -> bool | str:
    """The host's answer on an adapter's name: True, or why there is no such file. None for a name
    that a wire brings, which is not known yet."""
    reason = None if name is None else paths.explain_adapter(name)
    return without_folders(reason) if reason else True


class LoadModels(io.ComfyNode):
    """Loads everything that the method needs beside a checkpoint."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="InstantIDLoadModels",
            display_name="InstantID Load Models",
            category=CATEGORY,
            description="Loads the image adapter, IdentityNet and the face models in one node.",
            search_aliases=["InstantID", "unified loader", "ip-adapter", "antelopev2", "faceid"],
            inputs=[
                _adapter_name(),
                io.Combo.Input(
                    "control_net_name",
                    options=paths.identity_net_choices(),
                    tooltip="IdentityNet, InstantID's ControlNet: a file in models/controlnet. "
                    "Get InstantID models puts it into the folder instantid.",
                ),
                *_face_models(),
            ],
            outputs=[
                _adapter(),
                io.ControlNet.Output(
                    display_name="control_net", tooltip="IdentityNet, for the Apply nodes."
                ),
                _analyzer(),
            ],
        )

    @classmethod
    def validate_inputs(cls, adapter_name: str | None) -> bool | str:
        """As for `LoadAdapter`. The other name is left to the host: it would show one answer for
        both names beside each of them."""
        return adapter_answer(adapter_name)

    @classmethod
    def fingerprint_inputs(
        cls,
        adapter_name: str | None = None,
        control_net_name: str | None = None,
        model_pack: str | None = None,
        provider: str | None = None,
        base_model: str | None = None,
    ) -> str:
        states = (
            paths.adapter_state(adapter_name),
            paths.identity_net_state(control_net_name),
            paths.face_models_state(model_pack),
        )
        return "; ".join(states)

    @classmethod
    def execute(
        cls,
        adapter_name: str,
        control_net_name: str,
        model_pack: str,
        provider: str,
        base_model: str = BASE_MODELS[0],
    ) -> io.NodeOutput:
        files = find_models(paths.face_model_roots(), model_pack)
        return io.NodeOutput(
            models.load_adapter(paths.adapter_path(adapter_name), adapter_name),
            models.load_control_net(paths.identity_net_path(control_net_name), control_net_name),
            FaceAnalyzer(files, provider, base_model),
        )


class LoadAdapter(io.ComfyNode):
    """Loads the image adapter."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="InstantIDLoadAdapter",
            display_name="InstantID Load Adapter",
            category=PARTS,
            description="Loads InstantID's image adapter (ip-adapter.bin) or an IP-Adapter FaceID "
            "from models/instantid.",
            search_aliases=["ip-adapter", "InstantID", "InstantID model", "identity", "faceid"],
            inputs=[
                _adapter_name(),
                io.Combo.Input(
                    "recogniser",
                    options=list(RECOGNISERS),
                    default=FROM_FILE,
                    optional=True,
                    advanced=True,
                    tooltip="Face models whose embeddings the adapter was trained on. from the "
                    "file: antelopev2 for InstantID's layout, buffalo_l for IP-Adapter FaceID, as "
                    "in all published files. Choose one only for a file of your own that was "
                    "trained on the other.",
                ),
                io.Float.Input(
                    "lora_strength",
                    default=TRAINED,
                    min=0.0,
                    max=2.0,
                    step=0.01,
                    optional=True,
                    advanced=True,
                    tooltip="Strength of the LoRA that belongs to an IP-Adapter FaceID. 1 is that "
                    "of its training; 0 leaves it out. Of no effect with other adapters.",
                ),
            ],
            outputs=[_adapter()],
        )

    @classmethod
    def validate_inputs(cls, adapter_name: str | None) -> bool | str:
        """Takes the place of the host's "value not in list"."""
        return adapter_answer(adapter_name)

    @classmethod
    def fingerprint_inputs(
        cls,
        adapter_name: str | None = None,
        recogniser: str | None = None,
        lora_strength: float | None = None,
    ) -> str:
        return paths.adapter_state(adapter_name)

    @classmethod
    def execute(
        cls,
        adapter_name: str,
        recogniser: str = FROM_FILE,
        lora_strength: float = TRAINED,
    ) -> io.NodeOutput:
        path = paths.adapter_path(adapter_name)
        return io.NodeOutput(models.load_adapter(path, adapter_name, recogniser, lora_strength))
