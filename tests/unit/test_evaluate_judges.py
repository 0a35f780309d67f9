"""The judges of text on tiny models whose answer is known."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from tools.evaluate.figures import EvaluationError
from tools.evaluate.metrics import BACKGROUND, CLIP_T, STYLE, ClipScorer, StyleScorer
from tools.evaluate.settings import Text
from tools.small_world.onnx_graph import Graph

STYLES, BACKGROUNDS = ("reddish", "greenish", "bluish"), ("dark", "light")
IMAGE = np.zeros((8, 12, 3), np.uint8)
IMAGE[..., 1] = 250
TEXT = Text("a greenish portrait", "greenish", "light")


@pytest.fixture(scope="module")
def scorer(tmp_path_factory) -> StyleScorer:
    """Says which channel is strongest, and whether green is above a half."""
    path = tmp_path_factory.mktemp("style") / "style.onnx"
    graph = Graph("style")
    pictures = graph.input("pictures", ["n", 3, "h", "w"])
    means = graph.apply("ReduceMean", pictures, axes=[2, 3], keepdims=0)
    green = means.reordered([1]) - 0.5
    # The other way round than the judge's own order: outputs go by name.
    graph.output(BACKGROUND, graph.concatenate([-1.0 * green, green]), ["n", 2])
    graph.output(STYLE, means, ["n", 3])
    graph.save(path)
    return StyleScorer(path, STYLES, BACKGROUNDS)


def test_style_and_background_are_told_by_their_names(scorer):
    assert scorer.classify(IMAGE) == {STYLE: "greenish", BACKGROUND: "light"}
    assert scorer.classify(IMAGE[..., ::-1] // 4) == {STYLE: "greenish", BACKGROUND: "dark"}
    assert scorer.classify(np.roll(IMAGE, 1, axis=2)) == {STYLE: "bluish", BACKGROUND: "dark"}


def test_what_the_text_says_scores_one(scorer):
    assert scorer.scores(IMAGE, TEXT) == {STYLE: 1.0, BACKGROUND: 1.0}
    assert scorer.scores(np.roll(IMAGE, 1, axis=2), TEXT) == {STYLE: 0.0, BACKGROUND: 0.0}


@pytest.fixture(scope="module")
def clip_folder(tmp_path_factory) -> Path:
    """A CLIP model of random weights, as transformers saves one."""
    transformers = pytest.importorskip("transformers")
    folder = tmp_path_factory.mktemp("clip")
    words = ["<|startoftext|>", "<|endoftext|>", *"abcdefghijklmnopqrstuvwxyz"]
    words += [f"{letter}</w>" for letter in "abcdefghijklmnopqrstuvwxyz"]
    vocabulary, merges = folder / "vocab.json", folder / "merges.txt"
    vocabulary.write_text(json.dumps({word: n for n, word in enumerate(words)}), "utf-8")
    merges.write_text("#version: 0.2\n", "utf-8")
    sides = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1}
    sides |= {"num_attention_heads": 2}
    text = {**sides, "vocab_size": len(words), "bos_token_id": 0, "eos_token_id": 1}
    vision = {**sides, "image_size": 16, "patch_size": 8}
    config = transformers.CLIPConfig(text_config=text, vision_config=vision, projection_dim=8)
    torch.manual_seed(0)
    transformers.CLIPModel(config).save_pretrained(folder)
    tokenizer = transformers.CLIPTokenizer(str(vocabulary), str(merges), model_max_length=77)
    size = {"size": {"shortest_edge": 16}, "crop_size": {"height": 16, "width": 16}}
    pictures = transformers.CLIPImageProcessor(**size)
    transformers.CLIPProcessor(pictures, tokenizer).save_pretrained(folder)
    return folder


def test_clip_t_is_a_hundred_times_the_cosine(clip_folder):
    from transformers import CLIPModel, CLIPProcessor

    found = ClipScorer(clip_folder).scores(IMAGE, TEXT)[CLIP_T]
    model, processor = (
        kind.from_pretrained(clip_folder, local_files_only=True)
        for kind in (CLIPModel, CLIPProcessor)
    )
    with torch.inference_mode():
        given = processor(text=[TEXT.prompt], images=[IMAGE], return_tensors="pt")
        # transformers scales its logits by this factor.
        logits = model.eval()(**given).logits_per_image / model.logit_scale.exp()
    assert found == pytest.approx(100 * float(logits), abs=1e-3)
    other = ClipScorer(clip_folder).scores(np.roll(IMAGE, 1, axis=2), TEXT)[CLIP_T]
    assert other != pytest.approx(found, abs=1e-3)


def test_a_folder_without_clip_is_refused(tmp_path):
    pytest.importorskip("transformers")
    with pytest.raises(EvaluationError, match="--clip should name a folder"):
        ClipScorer(tmp_path)
