"""Warnings come once in each run, in the log and on the screen."""

from __future__ import annotations

import importlib
import logging
import pkgutil
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import folder_paths
import pytest
import torch
from comfy_execution.utils import CurrentNodeContext
from execution import full_type_name
from support.host_calls import own_warnings

from tools.small_world import painter
from tools.small_world.scenes import photo

SETTINGS = {"select": "largest", "index": 0, "min_score": 0.5, "on_no_face": "error"}


@pytest.fixture
def notices(pack: Any, monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What the browser is sent."""
    sent: list[dict[str, Any]] = []

    def send(event: str, data: dict[str, Any], sid: str) -> None:
        assert (event, sid) == ("instantid_compose.warning", "a browser")
        sent.append(data)

    instance = SimpleNamespace(send_sync=send, client_id="a browser")
    server = SimpleNamespace(PromptServer=SimpleNamespace(instance=instance))
    monkeypatch.setitem(sys.modules, "server", server)
    return sent


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return own_warnings(caplog)


def test_a_sentence_is_said_once_in_a_run(
    pack: Any, notices: list[dict[str, Any]], caplog: pytest.LogCaptureFixture
) -> None:
    warn = pack.module("nodes.host.notices").warn
    for run, node in (("first", "1"), ("first", "2"), ("second", "1")):
        with CurrentNodeContext(run, node):
            warn(["Watch out.", "Watch out."])
    expected = [("first", "1"), ("second", "1")]
    assert [(each["prompt_id"], each["node"]) for each in notices] == expected
    assert {each["message"] for each in notices} == {"Watch out."}
    assert warnings(caplog) == ["Watch out."] * 2


def test_outside_of_a_run_only_the_log_hears(
    pack: Any, notices: list[dict[str, Any]], caplog: pytest.LogCaptureFixture
) -> None:
    pack.module("nodes.host.notices").warn(["At the start."])
    assert warnings(caplog) == ["At the start."]
    assert notices == []


def test_watching_twice_does_not_say_things_twice(
    pack: Any, notices: list[dict[str, Any]], caplog: pytest.LogCaptureFixture
) -> None:
    module = pack.module("nodes.host.notices")
    module.watch_warnings()
    module.warn(["Only once."])
    assert warnings(caplog) == ["Only once."]


def test_warnings_of_the_core_come_by_too(
    pack: Any, notices: list[dict[str, Any]], caplog: pytest.LogCaptureFixture
) -> None:
    """Such as the provider that face analysis falls back from."""
    sessions = pack.module("instantid_core.libraries.onnx_sessions")
    with CurrentNodeContext(str(uuid4()), "4"):
        assert sessions.candidates("cuda", ["CPUExecutionProvider"]) == ["CPUExecutionProvider"]
    (sent,) = notices
    assert "Face analysis was asked to use cuda" in sent["message"]
    assert warnings(caplog) == [sent["message"]]


def test_folders_of_the_server_stay_in_the_log(
    pack: Any, notices: list[dict[str, Any]], caplog: pytest.LogCaptureFixture
) -> None:
    base, models = folder_paths.base_path, folder_paths.models_dir
    said = f"Look into {base}/models/instantid, {base}-old/x, /mnt{base}/x and {models}."
    with CurrentNodeContext(str(uuid4()), "4"):
        pack.module("nodes.host.notices").warn([said])
    named = f"Look into {Path(base).name}/models/instantid, "
    shown = f"{named}{base}-old/x, /mnt{base}/x and {Path(models).name}."
    assert [each["message"] for each in notices] == [shown]
    assert warnings(caplog) == [said]


def test_comfyui_names_errors_without_their_module(pack: Any) -> None:
    errors = pack.module("instantid_core.errors")
    for kind in (errors.InstantIDError, errors.NoFaceError, errors.UnknownNumbersError):
        assert full_type_name(kind) == f"InstantID.{kind.__name__}"


def test_no_server_and_no_browser_are_no_trouble(
    pack: Any, notices: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    for server in (SimpleNamespace(), SimpleNamespace(PromptServer=SimpleNamespace(instance=None))):
        monkeypatch.setitem(sys.modules, "server", server)
        with CurrentNodeContext(str(id(server)), "1"):
            pack.module("nodes.host.notices").warn(["Nobody listens."])


def test_a_small_face_and_a_skipped_picture_are_reported(
    pack: Any, analyzer: Any, notices: list[dict[str, Any]]
) -> None:
    small = torch.from_numpy(painter.portrait(512, 512, identity=1, size=40)[0])[None] / 255
    images = torch.cat([small, torch.zeros(1, 512, 512, 3)])
    with CurrentNodeContext(str(uuid4()), "7"):
        faces, *_ = pack.run(
            "InstantIDAnalyzeFaces",
            analyzer=analyzer,
            image=images,
            **SETTINGS | {"on_no_face": "skip"},
        )
        assert len(notices) == 1, "a face whose identity nobody has asked for"
        pack.run("InstantIDEmbedIdentity", faces=faces, combine="average")
    skipped, face = [each["message"] for each in notices]
    assert skipped.startswith("1 of 2 pictures had no face to choose and were skipped: 2.")
    assert face.startswith("Face 1 of image 1 is small")


def test_numbers_that_are_none_fall_back_to_index(
    pack: Any, analyzer: Any, notices: list[dict[str, Any]]
) -> None:
    with CurrentNodeContext(str(uuid4()), "7"):
        faces, _, _, count = pack.run(
            "InstantIDAnalyzeFaces",
            analyzer=analyzer,
            image=photo(1),
            **SETTINGS | {"select": "index", "numbers": "the left one"},
        )
    assert (count, faces.count) == (1, 1)
    (sent,) = notices
    assert "found 'the left one'. The face of index = 0" in sent["message"]


def test_the_size_that_brings_watermarks_is_reported(
    pack: Any, notices: list[dict[str, Any]], faces_of: Any
) -> None:
    faces = faces_of(photo(1))
    for run, width in (("drawing", 1024), ("other", 1016)):
        with CurrentNodeContext(run, "9"):
            pack.run("InstantIDDrawKeypoints", faces=faces, width=width, height=1024, fit="crop")
    assert ["watermarks" in each["message"] for each in notices] == [True]


def test_identity_net_tells_of_that_size_when_it_draws(
    pack: Any, notices: list[dict[str, Any]], faces_of: Any
) -> None:
    net = pack.module("nodes.host.identity_net")
    Extent = pack.module("instantid_core.types").Extent  # noqa: N806  a class
    preview = object()
    hint = pack.module("instantid_core.adapter").DrawnHint(faces_of(photo(1)), "letterbox", None)
    stand_in = SimpleNamespace(
        condition=SimpleNamespace(hint=hint), cond_hint_original=preview, preview=preview
    )
    for run, side in (("sampling", 1024), ("other", 1016)):
        with CurrentNodeContext(run, "11"):
            net.IdentityNet._picture(stand_in, Extent(side, side))
    assert [each["prompt_id"] for each in notices] == ["sampling"]


def test_every_logger_says_only_what_a_log_can_print(
    pack: Any, notices: list[dict[str, Any]], caplog: pytest.LogCaptureFixture
) -> None:
    """A lone surrogate in a log line ends ComfyUI's prompt worker."""
    core = pack.module("instantid_core")
    for module in pkgutil.walk_packages(core.__path__, f"{core.__name__}."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    known = logging.getLogger().manager.loggerDict
    names = [
        name
        for name, logger in known.items()
        if name.startswith(f"{pack.name}.") and isinstance(logger, logging.Logger)
    ]
    assert len(names) >= 6
    for name in names:
        with CurrentNodeContext(str(uuid4()), "1"):
            logging.getLogger(name).warning("found %s", "\ud800\x1b[2J\n" * 1000)
            logging.getLogger(name).info("found %s", "\ud800\x1b[2J\n" * 1000)
    said = [record.getMessage() for record in caplog.records]
    said += [each["message"] for each in notices]
    assert len(notices) == len(names)
    assert all(len(text) <= 1000 and text.startswith(r"found \ud800\x1b[2J\n") for text in said)
