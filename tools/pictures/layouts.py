"""Layouts of thumbnails: where the photos and pictures of a run lie on the sheet."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from PIL import Image

from .sheet import ACCENT, FAINT, GOOD, WHITE, Sheet

NODE = (52, 50, 62)
"""Colour of nodes and panels, as in the editor."""
EMPTY = (236, 229, 228)
FIRST, SECOND = "person0.png", "person1.png"


@dataclass(frozen=True)
class Take:
    """A run: its photos, the pictures that it made, and how much they look alike."""

    photos: Mapping[str, Image.Image]
    """By file name."""
    pictures: Sequence[Image.Image]
    """In the order in which the workflow's nodes made them."""
    scores: Sequence[float] = ()
    """Likeness as the workflow's nodes measured it, in their order."""


def from_photo(take: Take) -> Sheet:
    """A large result, and the photo that it comes from before it."""
    sheet = Sheet()
    sheet.card(take.pictures[-1], (176, 36, 312, 318))
    sheet.card(take.photos[FIRST], (28, 268, 188, 188), ACCENT)
    return sheet


def app(take: Take) -> Sheet:
    sheet = Sheet()
    sheet.panel((24, 40, 208, 412), NODE)
    sheet.card(take.photos[FIRST], (48, 60, 160, 160), ACCENT)
    for number, width in enumerate((160, 120, 140)):
        sheet.panel((48, 240 + 24 * number, width, 12), (112, 110, 124))
    sheet.bar((48, 328, 160, 14), 0.7, ACCENT)
    sheet.panel((48, 384, 160, 44), (70, 120, 220))
    sheet.words("Run", (128, 406), 22, WHITE)
    sheet.card(take.pictures[0], (250, 104, 240, 284))
    return sheet


def lightning(take: Take) -> Sheet:
    sheet = Sheet()
    *stages, result = take.pictures
    for number, stage in enumerate(stages):
        sheet.card(stage, (28 + 156 * number, 48, 144, 144))
    sheet.arrow((412, 194), (412, 206))
    sheet.card(result, (214, 226, 276, 248))
    sheet.card(take.photos[FIRST], (28, 270, 168, 168), ACCENT)
    sheet.words(f"{len(stages) + 1} steps", (74, 28), 26)
    return sheet


def several_references(take: Take) -> Sheet:
    sheet = Sheet()
    for number, photo in enumerate(("person0.png", "photo1.png", "photo2.png")):
        sheet.line([(158, 98 + 144 * number), (206, 242)], ACCENT, 6)
        sheet.card(take.photos[photo], (24, 30 + 144 * number, 136, 136), ACCENT)
    sheet.card(take.pictures[0], (208, 92, 284, 304))
    return sheet


def best_of_batch(take: Take) -> Sheet:
    sheet = Sheet()
    best = max(take.scores)
    for number, (score, picture) in enumerate(zip(take.scores, take.pictures, strict=True)):
        row, column = divmod(number, 2)
        left, top = 144 + 178 * column, 46 + 212 * row
        colour = GOOD if score == best else FAINT
        sheet.card(picture, (left, top, 164, 164), GOOD if score == best else WHITE)
        sheet.bar((left, top + 174, 164, 13), score, colour)
        if score == best:
            _check(sheet, (left + 150, top + 8))
    sheet.card(take.photos[FIRST], (16, 170, 120, 120), ACCENT)
    return sheet


def with_and_without(take: Take) -> Sheet:
    sheet = Sheet()
    with_it, without = take.pictures
    sheet.card(take.photos[FIRST], (296, 16, 152, 152), ACCENT)
    sheet.card(without, (24, 186, 232, 240))
    sheet.card(with_it, (256, 186, 232, 240))
    sheet.line([(256, 180), (256, 432)], WHITE, 5)
    sheet.disc((256, 306), 18, WHITE)
    for left, score, colour in ((40, take.scores[1], FAINT), (272, take.scores[0], GOOD)):
        sheet.bar((left, 444, 200, 14), max(score, 0.0), colour)
    return sheet


def character_sheet(take: Take) -> Sheet:
    sheet = Sheet()
    for number, view in enumerate(take.pictures):
        row, column = divmod(number, 3)
        sheet.card(view, (22 + 158 * column, 140 + 170 * row, 152, 160))
    sheet.card(take.photos[FIRST], (195, 10, 122, 122), ACCENT)
    return sheet


def head_turn(take: Take) -> Sheet:
    sheet = Sheet()
    _strip(sheet, take.pictures)
    sheet.card(take.photos[FIRST], (176, 24, 160, 160), ACCENT)
    return sheet


def interpolation(take: Take) -> Sheet:
    sheet = Sheet()
    _strip(sheet, take.pictures)
    sheet.card(take.photos[FIRST], (14, 24, 160, 160), ACCENT)
    sheet.card(take.photos[SECOND], (338, 24, 160, 160), ACCENT)
    return sheet


def _strip(sheet: Sheet, pictures: Sequence[Image.Image]) -> None:
    for number, picture in enumerate(pictures):
        sheet.card(picture, (10 + 99 * number, 214, 97, 150))
    sheet.arrow((60, 412), (440, 412))


def img2img(take: Take) -> Sheet:
    return _from_two(take, take.photos["person2.png"])


def depth_controlnet(take: Take) -> Sheet:
    return _from_two(take, take.photos["depth.png"])


def _from_two(take: Take, start: Image.Image) -> Sheet:
    sheet = Sheet()
    sheet.card(start, (24, 46, 184, 184))
    sheet.card(take.photos[FIRST], (24, 258, 184, 184), ACCENT)
    sheet.arrow((212, 244), (232, 244))
    sheet.card(take.pictures[-1], (252, 106, 240, 272))
    return sheet


def face_swap(take: Take) -> Sheet:
    sheet = Sheet()
    sheet.card(take.photos["person2.png"], (20, 18, 288, 194))
    sheet.card(take.photos[FIRST], (342, 28, 150, 174), ACCENT)
    sheet.words("+", (326, 115), 34, ACCENT)
    sheet.arrow((256, 216), (256, 228))
    sheet.card(take.pictures[-1], (88, 250, 336, 224), GOOD)
    return sheet


def two_people(take: Take) -> Sheet:
    sheet = Sheet()
    sheet.card(take.photos[FIRST], (78, 14, 160, 160), ACCENT)
    sheet.card(take.photos[SECOND], (274, 14, 160, 160), ACCENT)
    sheet.arrow((256, 152), (256, 172))
    sheet.card(take.pictures[0], (44, 192, 424, 284))
    return sheet


def composed(take: Take) -> Sheet:
    sheet = Sheet()
    keypoints, result = take.pictures
    for ends in (
        ((90, 160), (90, 290)),
        ((90, 250), (90, 330)),
        ((150, 220), (186, 330)),
        ((150, 310), (186, 222)),
        ((250, 222), (330, 222)),
        ((250, 340), (330, 300)),
    ):
        sheet.line(ends, ACCENT, 6)
    sheet.card(take.photos[FIRST], (20, 24, 140, 140), ACCENT)
    for name, left, top in (("faces", 26, 200), ("identity", 26, 290), ("model", 178, 200)):
        sheet.panel((left, top, 128, 44), NODE)
        sheet.words(name, (left + 64, top + 22), 20, WHITE)
    sheet.card(keypoints, (178, 290, 128, 128), NODE)
    sheet.card(result, (322, 110, 172, 276))
    return sheet


def comparison(take: Take) -> Sheet:
    """The methods that ran, and an empty place for each that was left off."""
    sheet = Sheet()
    best = max(take.scores)
    for number, name in enumerate(("InstantID", "FaceID", "PhotoMaker", "LoRA")):
        left = 16 + 122 * number
        sheet.words(name, (left + 57, 186), 18)
        if number >= len(take.pictures):
            sheet.panel((left, 206, 114, 164), FAINT)
            sheet.panel((left + 2, 208, 110, 160), EMPTY)
            sheet.words("off", (left + 57, 288), 20, FAINT)
            continue
        colour = GOOD if take.scores[number] == best else FAINT
        edge = GOOD if take.scores[number] == best else WHITE
        sheet.card(take.pictures[number], (left, 206, 114, 164), edge)
        sheet.bar((left, 386, 114, 14), take.scores[number], colour)
    sheet.card(take.photos[FIRST], (176, 12, 160, 160), ACCENT)
    return sheet


def _check(sheet: Sheet, at: tuple[float, float]) -> None:
    x, y = at
    sheet.disc(at, 24, GOOD)
    sheet.line([(x - 11, y), (x - 3, y + 9), (x + 12, y - 9)], WHITE, 6)


LAYOUTS: Mapping[str, Callable[[Take], Sheet]] = {
    "basic": from_photo,
    "app": app,
    "lightning": lightning,
    "stylized": from_photo,
    "style_lora": from_photo,
    "several_references": several_references,
    "best_of_batch": best_of_batch,
    "with_and_without": with_and_without,
    "character_sheet": character_sheet,
    "head_turn": head_turn,
    "img2img": img2img,
    "face_swap": face_swap,
    "two_people": two_people,
    "two_people_two_styles": two_people,
    "interpolation": interpolation,
    "depth_controlnet": depth_controlnet,
    "composed": composed,
    "comparison": comparison,
}
"""Short name of a workflow to its layout."""
