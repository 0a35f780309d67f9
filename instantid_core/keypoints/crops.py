"""Cut faces out of pictures as squares of one size, and paste them back exactly where they were.

A square lies on whole pixels of the picture, so cutting and pasting move nothing. Enlarging is
bicubic, one matrix per axis, and shrinking is the least-squares inverse of that matrix: of all
small pictures it takes the one whose enlargement comes nearest to the crop. What was only enlarged
comes back exactly, where a second bicubic resize would blur it, and detail that is too fine for the
small picture is averaged away. Squares a little smaller than the crop have no stable inverse; they
grow to its size, so that nothing is resampled at all.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

import torch

from ..errors import ImageError, NoFaceError, SettingError, finite, one_of
from ..images import colours_of, pixels_of, region_mask
from ..types import Detection, Extent, Faces, FrameFaces
from .geometry import Placement, box_of, moved

MATCH_COLOUR = ("none", "mean_std")
LARGEST_INVERSE = 1536
"""Pixels of a square up to which the inverse is computed; larger ones are shrunk as usual."""
STABLE_RATIO = 1.25
"""From this enlargement on the inverse amplifies nothing by more than about 2."""


@dataclass(frozen=True)
class FaceSquare:
    """A square around a face, in pixels of its picture; may reach outside."""

    frame: int
    """Index of the picture in the batch."""
    x: int
    y: int
    side: int


@dataclass(frozen=True)
class FaceCrops:
    """Places from which the crops of a batch were cut."""

    source: Extent
    """Size of the pictures."""
    frames: int
    """Number of pictures in the batch."""
    squares: tuple[FaceSquare, ...]
    """One per crop, picture by picture."""


class CutFaces(NamedTuple):
    """Faces cut out of a batch of pictures."""

    images: torch.Tensor
    """[crops, size, size, 3] float32, 0..1, CPU."""
    crops: FaceCrops
    faces: Faces
    """The same faces in pixels of their crops: one frame per crop."""


class Pasting(NamedTuple):
    """Settings for laying a crop over the picture."""

    feather: float = 0.1
    """Width of the soft edge along the square's border, as a fraction of its side, 0..0.5."""
    match_colour: str = "none"
    """`mean_std` gives the crop the picture's mean and spread, channel by channel, inside what is
    pasted."""


def cut(images: torch.Tensor, faces: Faces, size: int, context: float) -> CutFaces:
    """Cut every chosen face out of its picture.

    images: [B, H, W, C] float, 0..1, the pictures that the faces were found in. context: side of
    the square, in longer sides of the face's box. Outside the picture its edge pixels go on.
    Raises ImageError when faces and pictures do not belong together, NoFaceError without faces.
    """
    if size < 1:
        raise SettingError(f"A crop of {size} x {size} pixels has no pixel: set size to 1 or more.")
    if finite("context", context) <= 0:
        raise SettingError(f"context must be greater than 0, found {context:g}.")
    pictures = colours_of(images)
    _require_same_pictures(faces, pictures)
    chosen = [(n, face) for n, frame in enumerate(faces.frames) for face in frame.faces]
    if not chosen:
        raise NoFaceError("There is no face to cut out: none was chosen in these pictures.")
    extent = faces.frames[0].extent
    squares = tuple(_square(n, face, size, context, extent) for n, face in chosen)
    cuts = torch.stack([_cut(pictures[square.frame], square, size) for square in squares])
    frames = tuple(
        FrameFaces(Extent(size, size), (moved(face, _onto_crop(square, size)),))
        for square, (_, face) in zip(squares, chosen, strict=True)
    )
    crops = FaceCrops(extent, len(pictures), squares)
    return CutFaces(cuts, crops, Faces(frames, faces.recogniser, faces.style))


def paste(
    images: torch.Tensor,
    crop_images: torch.Tensor,
    crops: FaceCrops,
    how: Pasting,
    mask: torch.Tensor | None = None,
) -> torch.Tensor:
    """Lay crops back over the pictures they were cut from: [copies * B, H, W, C] float32, CPU.

    crop_images: [copies * crops, n, n, C], n being any size. A whole multiple of the crops gives as
    many copies of the pictures. mask: [M, h, w] over the crop, M being 1, the crops or all crop
    images; without one, pixels that squares share go to the face in whose square they are deepest.
    Pixels on which nothing is pasted keep every bit. Raises ImageError for pictures, crops or masks
    that do not belong together, SettingError for settings without meaning.
    """
    _require_settings(how)
    pictures = pixels_of(images)
    _require_source(pictures, crops)
    patches, region = colours_of(crop_images), None if mask is None else region_mask(mask)
    _require_crops(patches, crops, region)
    count = len(crops.squares)
    copies = len(patches) // count
    pasted = pictures.repeat(copies, 1, 1, 1)
    for number, patch in enumerate(patches):
        square = crops.squares[number % count]
        weight = _edge_ramp(square.side, how.feather)
        if region is None:
            weight = weight * _territory(square, crops.squares, how.feather)
        else:
            weight = weight * _resized_mask(region[number % len(region)], square.side)
        canvas = pasted[number // count * crops.frames + square.frame]
        _blend(canvas, square, _resample(patch, square.side), weight, how.match_colour)
    return pasted


def _square(number: int, face: Detection, size: int, context: float, extent: Extent) -> FaceSquare:
    box = box_of(face)
    side = round(context * max(box.width, box.height))
    if side < 1:
        raise ImageError(
            f"The face in picture {number + 1} is smaller than a pixel, so its crop would be "
            "0 x 0. Choose another face."
        )
    if size / STABLE_RATIO < side < size:
        side = size
    x, y = (round(middle - side / 2) for middle in box.centre)
    if not (-side < x < extent.width and -side < y < extent.height):
        raise ImageError(
            f"A face lies outside picture {number + 1} ({extent} pixels), so there is nothing to "
            "cut out. Move the face into the picture, or choose another one."
        )
    return FaceSquare(number, x, y, side)


def _cut(picture: torch.Tensor, square: FaceSquare, size: int) -> torch.Tensor:
    """[H, W, 3] -> [size, size, 3]; the picture's edge pixels go on outside of it."""
    across = torch.arange(square.x, square.x + square.side).clamp(0, picture.shape[1] - 1)
    down = torch.arange(square.y, square.y + square.side).clamp(0, picture.shape[0] - 1)
    return _resample(picture[down][:, across], size)


def _resample(picture: torch.Tensor, side: int) -> torch.Tensor:
    """[n, n, 3] -> [side, side, 3], 0..1."""
    size = picture.shape[0]
    if size == side:
        return picture
    planes = picture.movedim(-1, 0)
    if size < STABLE_RATIO * side or side > LARGEST_INVERSE:
        planes = _bicubic(planes[None], (side, side))[0]
    else:
        axis = _inverse(side, size).to(picture)
        planes = axis @ planes @ axis.T
    return planes.movedim(0, -1).clamp(0, 1)


def _bicubic(planes: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    """[1, C, H, W] -> [1, C, *size], with a wider kernel where it shrinks."""
    return torch.nn.functional.interpolate(
        planes, size=size, mode="bicubic", antialias=True, align_corners=False
    )


def _inverse(side: int, size: int) -> torch.Tensor:
    """[side, size] float64: the least-squares inverse of enlarging from side to size."""
    unit = torch.eye(side, dtype=torch.float64)[None, None]
    enlarge = _bicubic(unit, (size, side))[0, 0]
    return torch.linalg.solve(enlarge.T @ enlarge, enlarge.T)


def _onto_crop(square: FaceSquare, size: int) -> Placement:
    scale = size / square.side
    return Placement((scale, scale), (-square.x * scale, -square.y * scale))


def _edge_ramp(side: int, feather: float) -> torch.Tensor:
    """[side, side]: 1 in the middle, falling to 0 at the border of the square."""
    if not feather:
        return torch.ones(side, side)
    middle = torch.arange(side, dtype=torch.float32) + 0.5
    ramp = (torch.minimum(middle, side - middle) / (feather * side)).clamp(0, 1)
    return ramp[:, None] * ramp[None, :]


def _territory(square: FaceSquare, squares: Iterable[FaceSquare], feather: float) -> torch.Tensor:
    """[side, side]: 1 where no other square of the picture is as deep, falling to 0 where one is.

    Depth is counted in sides of the square, so that a small face in a large one's square keeps its
    pixels.
    """
    weight, own = torch.ones(square.side, square.side), _depth(square, square)
    for other in squares:
        if other == square or other.frame != square.frame or not _overlap(square, other):
            continue
        lead = own - _depth(other, square)
        if feather:
            weight *= (lead / (2 * feather)).clamp(0, 1)
        else:
            weight *= lead > 0
    return weight


def _depth(square: FaceSquare, over: FaceSquare) -> torch.Tensor:
    """[side, side] of `over`: 0.5 in the middle of a square, 0 on its border, negative outside."""
    along = torch.arange(over.side, dtype=torch.float32) + 0.5
    x, y = (
        (along + start - middle - square.side / 2).abs() / square.side
        for start, middle in ((over.x, square.x), (over.y, square.y))
    )
    return 0.5 - torch.maximum(y[:, None], x[None, :])


def _overlap(one: FaceSquare, other: FaceSquare) -> bool:
    return max(one.x, other.x) < min(one.x + one.side, other.x + other.side) and max(
        one.y, other.y
    ) < min(one.y + one.side, other.y + other.side)


def _resized_mask(mask: torch.Tensor, side: int) -> torch.Tensor:
    """[h, w] -> [side, side]; in neither direction does the mask grow by more than a pixel."""
    mode = "area" if min(mask.shape) >= side else "bilinear"
    return torch.nn.functional.interpolate(mask[None, None], size=(side, side), mode=mode)[0, 0]


def _blend(
    picture: torch.Tensor,
    square: FaceSquare,
    patch: torch.Tensor,
    weight: torch.Tensor,
    match_colour: str,
) -> None:
    """Write a patch [side, side, 3] into a picture [H, W, C], as far as it lies inside."""
    left, top = max(0, square.x), max(0, square.y)
    right = min(picture.shape[1], square.x + square.side)
    bottom = min(picture.shape[0], square.y + square.side)
    rows = slice(top - square.y, bottom - square.y)
    columns = slice(left - square.x, right - square.x)
    here, patch = picture[top:bottom, left:right, :3], patch[rows, columns]
    weight = weight[rows, columns, None]
    if match_colour == "mean_std":
        patch = _with_colours_of(here, patch, weight)
    here.copy_(torch.where(weight > 0, torch.lerp(here, patch, weight), here))


def _with_colours_of(
    picture: torch.Tensor, patch: torch.Tensor, weight: torch.Tensor
) -> torch.Tensor:
    """The patch with mean and spread of the picture, per channel, where the weight is."""
    share = weight / weight.sum().clamp(min=1e-8)
    (mean, spread), (own_mean, own_spread) = (_colour(p, share) for p in (picture, patch))
    stretch = torch.where(own_spread > 1e-4, spread / own_spread.clamp(min=1e-4), 1.0)
    return ((patch - own_mean) * stretch + mean).clamp(0, 1)


def _colour(pixels: torch.Tensor, share: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean and standard deviation per channel; the shares add up to 1."""
    mean = (pixels * share).sum(dim=(0, 1))
    return mean, ((pixels - mean).square() * share).sum(dim=(0, 1)).sqrt()


def _require_same_pictures(faces: Faces, pictures: torch.Tensor) -> None:
    if len(faces.frames) != len(pictures):
        raise ImageError(
            f"The faces are those of {len(faces.frames)} pictures, the image is a batch of "
            f"{len(pictures)}. Connect the image that Analyze Faces looked at."
        )
    extent = Extent(pictures.shape[2], pictures.shape[1])
    other = next((f.extent for f in faces.frames if f.extent != extent), None)
    if other is not None:
        raise ImageError(
            f"These faces belong to another picture: theirs has {other} pixels, this one {extent}. "
            "Connect the image that Analyze Faces looked at."
        )


def _require_settings(how: Pasting) -> None:
    if not 0 <= finite("feather", how.feather) <= 0.5:
        raise SettingError(f"feather is a fraction from 0 to 0.5, found {how.feather:g}.")
    one_of("match_colour", how.match_colour, MATCH_COLOUR)


def _require_source(pictures: torch.Tensor, crops: FaceCrops) -> None:
    found = Extent(pictures.shape[2], pictures.shape[1])
    if found != crops.source or len(pictures) != crops.frames:
        raise ImageError(
            f"The crops were cut from {crops.frames} pictures of {crops.source} pixels, found "
            f"{len(pictures)} of {found}. Connect the image that went into Crop Face."
        )


def _require_crops(patches: torch.Tensor, crops: FaceCrops, region: torch.Tensor | None) -> None:
    total, count = len(patches), len(crops.squares)
    height, width = patches.shape[1:3]
    if height != width:
        raise ImageError(
            f"A crop is square, found one of {width} x {height} pixels. Connect the picture that "
            "was made of the crop, at any square size."
        )
    if total % count:
        raise ImageError(
            f"{count} faces were cut out, but {total} crops come back. Expected one crop per face, "
            "or the same number of variants of each."
        )
    if region is not None and len(region) not in (1, count, total):
        raise ImageError(
            f"The mask is a batch of {len(region)} for {total} crops. Expected one mask for all "
            "crops or one per crop."
        )
