"""Albums of photographs: strangers in them, nothing but strangers, and pictures without a face."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
import torch
from support.real_faces import Photos, cosine

from instantid_core.errors import IdentityError, NoFaceError
from instantid_core.faces import Selection
from instantid_core.identity import angles, combine, likeness
from instantid_core.identity.albums import combine_album
from instantid_core.identity.bands import BANDS, CAUTIOUS, SAME, bands_of
from instantid_core.types import Extent, Face, Faces, FrameFaces, IdentityEmbedding

EVERYONE = Selection("left_to_right")
PERSON, CROWD, BOTH = "a", "group29", "ab"
"""The person with most photos, a group of strangers, and a picture of two people, one of them the
person."""


@pytest.fixture(scope="module")
def own(portraits: Any, photos: Photos, analyzer: Any) -> list[Face]:
    """All faces of one person."""
    found = [face for name, (_, face) in portraits.items() if name.rstrip("0123456789") == PERSON]
    if BOTH not in photos.names or len(found) < 2:
        pytest.skip(f"no photos called {PERSON}1, {PERSON}2 and {BOTH}")
    two = analyzer.analyse([photos[BOTH]], EVERYONE, 0.5).faces.known
    middle = angles.mean_direction([face.embedding for face in found])
    return [*found, max(two, key=lambda face: angles.cosine(face.embedding, middle))]


@pytest.fixture(scope="module")
def strangers(photos: Photos, analyzer: Any) -> list[Face]:
    if CROWD not in photos.names:
        pytest.skip(f"no photo called {CROWD}")
    return list(analyzer.analyse([photos[CROWD]], EVERYONE, 0.5).faces.known)


def album(analyzer: Any, faces: list[Face]) -> Faces:
    return Faces(tuple(FrameFaces(Extent(9, 9), (face,)) for face in faces), analyzer.recogniser)


def identities(analyzer: Any, faces: list[Face]) -> dict[str, IdentityEmbedding]:
    return {
        f"identity{n}": IdentityEmbedding(
            torch.from_numpy(face.embedding)[None, None], analyzer.recogniser
        )
        for n, face in enumerate(faces)
    }


def test_a_third_of_strangers_changes_nothing(
    analyzer: Any, own: list[Face], strangers: list[Face]
) -> None:
    """Embed Identity and Combine Identities, with every two neighbours of a group of strangers."""
    clean = combine(album(analyzer, own), "robust").references.numpy().ravel()
    found = []
    for intruders in itertools.pairwise(strangers):
        mixed = [intruders[0], *own, intruders[1]]
        embedded = combine(album(analyzer, mixed), "robust")
        connected = combine_album(identities(analyzer, mixed), (), "robust").identity
        found.append(
            [cosine(each.references.numpy().ravel(), clean) for each in (embedded, connected)]
        )
    lowest = np.min(found, axis=0)
    print(f"{len(found)} albums of {len(own)} + 2: lowest {lowest[0]:.4f} and {lowest[1]:.4f}")
    assert lowest.min() > 0.98


def test_nothing_but_strangers_is_refused(
    analyzer: Any, portraits: Any, strangers: list[Face]
) -> None:
    """One photo of each person. Of a group only those who are not alike by chance: faces of one
    old photograph are nearer to each other than those of different ones."""
    first = {name.rstrip("0123456789"): face for name, (_, face) in reversed(portraits.items())}
    apart: list[Face] = []
    for face in (*first.values(), *strangers):
        if all(angles.cosine(face.embedding, other.embedding) < 0.28 for other in apart):
            apart.append(face)
    pairs = np.array(angles.pair_cosines([face.embedding for face in strangers]))
    print(f"{len(apart)} strangers; of the group {(pairs >= 0.32).mean():.0%} of pairs reach 0.32")
    assert len(apart) >= 5
    for refused, noun in (
        (lambda: combine(album(analyzer, apart), "robust"), "faces"),
        (lambda: combine_album(identities(analyzer, apart), (), "robust"), "references"),
    ):
        with pytest.raises(IdentityError, match=rf"No two of these {len(apart)} {noun} are of one"):
            refused()


def test_no_face_even_when_turned_says_what_was_tried(analyzer: Any, portraits: Any) -> None:
    """A photo whose squares of 24 pixels are shuffled."""
    rgb = next(iter(portraits.values()))[0]
    height, width = (side // 24 * 24 for side in rgb.shape[:2])
    squares = rgb[:height, :width].reshape(height // 24, 24, width // 24, 24, 3).swapaxes(1, 2)
    order = np.random.default_rng(3).permutation(height * width // 576)
    mixed = squares.reshape(-1, 24, 24, 3)[order].reshape(squares.shape).swapaxes(1, 2)
    with pytest.raises(NoFaceError, match=r"turned by 90, 180 and 270 degrees.*score of at least"):
        analyzer.analyse([np.ascontiguousarray(mixed.reshape(height, width, 3))], EVERYONE, 0.5)


def test_a_recogniser_without_bands_takes_the_cautious_ones(analyzer: Any, own: list[Face]) -> None:
    if analyzer.recogniser.sha256 in BANDS:
        pytest.skip("this recogniser has bands of its own")
    assert bands_of(analyzer.recogniser) is CAUTIOUS
    compared = likeness.compare(identities(analyzer, own[:2]))
    assert likeness.comparison_text(compared).endswith(SAME)
