"""What nodes hand to the panels of the front end, and the bars that they show while they work."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import comfy.utils
import folder_paths
import pytest
import torch
from PIL import Image

import nodes as host_nodes
from tools.small_world.scenes import photo

SETTINGS = {"select": "largest", "index": 0, "min_score": 0.5, "on_no_face": "skip"}


def shown(node_id: str, **inputs: Any) -> dict[str, Any]:
    return host_nodes.NODE_CLASS_MAPPINGS[node_id].execute(**inputs).ui


def opened(image: dict[str, str]) -> Image.Image:
    assert image["type"] == "temp"
    return Image.open(
        Path(folder_paths.get_temp_directory(), image["subfolder"], image["filename"])
    )


def two_faces() -> torch.Tensor:
    return torch.cat([photo(1, 256, 256), photo(2, 256, 256)], dim=2)


# Face picker


def picker(analyzer: Any, image: torch.Tensor, **settings: Any) -> list[dict[str, Any]]:
    ui = shown("InstantIDAnalyzeFaces", analyzer=analyzer, image=image, **SETTINGS | settings)
    assert len(ui["images"]) == len(image), "the preview is still there"
    (text,) = ui["instantid_faces"]
    return json.loads(text)


def test_the_picker_gets_pictures_and_boxes(pack: Any, analyzer: Any) -> None:
    (picture,) = picker(analyzer, two_faces(), select="index", index=1)
    assert (picture["width"], picture["height"]) == (512, 256)
    assert opened(picture["image"]).size == (512, 256)
    left, right = picture["faces"]
    assert [left["number"], right["number"]] == [0, 1]
    assert [left["chosen"], right["chosen"]] == [False, True]
    for face, middle in ((left, 0.25), (right, 0.75)):
        assert (face["box"][0] + face["box"][2]) / 2 == pytest.approx(middle, abs=0.03)
        assert 0.5 <= face["score"] <= 1
        assert 50 < face["size"] < 256


def test_several_numbers_choose_several_faces(pack: Any, analyzer: Any) -> None:
    (picture,) = picker(analyzer, two_faces(), select="index", numbers="1, 0")
    assert all(face["chosen"] for face in picture["faces"])
    faces, *_ = pack.run(
        "InstantIDAnalyzeFaces",
        analyzer=analyzer,
        image=two_faces(),
        **SETTINGS | {"select": "index", "numbers": "1, 0"},
    )
    right, left = faces.all
    assert left.box.centre[0] < right.box.centre[0]


def test_every_picture_of_a_batch_has_its_own_numbers(pack: Any, analyzer: Any) -> None:
    batch = torch.cat([two_faces(), torch.zeros(1, 256, 512, 3)])
    first, empty = picker(analyzer, batch)
    assert len(first["faces"]) == 2
    assert empty["faces"] == []
    assert first["image"] != empty["image"]


def test_large_pictures_are_sent_small(pack: Any, analyzer: Any) -> None:
    (picture,) = picker(analyzer, photo(1, 1600, 1200))
    assert (picture["width"], picture["height"]) == (1600, 1200)
    assert opened(picture["image"]).size == (768, 576)


# Likeness panel


def panel(analyzer: Any, identity: Any, image: torch.Tensor, **more: Any) -> dict[str, Any]:
    ui = shown("InstantIDScoreIdentity", analyzer=analyzer, identity=identity, image=image, **more)
    (text,) = ui["instantid_likeness"]
    return json.loads(text)


def test_the_panel_gets_crops_figures_and_bands(pack: Any, analyzer: Any, identity_of: Any) -> None:
    images = torch.cat([photo(1), photo(2), torch.zeros(1, 512, 512, 3)])
    report = panel(analyzer, identity_of(1), images, reference_image=photo(1))
    assert report["limits"] == {"copy": 0.8, "strong": 0.5, "moderate": 0.32}
    same, other, nobody = report["results"]
    assert same["cosine"] == pytest.approx(1, abs=1e-6)
    assert [same["band"], other["band"], nobody["band"]] == ["copy", "weak", None]
    assert nobody["cosine"] is None
    assert nobody["text"] == "n/a (no face)"
    for image in (report["reference"], *(each["image"] for each in report["results"])):
        assert opened(image).size == (256, 256)


def test_without_a_photo_the_reference_is_the_identitys_own_picture(
    pack: Any, analyzer: Any, identity_of: Any
) -> None:
    own = identity_of(1)
    report = panel(analyzer, own, photo(1))
    assert opened(report["reference"]).size == (128, 128)
    assert report["name"] == ""
    faceless = replace(own, person=own.person._replace(name="Anna", portrait=b""))
    report = panel(analyzer, faceless, photo(1))
    assert (report["reference"], report["name"]) == (None, "Anna")


# Progress


@pytest.fixture
def bars(monkeypatch: pytest.MonkeyPatch) -> list[list[int]]:
    """Total and steps of every bar that was shown."""
    seen: list[list[int]] = []

    class Bar:
        def __init__(self, total: int) -> None:
            self.record = [total, 0]
            seen.append(self.record)

        def update(self, steps: int) -> None:
            self.record[1] += steps

    monkeypatch.setattr(comfy.utils, "ProgressBar", Bar)
    return seen


def test_analysis_moves_a_bar_for_each_picture(
    pack: Any, analyzer: Any, bars: list[list[int]]
) -> None:
    picker(analyzer, torch.cat([photo(1), photo(2), photo(3)]))
    assert bars == [[3, 3]]


def test_projection_moves_a_bar_once(
    pack: Any, model: Any, adapter: Any, identity_of: Any, bars: list[list[int]]
) -> None:
    settings = {"weight": 0.8, "start_at": 0.0, "end_at": 1.0}
    identity = identity_of(9)
    bars.clear()
    for _ in range(2):
        pack.run(
            "InstantIDApplyAdapter", model=model, adapter=adapter, identity=identity, **settings
        )
    assert bars == [[70, 70]], "what is known already is not projected again"


def test_a_group_moves_one_bar_for_all_people(
    pack: Any,
    model: Any,
    adapter: Any,
    control_net: Any,
    prompt: Any,
    identity_of: Any,
    faces_of: Any,
    bars: list[list[int]],
) -> None:
    people = {f"identity{number}": identity_of(number + 12) for number in range(2)}
    faces = faces_of(two_faces(), select="left_to_right")
    bars.clear()
    pack.run(
        "InstantIDApplyGroup",
        model=model,
        positive=prompt.positive,
        negative=prompt.negative,
        adapter=adapter,
        control_net=control_net,
        faces=faces,
        identities=people,
        weight=0.8,
        strength=0.8,
        start_at=0.0,
        end_at=1.0,
        match="left_to_right",
        shape="ellipse",
        padding=0.5,
        feather=0.2,
    )
    assert bars == [[2, 2]]
