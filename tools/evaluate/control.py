"""Experiment: likeness against style, text and colours, for each way of controlling an identity."""

from __future__ import annotations

from .best_of import best_of
from .edits import edits
from .figures import Section, Table
from .measurements import Measurements
from .sweeps import few_steps, reuse, tradeoffs

ABOUT = (
    "Ways to weigh an identity against the text: weight and strength as today, the choices of "
    "likeness, insertion rules, InstantID Guider, reuse, edits and Keep Best. What --only control "
    "measured before, another ControlNet in the chain, is --only other_net."
)
ON_SDXL = "InstantID's adapter and IdentityNet on SDXL"
ON_SD15 = "InstantID for SD 1.5"
FEW_STEP = "SDXL Lightning, Turbo, Hyper-SD and LCM"
FACE_ID = "IP-Adapter FaceID and FaceID-Portrait"
UNTRIED = (
    ("likeness choices", (ON_SDXL, ON_SD15)),
    ("insertion", (ON_SDXL, ON_SD15, FACE_ID)),
    ("InstantID Guider", (ON_SDXL, ON_SD15, FACE_ID)),
    ("InstantID Guider, few steps", (f"{ON_SDXL} with {FEW_STEP}",)),
    ("reuse", (ON_SDXL, ON_SD15)),
    ("Edit Identity", (f"antelopev2's recogniser, {ON_SDXL}", ON_SD15)),
    ("Keep Best", (ON_SDXL, ON_SD15)),
)
"""Published models that nothing was tried on so far."""


def control(run: Measurements) -> Section:
    """One page of all ways to control an identity."""
    parts = [part(run) for part in (tradeoffs, few_steps, reuse, edits, best_of)]
    return Section("control", "Identity under control", ABOUT, [_tried(run)], parts=parts)


def _tried(run: Measurements) -> Table:
    """Models of this page, and published ones that nobody has tried each way on."""
    _, inputs = run.setup.checkpoint
    here = ", ".join([run.setup.name, *inputs.values()])
    rows = [[way, here, "; ".join(models)] for way, models in UNTRIED]
    notes = [
        "These are the published models that nothing here was tried on when the page was written. "
        "With --comfyui the page is of your own models, and the middle column names them."
    ]
    columns = ["way", "this page", "published models it was not tried on"]
    return Table("Tried on", columns, rows, notes)
