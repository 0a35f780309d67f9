"""The node that makes masks of faces."""

from __future__ import annotations

from comfy_api.latest import io

from ..instantid_core.keypoints import SHAPES, FaceShape, face_masks, frame_masks
from ..instantid_core.types import Extent, Faces
from .inputs import FACE_SWAP, faces_or_pose, fit, picture_size

USUAL_SHAPE = FaceShape()


def face_shape(
    usual: FaceShape = USUAL_SHAPE, *, optional: bool = False, advanced: bool = False
) -> list[io.Input]:
    """The three inputs that make a `FaceShape`, with the defaults of `usual`."""
    return [
        io.Combo.Input(
            "shape",
            options=list(SHAPES),
            default=usual.kind,
            optional=optional,
            advanced=advanced,
            tooltip="Outline of the mask. ellipse: follows the tilt of the face. box: the "
            "detector's bounding box.",
        ),
        io.Float.Input(
            "padding",
            default=usual.padding,
            min=-0.5,
            max=4.0,
            step=0.01,
            optional=optional,
            advanced=advanced,
            tooltip="Distance by which the mask extends beyond the face, as a fraction of the "
            "face height. About 0.3 includes the hair; negative values stay inside the face.",
        ),
        io.Float.Input(
            "feather",
            default=usual.feather,
            min=0.0,
            max=4.0,
            step=0.01,
            optional=optional,
            advanced=advanced,
            tooltip="Width of the soft edge, centred on the outline, as a fraction of the face "
            "height. 0 gives a hard edge.",
        ),
    ]


class FaceMask(io.ComfyNode):
    """Makes masks of faces."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="InstantIDFaceMask",
            display_name="InstantID Face Mask",
            category=FACE_SWAP,
            description="Makes masks of the faces, to limit an identity to its face, to keep "
            "several people apart, or to inpaint.",
            search_aliases=["InstantID", "face mask", "face region", "mask", "inpaint", "segment"],
            inputs=[
                faces_or_pose(),
                *picture_size(),
                fit(),
                *face_shape(),
                io.Boolean.Input(
                    "each_face",
                    default=False,
                    optional=True,
                    tooltip="One mask per face instead of one per image. The masks do not "
                    "overlap: where faces touch, each keeps its own side.",
                ),
            ],
            outputs=[
                io.Mask.Output(
                    display_name="mask",
                    tooltip="One mask per image, or per face, at width x height. An image "
                    "without faces gives a black mask.",
                )
            ],
        )

    @classmethod
    def execute(
        cls,
        faces: Faces,
        width: int,
        height: int,
        fit: str,
        shape: str,
        padding: float,
        feather: float,
        each_face: bool = False,
    ) -> io.NodeOutput:
        make = face_masks if each_face else frame_masks
        outline = FaceShape(shape, padding, feather)
        return io.NodeOutput(make(faces, Extent(width, height), fit, outline))
