"""A run is followed by the server's events, and faults become sentences."""

import asyncio
import io

import pytest

from tools.comfyui.client import (
    ClientError,
    Follower,
    Progress,
    RunFailedError,
    explain_refusal,
    multipart,
)
from tools.comfyui.console import Progress as ConsoleProgress

PROMPT = {
    "1": {"class_type": "LoadImage", "inputs": {}, "_meta": {"title": "Photo"}},
    "2": {"class_type": "KSampler", "inputs": {}, "_meta": {"title": "Sampler"}},
}


def event(kind, **data):
    return {"type": kind, "data": {"prompt_id": "mine", **data}}


def follow(*events, listener=lambda progress: None):
    async def stream():
        for one in events:
            yield one

    return asyncio.run(Follower(PROMPT, "mine", listener).follow(stream()))


IMAGES = {"images": [{"filename": "a.png", "subfolder": "", "type": "output"}]}
GOOD = (
    {"type": "status", "data": {"status": {}}},
    event("executing", node="1"),
    event("executing", node="2"),
    event("progress", node="2", value=1, max=2),
    {"type": "progress", "data": {"prompt_id": "other", "node": "2", "value": 9, "max": 9}},
    event("progress", node="2", value=2, max=2),
    event("executed", node="2", output=IMAGES),
    event("executing", node=None),
)


def test_a_run_has_its_outputs_and_times():
    reported = []
    run = follow(*GOOD, listener=reported.append)
    assert run.outputs == {"2": IMAGES}
    assert [time.title for time in run.times] == ["Photo", "Sampler"]
    assert reported == [
        Progress("1", "Photo"),
        Progress("2", "Sampler"),
        Progress("2", "Sampler", 1, 2),
        Progress("2", "Sampler", 2, 2),
    ]


def test_a_failing_node_is_named():
    failure = event(
        "execution_error",
        node_id="1",
        exception_type="NoFaceError",
        exception_message="No face in image 0.\n",
    )
    with pytest.raises(RunFailedError, match=r"^'Photo' failed with NoFaceError: No face in image"):
        follow(event("executing", node="1"), failure)


def test_a_server_that_goes_away_is_reported():
    with pytest.raises(ClientError, match="closed the connection before the picture was done"):
        follow(*GOOD[:3])


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (
            {
                "error": {"message": "Prompt outputs failed validation", "details": ""},
                "node_errors": {
                    "1": {
                        "class_type": "LoadImage",
                        "errors": [{"message": "Value not in list", "details": "image: 'x.png'"}],
                    }
                },
            },
            "  Photo (LoadImage): Value not in list - image: 'x.png'",
        ),
        (
            {"error": {"message": "Prompt has no outputs", "details": ""}, "node_errors": {}},
            "  Prompt has no outputs ",
        ),
    ],
    ids=["node", "whole"],
)
def test_a_refusal_is_readable(answer, sentence):
    first, second = explain_refusal(PROMPT, answer).splitlines()
    assert first == "ComfyUI did not accept the workflow:"
    assert second == sentence


def test_an_upload_is_a_form_with_one_file():
    body, content_type = multipart("face.png", b"pixels")
    boundary = content_type.partition("boundary=")[2].encode()
    assert body.startswith(b"--" + boundary + b"\r\n")
    assert b'name="image"; filename="face.png"\r\nContent-Type: image/png\r\n\r\npixels\r\n' in body
    assert body.endswith(b"--" + boundary + b"--\r\n")


def test_a_console_that_cannot_redraw_shows_the_finished_bar_only():
    stream = io.StringIO()
    show = ConsoleProgress(stream)
    for value in range(3):
        show(Progress("2", "Sampler", value, 2 if value else 0))
    assert stream.getvalue() == f"  Sampler\n    [{'#' * 24}] 2/2\n"
