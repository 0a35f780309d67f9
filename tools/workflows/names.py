"""Names of the shipped workflows.

ComfyUI's template browser reads nothing of a pack's workflow but the name of its file: that is the
title, the description and all that its search sees, of which it looks at the first 33 letters. So
the words that people search for come first and the pack's name soon after; the number keeps the
order, from simple to rich, where a browser sorts by name.
"""

from collections.abc import Mapping

PACK_NAME = "InstantID"
TITLES: Mapping[str, str] = {
    "basic": "Portrait from one photo",
    "app": "Portrait app, one photo",
    "lightning": "Portrait in four steps",
    "stylized": "Portrait as a painting",
    "style_lora": "Portrait with a style LoRA",
    "several_references": "Same person, several photos",
    "best_of_batch": "Best likeness of a batch",
    "with_and_without": "With and without identity",
    "character_sheet": "Character sheet, same person",
    "head_turn": "Head turn, same person",
    "img2img": "Image to image with identity",
    "face_swap": "Face swap with two photos",
    "two_people": "Two people in one picture",
    "two_people_two_styles": "Two people, two styles",
    "interpolation": "From one person to another",
    "depth_controlnet": "Identity with a depth map",
    "composed": "Identity with separate nodes",
    "comparison": "Likeness of four methods",
}
"""Short name, by which the tools know a workflow, to title; from simple to rich."""
FILES: Mapping[str, str] = {
    short: f"{number:02d} {title} ({PACK_NAME})"
    for number, (short, title) in enumerate(TITLES.items(), start=1)
}
"""Short name to the name of the file, without its ending."""
LONGEST = 28
"""Letters of a title with which the pack's name is still found by the search."""
