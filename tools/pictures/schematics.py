"""Draws the thumbnails of the template browser: schematic scenes, one for each workflow.

    python tools/run.py tools.pictures.schematics [NAME ...]

It needs Pillow alone. NAME is a short name of `tools.workflows.names`; without one, all are drawn.
`thumbnails` makes them from real runs instead, for models whose pictures are worth looking at.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from PIL import Image

from tools.comfyui.environment import REPOSITORY
from tools.workflows.names import FILES

from .drawn_heads import (
    ANNA,
    BEN,
    CITY,
    GARDEN,
    PLAIN,
    STRANGER,
    STUDIO,
    WHITE,
    between,
    pair,
    portrait,
)
from .drawn_sheet import ACCENT, FAINT, GOOD, Sheet
from .drawn_styles import depth_map, inked, noisy, painted, paper_cut

WORKFLOWS = REPOSITORY / "workflows"
QUALITY = 88
RESULT = (150, 40, 332, 400)
PHOTO = (34, 262, 150, 190)
SCORES = (0.45, 0.86, 0.6, 0.32)
POSES = ((-0.4, 0), (0, 0), (0.4, 0), (-0.9, 0), (0.9, 0), (0, 0.9))


def from_photo(result: Image.Image) -> Sheet:
    """A large result, and the photo that it comes from before it."""
    sheet = Sheet()
    sheet.card(result, RESULT)
    sheet.card(portrait(ANNA, PLAIN), PHOTO, ACCENT)
    return sheet


def basic() -> Sheet:
    return from_photo(portrait(ANNA, CITY))


def app() -> Sheet:
    sheet = Sheet()
    sheet.panel((24, 40, 208, 412), (52, 50, 62))
    sheet.card(portrait(ANNA, PLAIN), (48, 60, 160, 160), ACCENT)
    for number, width in enumerate((160, 120, 140)):
        sheet.panel((48, 240 + 24 * number, width, 12), (112, 110, 124))
    sheet.bar((48, 328, 160, 14), 0.7, ACCENT)
    sheet.panel((48, 384, 160, 44), (70, 120, 220))
    sheet.words("Run", (128, 406), 22, WHITE)
    sheet.card(portrait(ANNA, CITY), (252, 40, 236, 412))
    return sheet


def lightning() -> Sheet:
    sheet = Sheet()
    for number, amount in enumerate((0.85, 0.55, 0.28)):
        left = 22 + 74 * number
        sheet.card(noisy(portrait(ANNA, GARDEN), amount), (left, 60, 128, 170))
    sheet.card(portrait(ANNA, GARDEN), (200, 96, 290, 350))
    sheet.card(portrait(ANNA, PLAIN), PHOTO, ACCENT)
    sheet.words("4 steps", (112, 38), 26)
    return sheet


def stylized() -> Sheet:
    return from_photo(painted(portrait(ANNA, GARDEN)))


def style_lora() -> Sheet:
    return from_photo(paper_cut(portrait(ANNA, PLAIN)))


def several_references() -> Sheet:
    sheet = Sheet()
    shots = ((PLAIN, -0.7), (GARDEN, 0.1), (STUDIO, 0.7))
    for number, (setting, yaw) in enumerate(shots):
        sheet.card(portrait(ANNA, setting, yaw), (24, 30 + 144 * number, 128, 136), ACCENT)
        sheet.line([(158, 98 + 144 * number), (200, 242)], ACCENT, 6)
    sheet.card(portrait(ANNA, CITY), (206, 50, 282, 392))
    return sheet


def best_of_batch() -> Sheet:
    sheet = Sheet()
    best = max(SCORES)
    settings = (GARDEN, CITY, STUDIO, PLAIN)
    for number, (score, setting) in enumerate(zip(SCORES, settings, strict=True)):
        row, column = divmod(number, 2)
        left, top = 40 + 226 * column, 26 + 226 * row
        look = between(STRANGER, ANNA, 0.49 if score < 0.5 else 1)
        edge = GOOD if score == best else WHITE
        sheet.card(portrait(look, setting), (left, top, 206, 180), edge)
        sheet.bar((left, top + 192, 206, 14), score, GOOD if score == best else FAINT)
    sheet.disc((456, 42), 26, GOOD)
    sheet.line([(444, 42), (453, 52), (469, 32)], WHITE, 6)
    return sheet


def with_and_without() -> Sheet:
    with_it, without = portrait(ANNA, CITY), portrait(STRANGER, CITY)
    half = with_it.width // 2
    split = without.copy()
    split.paste(with_it.crop((half, 0, *with_it.size)), (half, 0))
    sheet = Sheet()
    sheet.card(split, (56, 30, 400, 400))
    sheet.line([(256, 30), (256, 430)], WHITE, 5)
    sheet.disc((256, 230), 18, WHITE)
    sheet.bar((66, 446, 180, 14), 0.12, FAINT)
    sheet.bar((266, 446, 180, 14), 0.85)
    return sheet


def character_sheet() -> Sheet:
    sheet = Sheet()
    for number, (yaw, pitch) in enumerate(POSES):
        row, column = divmod(number, 3)
        area = (24 + 157 * column, 40 + 212 * row, 149, 200)
        sheet.card(portrait(ANNA, STUDIO, yaw, pitch), area)
    return sheet


def head_turn() -> Sheet:
    sheet = Sheet()
    for number in range(5):
        area = (20 + 79 * number, 80 + 12 * abs(number - 2), 156, 260)
        sheet.card(portrait(ANNA, STUDIO, (number - 2) / 2), area)
    sheet.arrow((96, 430), (400, 430))
    return sheet


def img2img() -> Sheet:
    sheet = Sheet()
    sheet.card(portrait(STRANGER, GARDEN, 0.3), (26, 36, 190, 190))
    sheet.card(portrait(ANNA, PLAIN), (26, 250, 150, 190), ACCENT)
    sheet.arrow((196, 240), (236, 240))
    sheet.card(painted(portrait(ANNA, GARDEN, 0.3)), (256, 60, 232, 380))
    return sheet


def face_swap() -> Sheet:
    sheet = Sheet()
    sheet.card(pair(BEN, STRANGER, (CITY, CITY)), (26, 26, 300, 190))
    sheet.card(portrait(ANNA, PLAIN), (346, 26, 140, 190), ACCENT)
    sheet.words("+", (336, 121), 34, ACCENT)
    sheet.arrow((256, 222), (256, 244))
    sheet.card(pair(BEN, ANNA, (CITY, CITY)), (70, 262, 372, 218), GOOD)
    return sheet


def two_people() -> Sheet:
    return _both(pair(ANNA, BEN, (CITY, CITY)))


def two_people_two_styles() -> Sheet:
    scene = pair(ANNA, BEN, (GARDEN, GARDEN))
    half = scene.width // 2
    split = inked(scene)
    split.paste(painted(scene).crop((half, 0, *scene.size)), (half, 0))
    return _both(split)


def _both(result: Image.Image) -> Sheet:
    sheet = Sheet()
    sheet.card(portrait(ANNA, PLAIN), (90, 24, 140, 150), ACCENT)
    sheet.card(portrait(BEN, PLAIN), (282, 24, 140, 150), ACCENT)
    sheet.arrow((256, 150), (256, 178))
    sheet.card(result, (30, 200, 452, 272))
    return sheet


def interpolation() -> Sheet:
    sheet = Sheet()
    for number in range(5):
        face = portrait(between(ANNA, BEN, number / 4), STUDIO)
        sheet.card(face, (16 + 97 * number, 150, 92, 200), ACCENT if number in (0, 4) else WHITE)
    sheet.arrow((60, 400), (440, 400))
    return sheet


def depth_controlnet() -> Sheet:
    scene = portrait(ANNA, GARDEN)
    sheet = Sheet()
    sheet.card(depth_map(scene), (26, 36, 190, 190))
    sheet.card(portrait(ANNA, PLAIN), (26, 250, 150, 190), ACCENT)
    sheet.arrow((196, 240), (236, 240))
    sheet.card(scene, (256, 60, 232, 380))
    return sheet


def composed() -> Sheet:
    sheet = Sheet()
    sheet.card(portrait(ANNA, PLAIN), (24, 30, 130, 150), ACCENT)
    steps = (("faces", 26, 220), ("identity", 26, 300), ("model", 180, 150), ("pose", 180, 250))
    wires = (((90, 180), (90, 220)), ((90, 262), (90, 300)), ((148, 310), (186, 184)))
    for ends in (
        *wires,
        ((148, 240), (186, 270)),
        ((308, 172), (330, 220)),
        ((308, 272), (330, 250)),
    ):
        sheet.line(ends, ACCENT, 6)
    for name, left, top in steps:
        sheet.panel((left, top, 128, 44), (52, 50, 62))
        sheet.words(name, (left + 64, top + 22), 20, WHITE)
    sheet.card(portrait(ANNA, CITY), (326, 60, 164, 380))
    return sheet


def comparison() -> Sheet:
    sheet = Sheet()
    looks = (
        (ANNA, 0.86),
        (between(ANNA, STRANGER, 0.3), 0.7),
        (between(STRANGER, ANNA, 0.6), 0.6),
        (between(ANNA, STRANGER, 0.45), 0.5),
    )
    for number, (look, score) in enumerate(looks):
        left = 18 + 121 * number
        sheet.card(portrait(look, GARDEN), (left, 170, 114, 180), GOOD if not number else WHITE)
        sheet.bar((left, 366, 114, 14), score, GOOD if not number else FAINT)
    sheet.card(portrait(ANNA, PLAIN), (196, 20, 120, 120), ACCENT)
    return sheet


SCENES: Mapping[str, Callable[[], Sheet]] = {
    scene.__name__: scene
    for scene in (
        *(basic, app, lightning, stylized, style_lora, several_references, best_of_batch),
        *(with_and_without, character_sheet, head_turn, img2img, face_swap, two_people),
        *(two_people_two_styles, interpolation, depth_controlnet, composed, comparison),
    )
}


def main(names: Sequence[str]) -> int:
    """Draws the thumbnails of the named workflows, or of all."""
    for name in names or SCENES:
        print(write(name, WORKFLOWS))
    return 0


def write(name: str, folder: Path) -> Path:
    path = folder / f"{FILES[name]}.jpg"
    SCENES[name]().finished().save(path, quality=QUALITY)
    return path


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
