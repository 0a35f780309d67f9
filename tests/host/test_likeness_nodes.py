"""Likeness measured on the real host, with the synthetic recogniser."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import folder_paths
import numpy as np
import pytest
import torch

import nodes as host_nodes
from tools.small_world.scenes import photo


@pytest.fixture(scope="module", autouse=True)
def known_nodes(pack: Any) -> Iterator[None]:
    """The host knows the nodes of this file."""
    pack.module("nodes.host.identity_files").register_identity_folders()
    ours, known = pack.module("nodes.likeness"), dict(host_nodes.NODE_CLASS_MAPPINGS)
    for node in (ours.ScoreIdentity, ours.CompareIdentities):
        host_nodes.NODE_CLASS_MAPPINGS.setdefault(node.GET_SCHEMA().node_id, node)
    yield
    host_nodes.NODE_CLASS_MAPPINGS.clear()
    host_nodes.NODE_CLASS_MAPPINGS.update(known)


def two_faces() -> torch.Tensor:
    left, right = photo(1, 256, 256), photo(2, 256, 256)
    return torch.cat([left, right], dim=2)


def faded(picture: torch.Tensor) -> torch.Tensor:
    """The picture with so much of its colour taken out that the detector is unsure of a face."""
    return picture + 0.31 * (picture.mean(dim=-1, keepdim=True) - picture)


def score(pack: Any, analyzer: Any, identity: Any, image: torch.Tensor, **more: Any) -> Any:
    return pack.run(
        "InstantIDScoreIdentity", analyzer=analyzer, identity=identity, image=image, **more
    )


def test_scores_say_who_is_in_the_picture(pack: Any, analyzer: Any, identity_of: Any) -> None:
    images = torch.cat([photo(1), photo(2), torch.zeros(1, 512, 512, 3), faded(photo(1))])
    scores, text, picture = score(pack, analyzer, identity_of(1), images)
    same, other, nobody, unclear = scores
    assert same == pytest.approx(1, abs=1e-6)
    assert abs(other) < 0.1
    assert math.isnan(nobody)
    assert math.isnan(unclear)
    lines = text.splitlines()
    assert lines[0] == "image 1: 1.00 as close as a copy"
    assert lines[1].endswith(" weak")
    assert lines[2] == "image 3: n/a (no face)"
    assert lines[3].startswith("image 4: n/a (weak detection, 0.5")
    assert lines[4].startswith("mean of 2 of 4 images: ")
    assert picture.shape[0] == 1
    assert picture.shape[-1] == 3


def test_the_score_is_numpys_cosine(
    pack: Any, analyzer: Any, identity_of: Any, faces_of: Any
) -> None:
    blend = pack.module("instantid_core.identity.blending").blend
    seen = faces_of(photo(1)).all[0].embedding.astype(np.float64)
    for ratio in (0.2, 0.5, 0.9):
        between = blend(identity_of(1), identity_of(2), ratio)
        who = between.references[0, 0].numpy().astype(np.float64)
        expected = who @ seen / np.linalg.norm(who) / np.linalg.norm(seen)
        ((found,), _, _) = score(pack, analyzer, between, photo(1))
        assert found == pytest.approx(expected, abs=1e-9)


def test_of_two_people_the_one_meant_is_scored(pack: Any, analyzer: Any, identity_of: Any) -> None:
    for number in (1, 2):
        ((found,), _, _) = score(pack, analyzer, identity_of(number), two_faces())
        assert found == pytest.approx(1, abs=0.02)


def test_a_reference_photo_is_shown_and_changes_no_score(
    pack: Any, analyzer: Any, identity_of: Any
) -> None:
    plain = score(pack, analyzer, identity_of(1), photo(1))
    for reference in (photo(1), torch.zeros(1, 64, 32, 3)):
        shown = score(pack, analyzer, identity_of(1), photo(1), reference_image=reference)
        assert shown[0] == plain[0]
        assert shown[2].shape[1] > plain[2].shape[1]


def test_nothing_that_comes_in_is_changed(pack: Any, analyzer: Any, identity_of: Any) -> None:
    identity, image = identity_of(1), photo(1)
    before = identity.references.clone(), image.clone()
    score(pack, analyzer, identity, image)
    assert torch.equal(identity.references, before[0])
    assert torch.equal(image, before[1])


def test_another_recogniser_and_nobody_are_sentences(
    pack: Any, analyzer: Any, identity_of: Any
) -> None:
    own = identity_of(1)
    foreign = replace(own, recogniser=replace(own.recogniser, sha256="f" * 64))
    with pytest.raises(Exception, match="different face recognisers"):
        score(pack, analyzer, foreign, photo(1))
    with pytest.raises(Exception, match="identity is nobody"):
        score(pack, analyzer, type(own)(own.references[:0], own.recogniser), photo(1))
    with pytest.raises(Exception, match="at least one pixel"):
        score(pack, analyzer, own, torch.zeros(1, 0, 0, 3))


def test_the_matrix_tells_people_apart(pack: Any, identity_of: Any, faces_of: Any) -> None:
    same = pack.run(
        "InstantIDEmbedIdentity",
        faces=faces_of(torch.cat([photo(1), photo(1, roll=10)])),
        combine="sequence",
    )[0]
    text, picture = pack.run(
        "InstantIDCompareIdentities",
        identities={"identity0": same, "identity1": identity_of(2)},
    )
    table = [line.split() for line in text.splitlines()]
    assert table[0] == ["identity0.0", "identity0.1", "identity1"]
    assert float(table[1][2]) > 0.95, "one person in two photos"
    assert abs(float(table[1][3])) < 0.1
    assert table[-1][:2] == ["least", "alike:"]
    assert table[-1][-2:] == ["another", "person"]
    assert picture.shape[0] == 1


def test_a_single_identity_has_nothing_to_be_compared_with(pack: Any, identity_of: Any) -> None:
    with pytest.raises(Exception, match="two references or more, found 1"):
        pack.run("InstantIDCompareIdentities", identities={"identity0": identity_of(1)})


def test_picture_and_text_show_on_the_node(pack: Any, analyzer: Any, identity_of: Any) -> None:
    node = host_nodes.NODE_CLASS_MAPPINGS["InstantIDScoreIdentity"]
    done = node.execute(analyzer=analyzer, identity=identity_of(1), image=photo(1))
    assert done.ui["text"] == (done.result[1],)
    (saved,) = done.ui["images"]
    assert saved["type"] == "temp"
    assert Path(folder_paths.get_temp_directory(), saved["filename"]).is_file()


def test_scores_are_a_list_for_the_nodes_behind(pack: Any) -> None:
    schema = host_nodes.NODE_CLASS_MAPPINGS["InstantIDScoreIdentity"].GET_SCHEMA()
    assert [out.is_output_list for out in schema.outputs] == [True, False, False]
    assert schema.is_output_node
