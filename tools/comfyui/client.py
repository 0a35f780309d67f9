"""A client of a running ComfyUI: upload, submit, follow, fetch.

Needs aiohttp, which every Python that runs ComfyUI has.
"""

import asyncio
import http.client
import json
import mimetypes
import time
import urllib.error
import urllib.parse
import urllib.request
import uuid
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from .prompts import Prompt

TIMEOUT = 60  # seconds without a byte of an HTTP answer; following a prompt has none
PATIENCE = 600  # seconds for a whole answer
PIECE = 1 << 20  # bytes
LARGEST_ANSWER = 1 << 30
LARGEST_EVENT = 1 << 28


class ClientError(Exception):
    """The server did not do what it was asked; the message says why."""


class PromptRefusedError(ClientError):
    """The server found a fault in the prompt before running it."""


class RunFailedError(ClientError):
    """A node failed while the prompt ran."""


@dataclass(frozen=True)
class Progress:
    """Progress of a node: `value` of `maximum` steps, or 0 of 0 when it starts."""

    node: str
    title: str
    value: int = 0
    maximum: int = 0


@dataclass(frozen=True)
class NodeTime:
    """Run time of one node."""

    node: str
    title: str
    seconds: float


@dataclass
class Run:
    """A finished prompt."""

    prompt_id: str
    outputs: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Node id to what the node showed, `images` among it."""
    times: list[NodeTime] = field(default_factory=list)
    """In the order in which nodes ran; those whose result was cached are absent."""


Listener = Callable[[Progress], None]


def ignore(_: Progress) -> None:
    """A listener for those who only want the result."""


class ComfyClient:
    """Talks to the server at `url`, such as `http://127.0.0.1:8188`.

    heartbeat: seconds between questions whether the server is still there while a prompt runs; a
    machine that is cut off from the network does not say so itself.
    """

    def __init__(self, url: str, heartbeat: float | None = None) -> None:
        self.url = url.rstrip("/")
        self.heartbeat = heartbeat
        self.client_id = uuid.uuid4().hex

    def object_info(self) -> dict[str, Any]:
        """Schemas of all node classes."""
        return json.loads(self.get("/object_info"))

    def history(self, prompt_id: str) -> dict[str, Any]:
        """The server's history entry of a finished prompt."""
        return json.loads(self.get(f"/history/{prompt_id}"))[prompt_id]

    def image(self, reference: Mapping[str, str]) -> bytes:
        """The file behind an entry of a node's `images`."""
        return self.get("/view?" + urllib.parse.urlencode(reference))

    def upload(self, name: str, content: bytes, **fields: str) -> str:
        """Puts an image into the server's input folder; returns the name for LoadImage.

        fields: what else the server's route takes: `type`, `subfolder`, `overwrite`.
        """
        body, content_type = multipart(name, content, fields)
        answer = json.loads(self._request("/upload/image", body, content_type))
        folder = answer.get("subfolder")
        return f"{folder}/{answer['name']}" if folder else answer["name"]

    def submit(self, prompt: Prompt) -> str:
        """Queues `prompt` and returns its id."""
        body = json.dumps({"prompt": prompt, "client_id": self.client_id}).encode()
        try:
            answer = json.loads(self._request("/prompt", body, "application/json"))
        except urllib.error.HTTPError as error:
            raise PromptRefusedError(explain_refusal(prompt, read_json(error))) from error
        if answer.get("node_errors"):
            raise PromptRefusedError(explain_refusal(prompt, answer))
        return answer["prompt_id"]

    def run(self, prompt: Prompt, listener: Listener = ignore) -> Run:
        """Submits `prompt` and follows it to its end."""
        return asyncio.run(self._follow(prompt, listener))

    async def _follow(self, prompt: Prompt, listener: Listener) -> Run:
        address = f"{self.url}/ws?clientId={self.client_id}"
        async with aiohttp.ClientSession() as session:
            try:
                # The socket opens before the prompt is sent, so that no event is missed.
                async with session.ws_connect(
                    address, max_msg_size=LARGEST_EVENT, heartbeat=self.heartbeat
                ) as socket:
                    follower = Follower(prompt, self.submit(prompt), listener)
                    return await follower.follow(messages(socket))
            except aiohttp.ClientError as error:
                raise ClientError(
                    f"The connection to ComfyUI at {self.url} was lost: {error}."
                ) from error

    def get(self, path: str) -> bytes:
        """The body of a GET request."""
        return self._request(path)

    def _request(
        self, path: str, body: bytes | None = None, content_type: str | None = None
    ) -> bytes:
        headers = {"Content-Type": content_type} if content_type else {}
        request = urllib.request.Request(self.url + path, data=body, headers=headers)
        # Proxies are for the network; this server is on this machine.
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), _NoRedirects())
        with opener.open(request, timeout=TIMEOUT) as response:
            return received(response, time.monotonic() + PATIENCE)


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """ComfyUI sends nobody elsewhere."""

    def redirect_request(
        self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str
    ) -> None:
        """No request; the answer becomes an HTTPError."""


def received(response: http.client.HTTPResponse, deadline: float) -> bytes:
    """An answer's body. Raises ClientError for one that is too large, or does not end."""
    content = bytearray()
    while piece := response.read1(PIECE):
        content += piece
        if len(content) > LARGEST_ANSWER:
            raise ClientError(f"The server sends more than {LARGEST_ANSWER} bytes in one answer.")
        if time.monotonic() > deadline:
            raise ClientError(f"The server's answer did not end within {PATIENCE} seconds.")
    return bytes(content)


class Follower:
    """Turns the server's events for one prompt into a `Run`."""

    def __init__(self, prompt: Prompt, prompt_id: str, listener: Listener) -> None:
        self.prompt = prompt
        self.result = Run(prompt_id)
        self.listener = listener
        self.node: str | None = None
        self.started = 0.0

    async def follow(self, events: AsyncIterator[Mapping[str, Any]]) -> Run:
        """Reads events until the prompt has ended."""
        async for event in events:
            data = event.get("data") or {}
            if data.get("prompt_id") == self.result.prompt_id and self._take(event["type"], data):
                return self.result
        raise ClientError(
            "ComfyUI closed the connection before the picture was done, so it has probably "
            "crashed. Its log has the reason."
        )

    def _take(self, kind: str, data: Mapping[str, Any]) -> bool:
        """Handles one event; True when it was the last."""
        if kind == "executing":
            self._enter(data["node"])
            return data["node"] is None
        if kind == "progress":
            self._tell(data["node"], int(data["value"]), int(data["max"]))
        elif kind == "executed" and data.get("output"):
            self.result.outputs[data["node"]] = data["output"]
        elif kind in ("execution_error", "execution_interrupted"):
            raise RunFailedError(explain_failure(self.prompt, kind, data))
        return False

    def _enter(self, node: str | None) -> None:
        now = time.monotonic()
        if self.node is not None:
            seconds = now - self.started
            self.result.times.append(NodeTime(self.node, self._title(self.node), seconds))
        self.node, self.started = node, now
        if node is not None:
            self._tell(node, 0, 0)

    def _tell(self, node: str, value: int, maximum: int) -> None:
        self.listener(Progress(node, self._title(node), value, maximum))

    def _title(self, node: str) -> str:
        return title(self.prompt, node)


async def messages(
    socket: "aiohttp.ClientWebSocketResponse[bool]",
) -> AsyncIterator[Mapping[str, Any]]:
    """Text events; binary ones are previews."""
    async for message in socket:
        if message.type is aiohttp.WSMsgType.TEXT:
            yield json.loads(message.data)


def title(prompt: Prompt, node: str) -> str:
    """The title of a node, or its id when the prompt does not have it."""
    known = prompt.get(node)
    if not known:
        return f"node {node}"
    return known.get("_meta", {}).get("title") or known["class_type"]


def explain_refusal(prompt: Prompt, answer: Mapping[str, Any]) -> str:
    """The server's 400 answer as sentences, one line for each fault."""
    lines = [
        f"  {title(prompt, node)} ({fault['class_type']}): {error['message']} - {error['details']}"
        for node, fault in (answer.get("node_errors") or {}).items()
        for error in fault["errors"]
    ]
    summary = answer.get("error") or {}
    if not lines and isinstance(summary, Mapping):
        lines = [f"  {summary.get('message', 'no reason given')} {summary.get('details', '')}"]
    return "\n".join(["ComfyUI did not accept the workflow:", *lines])


def explain_failure(prompt: Prompt, kind: str, data: Mapping[str, Any]) -> str:
    """An execution event as a sentence."""
    name = title(prompt, data["node_id"])
    if kind == "execution_interrupted":
        return f"The run was interrupted at '{name}'."
    reason = str(data["exception_message"]).strip()
    return f"'{name}' failed with {kind_of(data)}: {reason}"


def kind_of(data: Mapping[str, Any]) -> str:
    """An exception's class, without the path that the pack's modules are named after."""
    return str(data["exception_type"]).rpartition(".")[2]


def read_json(error: urllib.error.HTTPError) -> Mapping[str, Any]:
    """The JSON body of an error answer, or one made up from its status line."""
    try:
        return json.loads(error.read())
    except ValueError:
        return {"error": {"message": f"HTTP status {error.code}", "details": error.reason}}


def quoted(name: str) -> str:
    """A name as forms carry it (RFC 7578): nothing in it ends the name or the line."""
    for character, code in (('"', "%22"), ("\r", "%0D"), ("\n", "%0A")):
        name = name.replace(character, code)
    return name


def multipart(
    name: str, content: bytes, fields: Mapping[str, str] | None = None
) -> tuple[bytes, str]:
    """One file and further fields as the body of a form, and that body's content type."""
    boundary = uuid.uuid4().hex
    kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
    head = "".join(
        f'--{boundary}\r\nContent-Disposition: form-data; name="{field}"\r\n\r\n{value}\r\n'
        for field, value in (fields or {}).items()
    )
    head += (
        f"--{boundary}\r\n"
        f'Content-Disposition: form-data; name="image"; filename="{quoted(name)}"\r\n'
        f"Content-Type: {kind}\r\n\r\n"
    )
    body = head.encode() + content + f"\r\n--{boundary}--\r\n".encode()
    return body, f"multipart/form-data; boundary={boundary}"
