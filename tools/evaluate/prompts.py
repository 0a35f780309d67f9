"""Jobs of an evaluation, and their prompts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tools.comfyui.prompts import Prompt

from .controls import UNTOUCHED, Control, Edit, Scales
from .settings import Setup

OUTPUT_NODE = "pictures"
"""Id of the node that outputs the pictures."""
SINGLE, INTERPOLATION, GROUP = "alone", "between", "together"
Link = list[Any]


@dataclass(frozen=True)
class Job:
    """Description of one prompt's pictures; equal jobs give equal pictures."""

    text: str
    seed: int
    size: tuple[int, int]
    """Width and height in pixels."""
    count: int = 1
    """Number of pictures in the batch."""
    people: tuple[tuple[str, ...], ...] = ()
    """Per person, photos in the server's input folder; empty for text alone."""
    how: str = SINGLE
    """SINGLE uses one person; INTERPOLATION a series of identities from one person to a second, one
    per picture; GROUP puts all people into each picture."""
    control: Control = UNTOUCHED
    """Part of the identity; nodes without an amount are left out."""
    pose: str = ""
    """Keypoints for IdentityNet, as JSON of the Pose node."""
    surroundings: str = ""
    """Hint for the other ControlNet, in the server's input folder."""

    @property
    def has_identity(self) -> bool:
        return bool(self.people) and self.control.acts


def prompt_of(job: Job, setup: Setup) -> Prompt:
    """The API prompt of a job."""
    graph = _Graph()
    model, clip, vae = (graph.add("checkpoint", *setup.checkpoint, slot=n) for n in range(3))
    given = {
        "model": model,
        "positive": graph.add("positive", "CLIPTextEncode", {"text": job.text, "clip": clip}),
        "negative": graph.add(
            "negative", "CLIPTextEncode", {"text": setup.negative_text, "clip": clip}
        ),
    }
    if job.surroundings:
        given = _with_other_net(graph, job, setup, given)
    if job.has_identity:
        given = _with_identity(graph, job, setup, given)
    width, height = job.size
    size = {"width": width, "height": height, "batch_size": job.count}
    given["latent_image"] = graph.add("latent", "EmptyLatentImage", size)
    scales = job.control.scales if job.has_identity else None
    if scales is None:
        samples = _with_one_scale(graph, job, setup, given)
    else:
        samples = _with_guider(graph, job, setup, given, scales)
    images = graph.add("decoded", "VAEDecode", {"samples": samples, "vae": vae})
    graph.add(OUTPUT_NODE, "PreviewImage", {"images": images})
    return graph.prompt


class _Graph:
    """A prompt under construction."""

    def __init__(self) -> None:
        self.prompt: Prompt = {}

    def add(self, name: str, kind: str, inputs: Any, slot: int = 0) -> Link:
        """Adds a node under `name` unless it exists; returns a link to one output."""
        node = {"class_type": kind, "inputs": dict(inputs), "_meta": {"title": name}}
        self.prompt.setdefault(name, node)
        return [name, slot]


def _with_identity(
    graph: _Graph, job: Job, setup: Setup, given: dict[str, Link]
) -> dict[str, Link]:
    adapter = _adapter(graph, job, setup)
    if job.how == GROUP:
        return _group(graph, job, setup, {**given, "adapter": adapter})
    control = job.control
    common = {"identity": _identity(graph, job, setup), **_window(control)}
    if control.weight:
        own = {"weight": control.weight, "insertion": control.insertion}
        inputs = {"model": given["model"], "adapter": adapter, **common, **own}
        given = {**given, "model": graph.add("applied", "InstantIDApplyAdapter", inputs)}
    if control.strength:
        inputs = {
            **common,
            "adapter": _instantid_adapter(graph, setup),
            "positive": given["positive"],
            "negative": given["negative"],
            "control_net": _identity_net(graph, setup),
            "faces": _pose(graph, job),
            "strength": control.strength,
            "reuse": control.reuse,
        }
        both = [graph.add("posed", "InstantIDApplyIdentityNet", inputs, slot=n) for n in (0, 1)]
        given = {**given, "positive": both[0], "negative": both[1]}
    return given


def _adapter(graph: _Graph, job: Job, setup: Setup) -> Link:
    if not job.control.face_id:
        return _instantid_adapter(graph, setup)
    # Its layout speaks for another recogniser than the one of this setup.
    file = {"adapter_name": setup.face_id, "recogniser": setup.model_pack}
    return graph.add("face_id", "InstantIDLoadAdapter", file)


def _instantid_adapter(graph: _Graph, setup: Setup) -> Link:
    """InstantID's own, on whose tokens IdentityNet was trained."""
    return graph.add("adapter", "InstantIDLoadAdapter", {"adapter_name": setup.adapter})


def _window(control: Control) -> dict[str, float]:
    start, end = control.window
    return {"start_at": start, "end_at": end}


def _with_one_scale(graph: _Graph, job: Job, setup: Setup, given: dict[str, Link]) -> Link:
    inputs = {
        **given,
        "seed": job.seed,
        "steps": setup.steps,
        "cfg": setup.cfg,
        "sampler_name": setup.sampler,
        "scheduler": setup.scheduler,
        "denoise": 1.0,
    }
    return graph.add("sampler", "KSampler", inputs)


def _with_guider(
    graph: _Graph, job: Job, setup: Setup, given: dict[str, Link], scales: Scales
) -> Link:
    """The same sampling by SamplerCustomAdvanced, with InstantID Guider."""
    latent = given.pop("latent_image")
    schedule = {"model": given["model"], "scheduler": setup.scheduler, "steps": setup.steps}
    inputs = {
        "noise": graph.add("noise", "RandomNoise", {"noise_seed": job.seed}),
        "guider": graph.add("guider", "InstantIDGuider", {**given, **vars(scales)}),
        "sampler": graph.add("method", "KSamplerSelect", {"sampler_name": setup.sampler}),
        "sigmas": graph.add("sigmas", "BasicScheduler", {**schedule, "denoise": 1.0}),
        "latent_image": latent,
    }
    return graph.add("sampler", "SamplerCustomAdvanced", inputs)


def _with_other_net(
    graph: _Graph, job: Job, setup: Setup, given: dict[str, Link]
) -> dict[str, Link]:
    inputs = {
        "positive": given["positive"],
        "negative": given["negative"],
        "control_net": graph.add(
            "other_net", "ControlNetLoader", {"control_net_name": setup.other_net}
        ),
        "image": graph.add("surroundings", "LoadImage", {"image": job.surroundings}),
        "strength": 1.0,
        "start_percent": 0.0,
        "end_percent": 1.0,
    }
    both = [graph.add("surrounded", "ControlNetApplyAdvanced", inputs, slot=n) for n in (0, 1)]
    return {**given, "positive": both[0], "negative": both[1]}


def _identity_net(graph: _Graph, setup: Setup) -> Link:
    return graph.add("identity_net", "ControlNetLoader", {"control_net_name": setup.control_net})


def _group(graph: _Graph, job: Job, setup: Setup, given: dict[str, Link]) -> dict[str, Link]:
    identities = {
        f"identities.identity{number}": _person(graph, setup, photos, str(number))
        for number, photos in enumerate(job.people)
    }
    inputs = {
        **given,
        **identities,
        **_window(job.control),
        "control_net": _identity_net(graph, setup),
        "faces": _pose(graph, job),
        "weight": job.control.weight,
        "strength": job.control.strength,
        "match": "left_to_right",
        "shape": "ellipse",
        "padding": 0.5,
        "feather": 0.2,
    }
    names = ("model", "positive", "negative")
    return {
        name: graph.add("group", "InstantIDApplyGroup", inputs, slot=n)
        for n, name in enumerate(names)
    }


def _identity(graph: _Graph, job: Job, setup: Setup) -> Link:
    if job.how == SINGLE:
        person = _person(graph, setup, job.people[0], "0")
        return person if job.control.edit is None else _edited(graph, person, job.control.edit)
    first, second = (_person(graph, setup, job.people[n], str(n)) for n in (0, 1))
    inputs = {"identity_a": first, "identity_b": second, "steps": job.count, "how": "slerp"}
    return graph.add("between", "InstantIDInterpolateIdentities", inputs)


def _person(graph: _Graph, setup: Setup, photos: Sequence[str], name: str) -> Link:
    """Link to the identity of a person's photos."""
    faces = _faces(graph, setup, photos, name)
    inputs = {"faces": faces, "combine": "average"}
    return graph.add(f"identity_{name}", "InstantIDEmbedIdentity", inputs)


def _edited(graph: _Graph, identity: Link, edit: Edit) -> Link:
    inputs = {
        "identity": identity,
        "direction": _direction(graph, "direction", edit.direction),
        "amount": edit.amount,
        "mode": edit.mode,
    }
    if edit.hold:
        inputs["hold"] = _direction(graph, "held", edit.hold)
    return graph.add("edited", "InstantIDEditIdentity", inputs)


def _direction(graph: _Graph, name: str, file: str) -> Link:
    return graph.add(name, "InstantIDLoadDirection", {"direction_name": file})


def _faces(graph: _Graph, setup: Setup, photos: Sequence[str], name: str) -> Link:
    image = graph.add(f"photo_{name}_0", "LoadImage", {"image": photos[0]})
    for number, photo in enumerate(photos[1:], start=1):
        other = graph.add(f"photo_{name}_{number}", "LoadImage", {"image": photo})
        both = {"image1": image, "image2": other}
        image = graph.add(f"photos_{name}_{number}", "ImageBatch", both)
    pack = {"model_pack": setup.model_pack, "provider": "auto"}
    inputs = {
        "analyzer": graph.add("analyzer", "InstantIDLoadFaceAnalyzer", pack),
        "image": image,
        "select": "largest",
        "index": 0,
        "min_score": 0.5,
        "on_no_face": "skip",
    }
    return graph.add(f"faces_{name}", "InstantIDAnalyzeFaces", inputs)


def _pose(graph: _Graph, job: Job) -> Link:
    width, height = job.size
    inputs = {
        "preset": "front",
        "width": width,
        "height": height,
        "face_height": 0.53,
        "eye_line": 0.34,
        "center_x": 0.5,
        "scale": 1.0,
        "rotate": 0.0,
        "mirror": False,
        "limb_opacity": 1.0,
        "point_opacity": 1.0,
        "pose_json": job.pose,
    }
    return graph.add("pose", "InstantIDPose", inputs)
