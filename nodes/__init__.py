"""The nodes of InstantID Compose."""

from comfy_api.latest import ComfyExtension, io

from .apply import Apply, ApplyAdapter, ApplyIdentityNet
from .crops import CropFace, PasteFace
from .directions import EditIdentity, LearnDirection, LoadDirection
from .doctor import Doctor
from .faces import AnalyzeFaces, DrawKeypoints, EmbedIdentity
from .group import ApplyGroup
from .guidance import Guider
from .host.consent import note_consent_on_arrival
from .host.direction_files import register_direction_folders
from .host.doctor_routes import register_doctor_route
from .host.identity_files import register_identity_folders
from .host.model_routes import register_model_routes
from .host.notices import watch_warnings
from .host.on_screen import name_errors
from .host.paths import register_model_folders
from .host.people_routes import register_people_routes
from .identities import (
    BlendIdentities,
    CombineIdentities,
    InterpolateIdentities,
    LoadIdentity,
    SaveIdentity,
)
from .likeness import CompareIdentities, KeepBest, ScoreIdentity
from .loaders import LoadAdapter, LoadFaceAnalyzer, LoadModels
from .photo import ApplyAdapterFromPhoto, ApplyIdentityNetFromTokens, PhotoKeypoints
from .poses import InterpolatePoses, Pose, PoseSheet
from .regions import FaceMask
from .replacements import register_replacements
from .values import checked

NODES: list[type[io.ComfyNode]] = [
    Apply,
    ApplyGroup,
    LoadModels,
    LoadFaceAnalyzer,
    LoadAdapter,
    AnalyzeFaces,
    EmbedIdentity,
    BlendIdentities,
    InterpolateIdentities,
    CombineIdentities,
    SaveIdentity,
    LoadIdentity,
    LearnDirection,
    LoadDirection,
    EditIdentity,
    Pose,
    PoseSheet,
    InterpolatePoses,
    DrawKeypoints,
    FaceMask,
    ApplyAdapter,
    ApplyIdentityNet,
    Guider,
    PhotoKeypoints,
    ApplyAdapterFromPhoto,
    ApplyIdentityNetFromTokens,
    CropFace,
    PasteFace,
    ScoreIdentity,
    KeepBest,
    CompareIdentities,
    Doctor,
]
"""In the order in which the node library lists them."""


class InstantIDCompose(ComfyExtension):
    """The extension that ComfyUI loads."""

    async def on_load(self) -> None:
        register_model_folders()
        register_identity_folders()
        register_direction_folders()
        register_model_routes()
        register_doctor_route()
        register_people_routes()
        note_consent_on_arrival()
        watch_warnings()
        name_errors()
        await register_replacements()

    async def get_node_list(self) -> list[type[io.ComfyNode]]:
        return [checked(node) for node in NODES]
