"""Saved people on the real host: kept with identities, listed, renamed, deleted, and their consent
in the metadata of pictures."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from support.output_folder import output_folder

from tools.small_world.scenes import photo

HEADERS = {"X-InstantID-Compose": "1"}


@pytest.fixture(autouse=True)
def output(pack: Any, tmp_path: Path) -> Iterator[Path]:
    """An output folder of its own, known to the pack."""
    with output_folder(pack, tmp_path):
        yield tmp_path / "identities"


def save(pack: Any, identity: Any, prefix: str = "anna", **settings: Any) -> str:
    """The name that Load Identity takes."""
    files = pack.module("nodes.host.identity_files")
    before = set(files.identity_names())
    pack.run("InstantIDSaveIdentity", identity=identity, filename_prefix=prefix, **settings)
    (name,) = set(files.identity_names()) - before
    return name


def load(pack: Any, name: str) -> Any:
    return pack.run("InstantIDLoadIdentity", identity_name=name)[0]


class Body:
    """The content of a request."""

    def __init__(self, content: bytes) -> None:
        self.left = content

    async def read(self, size: int) -> bytes:
        piece, self.left = self.left[:size], self.left[size:]
        return piece


def ask(pack: Any, handler: Any, body: object = None) -> tuple[int, Any]:
    """The answer of a route, through the guard that all of them have."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    request = SimpleNamespace(host="127.0.0.1:8188", headers=HEADERS, content=Body(content))
    guarded = pack.module("nodes.host.requests").same_origin(handler)
    answer = asyncio.run(guarded(request))
    return answer.status, json.loads(answer.text)


def change(pack: Any, what: str, body: object) -> tuple[int, Any]:
    routes = pack.module("nodes.host.people_routes")
    return ask(pack, routes.changes(getattr(routes, what)), body)


def everybody(pack: Any) -> list[dict[str, Any]]:
    status, answer = ask(pack, pack.module("nodes.host.people_routes").listing)
    assert status == 200
    return answer["people"]


def test_a_saved_person_has_a_face_a_name_and_the_same_numbers(pack: Any, identity_of: Any) -> None:
    identity = identity_of(4)
    with_picture, without = save(pack, identity), save(pack, identity, keep_picture=False)
    first, second = load(pack, with_picture), load(pack, without)
    assert torch.equal(first.references, identity.references)
    assert torch.equal(second.references, identity.references)
    assert first.person.portrait == identity.person.portrait != b""
    assert second.person.portrait == b""
    assert [each.person.name for each in (first, second)] == ["anna", "anna 2"]


def test_the_faces_give_the_picture_where_the_identity_has_none(
    pack: Any, identity_of: Any, faces_of: Any
) -> None:
    nameless = replace(identity_of(4), person=type(identity_of(4).person)())
    name = save(pack, nameless, faces=faces_of(photo(4)))
    assert load(pack, name).person.portrait == identity_of(4).person.portrait


def test_consent_and_name_stay_when_it_is_saved_again(pack: Any, identity_of: Any) -> None:
    loaded = load(pack, save(pack, identity_of(1), consent=" Anna signed\nin May "))
    assert loaded.person.consent == "Anna signed in May"
    again = load(pack, save(pack, loaded, prefix="identity"))
    assert again.person == loaded.person
    with pytest.raises(Exception, match="consent is one line of at most 400 characters"):
        save(pack, loaded, consent="x" * 500)


def test_comparison_and_score_call_people_by_their_names(
    pack: Any, identity_of: Any, analyzer: Any
) -> None:
    anna, bo = (
        load(pack, save(pack, identity_of(number), prefix))
        for number, prefix in ((1, "anna"), (2, "bo"))
    )
    both = {"identity0": anna, "identity1": bo}
    text = pack.run("InstantIDCompareIdentities", identities=both)[0]
    assert "least alike: anna and bo" in text
    assert "identity0" not in text
    scored = pack.run("InstantIDScoreIdentity", analyzer=analyzer, identity=bo, image=photo(2))
    assert scored[1].startswith("image 1 to bo: ")
    combined = pack.run("InstantIDCombineIdentities", identities=both, weights="1, 3")
    assert combined[1] == "anna: share 0.25\nbo: share 0.75"


def test_nobody_saved_yet_is_a_choice_and_a_sentence(pack: Any) -> None:
    files = pack.module("nodes.host.identity_files")
    (choice,) = files.identity_choices()
    assert choice == "nobody saved yet - use InstantID Save Identity"
    with pytest.raises(Exception, match=r"Nobody is saved yet: .*Run InstantID Save Identity once"):
        load(pack, choice)


def test_the_list_tells_of_everybody(pack: Any, identity_of: Any, output: Path) -> None:
    name = save(pack, identity_of(1), consent="signed")
    plain = save(pack, identity_of(2), "bo", keep_picture=False)
    (output / "broken.safetensors").write_bytes(b"no identity")
    found = {person["file"]: person for person in everybody(pack)}
    assert (found[name]["name"], found[name]["consent"]) == ("anna", "signed")
    assert found[name]["portrait"].startswith("/9j/"), "JPEG in base64"
    assert found[plain]["portrait"] == ""
    assert "cannot be read" in found["broken.safetensors"]["problem"]
    assert str(output) not in found["broken.safetensors"]["problem"]
    assert found[name]["own"] and found[plain]["own"]


def test_rename_and_delete(pack: Any, identity_of: Any, output: Path) -> None:
    name = save(pack, identity_of(1))
    before = load(pack, name)
    status, answer = change(pack, "rename", {"file": name, "name": " Anna Lee "})
    assert status == 200
    assert "Anna Lee" in [person["name"] for person in answer["people"]]
    assert load(pack, name).person == before.person._replace(name="Anna Lee")
    assert torch.equal(load(pack, name).references, before.references)
    status, answer = change(pack, "delete", {"file": name})
    assert status == 200
    assert name not in [person["file"] for person in answer["people"]]
    assert os.listdir(output) == []


@pytest.mark.parametrize("what", ["rename", "delete"])
@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"file": "../outside.safetensors", "name": "x"}, 409),
        ({"file": "anna_00001_.safetensors/../../outside.safetensors", "name": "x"}, 409),
        ({"file": "/etc/passwd", "name": "x"}, 409),
        ({"file": "", "name": "x"}, 409),
        ({"file": 7, "name": "x"}, 400),
        ({"file": "anna_00001_.safetensors", "name": ["x"]}, 400),
        (["anna_00001_.safetensors"], 400),
        (b"{", 400),
        (b"[" * 5000, 400),
        (b'"' + b"x" * 9000 + b'"', 400),
    ],
    ids=str,
)
def test_hostile_requests_change_nothing(
    pack: Any, identity_of: Any, output: Path, what: str, body: object, status: int
) -> None:
    save(pack, identity_of(1))
    (output.parent / "outside.safetensors").write_bytes(b"precious")
    before = {path: path.read_bytes() for path in output.parent.rglob("*") if path.is_file()}
    found, answer = change(pack, what, body)
    assert found == status
    assert answer["error"].startswith("Expected")
    after = {path: path.read_bytes() for path in output.parent.rglob("*") if path.is_file()}
    assert after == before


def test_files_of_the_model_folder_are_shown_and_kept(
    pack: Any, identity_of: Any, output: Path, models_dir: Path
) -> None:
    name, folder = save(pack, identity_of(1), "shared"), models_dir / "instantid_identities"
    folder.mkdir(exist_ok=True)
    moved = folder / name
    (output / name).rename(moved)
    try:
        (person,) = [each for each in everybody(pack) if each["file"] == name]
        assert not person["own"]
        for what in ("rename", "delete"):
            status, answer = change(pack, what, {"file": name, "name": "x"})
            assert status == 409
            assert "only identities in" in answer["error"]
            assert str(output.parent) not in answer["error"]
            assert str(models_dir) not in answer["error"]
        assert moved.exists()
    finally:
        moved.unlink()


def test_a_folder_that_takes_no_changes_gives_a_sentence(
    pack: Any, identity_of: Any, output: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = save(pack, identity_of(1))

    opened = Path.open

    def reads_alone(path: Path, mode: str = "r", *given: Any, **named: Any) -> Any:
        if "x" in mode:
            raise OSError(30, "Read-only file system")
        return opened(path, mode, *given, **named)

    def refuse(_path: Path, missing_ok: bool = False) -> None:
        if not missing_ok:
            raise OSError(30, "Read-only file system")

    monkeypatch.setattr(Path, "open", reads_alone)
    monkeypatch.setattr(Path, "unlink", refuse)
    for what, said in (("rename", "cannot be written to"), ("delete", "cannot be deleted from")):
        status, answer = change(pack, what, {"file": name, "name": "x"})
        assert status == 409
        assert said in answer["error"]
        assert "Read-only file system" in answer["error"]
    monkeypatch.undo()
    assert load(pack, name).person.name == "anna"


def test_five_hundred_people(pack: Any, identity_of: Any, output: Path) -> None:
    content = (output / save(pack, identity_of(1))).read_bytes()
    for number in range(2, 501):
        (output / f"anna_{number:05}_.safetensors").write_bytes(content)
    people = everybody(pack)
    assert len([person for person in people if person["name"].startswith("anna")]) == 500
    assert len(json.dumps(people)) < 10_000_000


# --- consent in the metadata of pictures ----------------------------------------------------------


def prompt_of(*names: object) -> dict[str, Any]:
    nodes = {
        str(number): {"class_type": "InstantIDLoadIdentity", "inputs": {"identity_name": name}}
        for number, name in enumerate(names)
    }
    return {"prompt": nodes, "extra_data": {"extra_pnginfo": {"workflow": {"id": 1}}}}


def noted(pack: Any, data: Any) -> Any:
    return pack.module("nodes.host.consent").with_consent(data)


def test_a_picture_says_what_was_agreed(pack: Any, identity_of: Any) -> None:
    anna = save(pack, identity_of(1), consent="signed in May")
    bo = save(pack, identity_of(2), "bo")
    data = prompt_of(anna, anna, bo, ["7", 0], "gone.safetensors")
    before = json.dumps(data)
    found = noted(pack, data)
    assert json.dumps(data) == before
    assert found["extra_data"]["extra_pnginfo"] == {
        "workflow": {"id": 1},
        "instantid_consent": [{"file": anna, "name": "anna", "consent": "signed in May"}],
    }
    assert found["prompt"] == data["prompt"]
    del data["extra_data"]
    entries = noted(pack, data)["extra_data"]["extra_pnginfo"]
    assert list(entries) == ["instantid_consent"], "prompts of scripts carry none of their own"


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"prompt": None},
        {"prompt": {"1": None, "2": {"class_type": "InstantIDLoadIdentity"}}},
        {"prompt": {"1": {"class_type": "InstantIDLoadIdentity", "inputs": [1]}}},
        prompt_of("../../etc/passwd", 7, None, {}),
    ],
    ids=str,
)
def test_other_prompts_pass_as_they_are(pack: Any, data: Any) -> None:
    assert noted(pack, data) is data


def test_extra_data_of_another_kind_is_left_alone(pack: Any, identity_of: Any) -> None:
    anna = save(pack, identity_of(1), consent="signed")
    for extra in ([], {"extra_pnginfo": []}, {"extra_pnginfo": "x"}):
        data = {**prompt_of(anna), "extra_data": extra}
        found = noted(pack, data)
        assert found is data or found["extra_data"]["extra_pnginfo"].keys() == {"instantid_consent"}
