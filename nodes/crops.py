"""Nodes that cut faces out of pictures and paste them back."""

from __future__ import annotations

import torch
from comfy_api.latest import io

from ..instantid_core.adapter import about_black
from ..instantid_core.images import region_mask
from ..instantid_core.keypoints import (
    MATCH_COLOUR,
    FaceCrops,
    FaceShape,
    Pasting,
    cut,
    frame_masks,
    paste,
)
from ..instantid_core.types import Extent, Faces
from . import sockets
from .host.notices import warn
from .inputs import FACE_SWAP, OUTPUT_SIDE
from .regions import USUAL_SHAPE, face_shape

WORDS = ["InstantID", "face swap", "inpaint", "face detailer", "small face", "crop", "group photo"]
USUAL_PASTING = Pasting()


class CropFace(io.ComfyNode):
    """Cuts faces out of pictures."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="InstantIDCropFace",
            display_name="InstantID Crop Face",
            category=FACE_SWAP,
            description="Crops each selected face as a square, enlarged so that it can be "
            "regenerated at full size. InstantID Paste Face puts it back.",
            search_aliases=[*WORDS, "crop face", "zoom"],
            inputs=[
                sockets.Faces.Input(
                    "faces",
                    tooltip="Faces of this image, from InstantID Analyze Faces. Each selected "
                    "face gives one crop.",
                ),
                io.Image.Input("image", tooltip="The images in which the faces were found."),
                *_square(),
                *face_shape(optional=True, advanced=True),
            ],
            outputs=[
                io.Image.Output(display_name="image", tooltip="One square image per face."),
                io.Mask.Output(
                    display_name="mask", tooltip="The face within the crop, for inpainting."
                ),
                sockets.Crop.Output(
                    display_name="crop",
                    tooltip="Where the crops were taken, for InstantID Paste Face.",
                ),
                sockets.Faces.Output(
                    display_name="faces",
                    tooltip="The same faces within their crops, for InstantID Apply IdentityNet.",
                ),
            ],
        )

    @classmethod
    def execute(
        cls,
        faces: Faces,
        image: torch.Tensor,
        size: int,
        context: float,
        shape: str = USUAL_SHAPE.kind,
        padding: float = USUAL_SHAPE.padding,
        feather: float = USUAL_SHAPE.feather,
    ) -> io.NodeOutput:
        found = cut(image, faces, size, context)
        outline = FaceShape(shape, padding, feather)
        mask = frame_masks(found.faces, Extent(size, size), "stretch", outline)
        return io.NodeOutput(found.images, mask, found.crops, found.faces)


class PasteFace(io.ComfyNode):
    """Pastes faces back into their pictures."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="InstantIDPasteFace",
            display_name="InstantID Paste Face",
            category=FACE_SWAP,
            description="Pastes faces cropped by InstantID Crop Face back to where they were. "
            "The rest of the image is unchanged, bit for bit.",
            search_aliases=[*WORDS, "paste face", "composite", "uncrop"],
            inputs=[
                io.Image.Input(
                    "image", tooltip="The image that was connected to InstantID Crop Face."
                ),
                io.Image.Input(
                    "crop_image",
                    tooltip="The processed crops, at any square size. Several variants of each "
                    "crop give as many images.",
                ),
                sockets.Crop.Input("crop", tooltip="From InstantID Crop Face."),
                *_pasting(),
            ],
            outputs=[
                io.Image.Output(
                    display_name="image", tooltip="The images with the faces pasted in."
                )
            ],
        )

    @classmethod
    def execute(
        cls,
        image: torch.Tensor,
        crop_image: torch.Tensor,
        crop: FaceCrops,
        feather: float,
        match_colour: str,
        mask: torch.Tensor | None = None,
    ) -> io.NodeOutput:
        how = Pasting(feather, match_colour)
        if mask is not None:
            warn(about_black(region_mask(mask), "the face is pasted"))
        return io.NodeOutput(paste(image, crop_image, crop, how, mask))


def _square() -> list[io.Input]:
    """Inputs for the square around the face and its size."""
    return [
        io.Int.Input(
            "size",
            default=OUTPUT_SIDE,
            min=64,
            max=8192,
            step=8,
            tooltip="Width and height of the crop in pixels.",
        ),
        io.Float.Input(
            "context",
            default=1.6,
            min=1.0,
            max=8.0,
            step=0.05,
            tooltip="Side of the cropped square as a multiple of the face box. Larger values "
            "include more of the surroundings.",
        ),
    ]


def _pasting() -> list[io.Input]:
    """Inputs for blending a face into the picture."""
    return [
        io.Float.Input(
            "feather",
            default=USUAL_PASTING.feather,
            min=0.0,
            max=0.5,
            step=0.01,
            tooltip="Soft edge along the border of the square, as a fraction of its side.",
        ),
        io.Combo.Input(
            "match_colour",
            options=list(MATCH_COLOUR),
            default=USUAL_PASTING.match_colour,
            tooltip="Colour correction. none: colours are pasted as they are. mean_std: mean and "
            "standard deviation of each channel are matched to the image at that place.",
        ),
        io.Mask.Input(
            "mask",
            optional=True,
            tooltip="Part of the crop to paste, such as the mask of InstantID Crop Face. If "
            "nothing is connected, the whole square is pasted.",
        ),
    ]
