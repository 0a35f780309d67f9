"""Painted people: thousands of identities at any pose, in several styles and places."""

from .identity import ATTRIBUTES, HELD_OUT, TRAINING, Identity, identity_of
from .scenery import BACKGROUNDS
from .scenes import Painting, Person, Placement, Pose, Scene, caption, paint, random_scene
from .styles import STYLES

__all__ = [
    "ATTRIBUTES",
    "BACKGROUNDS",
    "HELD_OUT",
    "STYLES",
    "TRAINING",
    "Identity",
    "Painting",
    "Person",
    "Placement",
    "Pose",
    "Scene",
    "caption",
    "identity_of",
    "paint",
    "random_scene",
]
