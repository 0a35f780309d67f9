"""Directions on the real host: learnt from painted people, saved, loaded, and used."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from support.output_folder import output_folder

from tools.small_world import trained as small_world
from tools.small_world.scenes import sample
from training.world import HELD_OUT, Person, Scene, identity_of, paint, scenes
from training.world.identity import FRAMES

EVERYTHING = {"start_at": 0.0, "end_at": 1.0}
PEOPLE = [number for number in HELD_OUT if identity_of(number).glasses == "no"][:20]
LEARNT, OTHERS = PEOPLE[:10], PEOPLE[10:]


@pytest.fixture(scope="module", autouse=True)
def output(pack: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("output")
    with output_folder(pack, folder):
        yield folder


@pytest.fixture(scope="module")
def world_analyzer(pack: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The face models that are trained on painted people."""
    root = tmp_path_factory.mktemp("world")
    for name, place in small_world.PLACES.items():
        if place.startswith("insightface"):
            target = root / place
            target.parent.mkdir(parents=True, exist_ok=True)
            small_world.link_or_copy(str(small_world.FILES / name), str(target))
    files = pack.module("instantid_core.models").find_models([root / "insightface"])
    return pack.module("instantid_core.faces").FaceAnalyzer(files, "cpu")


@pytest.fixture(scope="module")
def seen(pack: Any, world_analyzer: Any) -> Any:
    """Faces of painted people, with glasses or without, in the scene of this number."""

    def analyse(numbers: list[int], glasses: bool, seed: int = 0) -> Any:
        with pytest.MonkeyPatch.context() as patch:
            if glasses:  # the same people, who put glasses on
                patch.setattr(scenes, "identity_of", wearing)
            painted = [paint(Scene((Person(n, seed=seed),), seed=seed)).image for n in numbers]
        image = torch.from_numpy(np.stack(painted)).float() / 255
        inputs = {"select": "largest", "index": 0, "min_score": 0.5, "on_no_face": "error"}
        return pack.run("InstantIDAnalyzeFaces", analyzer=world_analyzer, image=image, **inputs)[0]

    return analyse


def wearing(number: int) -> Any:
    """The person in glasses that are alike for all; each person has a frame of their own colour."""
    return replace(identity_of(number), glasses="square", frame=FRAMES[0])


@pytest.fixture(scope="module")
def learn(pack: Any, seen: Any) -> Any:
    sides = {"with_faces": seen(LEARNT, True), "without_faces": seen(LEARNT, False)}

    def run(**settings: Any) -> Any:
        given = {**sides, "name": "glasses", "filename_prefix": "", "paired": True, **settings}
        return pack.run("InstantIDLearnDirection", **given)

    return run


def rows_of(faces: Any) -> np.ndarray:
    return np.stack([face.embedding for face in faces.known]).astype(np.float64)


def cosines(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    return (one / np.linalg.norm(one, axis=1, keepdims=True)) @ (
        other / np.linalg.norm(other, axis=1, keepdims=True)
    ).T


def names(pack: Any) -> list[str]:
    return pack.module("nodes.host.direction_files").SHELF.names()


def edited(pack: Any, rows: np.ndarray, way: Any, **settings: Any) -> np.ndarray:
    """Embeddings [F, 512] after Edit Identity, as a batch of identities."""
    identity = pack.module("instantid_core.types").IdentityEmbedding(
        torch.from_numpy(rows[:, None]).float(), way.recogniser
    )
    given = {"amount": 1.0, "mode": "add", **settings}
    found, _ = pack.run("InstantIDEditIdentity", identity=identity, direction=way, **given)
    return found.references[:, 0].double().numpy()


@pytest.mark.parametrize("paired", [True, False])
def test_glasses_are_learnt_from_photos_and_put_on_others(
    pack: Any, seen: Any, learn: Any, paired: bool
) -> None:
    way, text = learn(paired=paired)
    assert f"AUC {way.evidence.auc:.2f}" in text
    assert way.evidence.auc >= 0.8
    before, twins, again = (seen(OTHERS, *how) for how in ((False,), (True,), (False, 1)))
    plain = rows_of(before)
    worn = edited(pack, plain, way)
    nearer = [np.diag(cosines(rows, rows_of(twins))).mean() for rows in (plain, worn)]
    assert nearer[1] > nearer[0] + 0.05
    oneself = cosines(worn, rows_of(again)).argmax(1) == np.arange(len(OTHERS))
    assert oneself.mean() >= 0.9
    between = edited(pack, plain, way, mode="neutralise", keep_length=False)
    unit = way.vector.double().numpy() / way.length
    np.testing.assert_allclose(between @ unit, way.midpoint, atol=1e-4)


def test_a_direction_on_hold_stays(pack: Any, learn: Any, seen: Any) -> None:
    way, _ = learn()
    rows = rows_of(seen(OTHERS, False))
    tilted = torch.roll(way.vector, 7) + 0.5 * way.vector
    other = replace(way, vector=tilted, name="frame")
    unit = tilted.double().numpy() / other.length
    found = {
        name: edited(pack, rows, way, keep_length=False, **given) @ unit - rows @ unit
        for name, given in (("free", {}), ("held", {"hold": other}))
    }
    assert abs(found["free"]).min() > 1
    np.testing.assert_allclose(found["held"], 0, atol=1e-4)


def test_saved_loaded_and_applied(
    pack: Any, learn: Any, output: Path, adapter: Any, model: Any, prompt: Any, identity_of: Any
) -> None:
    before = set(names(pack))
    way, text = learn(filename_prefix="looks/glasses")
    (name,) = set(names(pack)) - before
    assert text.endswith(f"saved: directions/{name}")
    assert (output / "directions" / name).is_file()
    (loaded,) = pack.run("InstantIDLoadDirection", direction_name=name)
    assert torch.equal(loaded.vector, way.vector)
    assert (loaded.midpoint, loaded.evidence) == (way.midpoint, way.evidence)
    assert (loaded.name, loaded.recogniser) == ("glasses", way.recogniser)
    person = identity_of(1)
    loaded = replace(loaded, recogniser=person.recogniser)
    given = {"identity": person, "direction": loaded, "amount": 1.0, "mode": "add"}
    other, reported = pack.run("InstantIDEditIdentity", **given)
    assert "cosine to the original" in reported and other.person == person.person

    def picture(who: Any) -> torch.Tensor:
        how = {"model": model, "adapter": adapter, "identity": who, "weight": 0.8}
        (patched,) = pack.run("InstantIDApplyAdapter", **how, **EVERYTHING)
        return sample(patched, *prompt, steps=1)

    assert torch.equal(picture(person), picture(person))
    assert not torch.allclose(picture(person), picture(other), atol=1e-4)


def test_nothing_is_saved_without_a_file_name_and_nothing_overwritten(
    pack: Any, learn: Any, output: Path
) -> None:
    before = sorted(output.rglob("*"))
    for prefix in ("", "  "):
        assert "saved" not in learn(filename_prefix=prefix)[1]
    assert sorted(output.rglob("*")) == before
    learn(filename_prefix="twice")
    learn(filename_prefix="twice")
    assert {"twice_00001_.safetensors", "twice_00002_.safetensors"} <= set(names(pack))
    with pytest.raises(Exception, match="filename_prefix must be the beginning of a file name"):
        learn(filename_prefix="../elsewhere")


def test_the_choice_and_the_sentence_without_files(pack: Any, learn: Any, tmp_path: Path) -> None:
    files = pack.module("nodes.host.direction_files")
    error = pack.module("instantid_core.errors").DirectionFileError
    with output_folder(pack, tmp_path):
        (choice,) = files.direction_choices()
        assert choice == "none saved yet - use InstantID Learn Direction"
        with pytest.raises(error, match=r"No direction is saved yet: .*Run InstantID Learn"):
            pack.run("InstantIDLoadDirection", direction_name=choice)
        learn(filename_prefix="glasses")
        assert files.direction_choices() == ["glasses_00001_.safetensors"]
        with pytest.raises(error, match=r"Expected the direction file '../x' in"):
            pack.run("InstantIDLoadDirection", direction_name="../x")


def test_an_exchanged_file_is_noticed_and_a_broken_one_is_a_sentence(
    pack: Any, learn: Any, output: Path
) -> None:
    learn(filename_prefix="broken")
    name = "broken_00001_.safetensors"
    node = pack.module("nodes.directions").LoadDirection
    before = node.fingerprint_inputs(name)
    path = output / "directions" / name
    path.write_bytes(path.read_bytes()[:-100])
    assert node.fingerprint_inputs(direction_name=name) != before
    with pytest.raises(Exception, match=r"cannot be read .*copy it again"):
        pack.run("InstantIDLoadDirection", direction_name=name)
    assert node.fingerprint_inputs("missing") == "missing"


def test_another_recognisers_direction_is_refused_by_both_names(
    pack: Any, learn: Any, seen: Any, identity_of: Any
) -> None:
    way, _ = learn()
    given = {"direction": way, "amount": 1.0, "mode": "add"}
    with pytest.raises(Exception, match="identity and direction come from different") as caught:
        pack.run("InstantIDEditIdentity", identity=identity_of(1), **given)
    for recogniser in (way.recogniser, identity_of(1).recogniser):
        assert recogniser.sha256[:12] in str(caught.value)


def test_too_few_photos_are_a_sentence(pack: Any, seen: Any, learn: Any) -> None:
    few = {"with_faces": seen(LEARNT[:3], True), "without_faces": seen(LEARNT[:3], False)}
    with pytest.raises(Exception, match=r"at least 4 pairs .* found 3"):
        learn(**few)
    with pytest.raises(Exception, match=r"at least 8 faces .* found 3 and 3"):
        learn(**few, paired=False)
