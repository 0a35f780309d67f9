"""The command line of `dev.py evaluate`, shared by dev.py and the Python that runs it.

Standard library only.
"""

import argparse
from pathlib import Path

from tools.comfyui.environment import REPOSITORY

EXPERIMENTS = (
    "ablation",
    "text",
    "weight",
    "views",
    "interpolation",
    "group",
    "references",
    "groups",
    "recognisers",
    "face_id",
    "other_net",
    "control",
)
"""In the order of the page."""
OUTPUT = REPOSITORY / "output" / "evaluation"
OWN = "with --comfyui: "
FLAGS = {
    "quick": "about a tenth of the pictures",
    "random": "models with random weights: a control that must show no likeness",
}
PATHS = {
    "photos": f"{OWN}folder with a photo, or a subfolder of photos, per person",
    "prompts": f"{OWN}text file, one 'label: prompt' per line",
    "clip": f"{OWN}folder with a CLIP model in transformers format, for CLIP-T",
    "insightface": f"{OWN}folder of the face models (default: its models/insightface)",
    "sface": "OpenCV's face_recognition_sface_2021dec.onnx, as a second recogniser that judges",
    "recogniser": "another second recogniser, an ONNX file of antelopev2's form: crops of 112 "
    "pixels to 512 numbers, such as w600k_r50.onnx of buffalo_l",
    "output": f"folder for report.html and report.json (default: {OUTPUT})",
}
NAMES = {
    "checkpoint": f"{OWN}checkpoint (default: sd_xl_base_1.0.safetensors)",
    "adapter": f"{OWN}file in models/instantid (default: ip-adapter.bin)",
    "identity_net": f"{OWN}file in models/controlnet (default: "
    "instantid/diffusion_pytorch_model.safetensors)",
    "size": "width x height in pixels, such as 832x1216",
}
NUMBERS = {
    "steps": (int, "sampling steps"),
    "cfg": (float, "classifier-free guidance"),
    "weight": (float, "default weight of the adapter"),
    "strength": (float, "default strength of IdentityNet"),
}


def add_options(parser: argparse.ArgumentParser) -> None:
    """Adds all options except those for the user's ComfyUI."""
    for name, description in FLAGS.items():
        parser.add_argument(f"--{name}", action="store_true", help=description)
    only = "only this experiment; may be repeated (default: all)"
    parser.add_argument("--only", action="append", choices=EXPERIMENTS, help=only)
    for name, description in PATHS.items():
        default = OUTPUT if name == "output" else None
        parser.add_argument(f"--{name}", type=Path, default=default, help=description)
    for name, description in NAMES.items():
        parser.add_argument(_flag(name), help=description)
    for name, (kind, description) in NUMBERS.items():
        parser.add_argument(_flag(name), type=kind, help=description)


def forwarded(options: argparse.Namespace) -> list[str]:
    """The options as command-line arguments, with absolute paths."""
    arguments = [_flag(name) for name in FLAGS if getattr(options, name)]
    arguments += [f"--only={name}" for name in options.only or ()]
    values = {name: getattr(options, name) for name in (*PATHS, *NAMES, *NUMBERS)}
    for name, value in values.items():
        if value is not None:
            text = value.expanduser().resolve() if isinstance(value, Path) else value
            arguments.append(f"{_flag(name)}={text}")
    return arguments


def _flag(name: str) -> str:
    return "--" + name.replace("_", "-")
