"""Recognisers of painted faces, in the forms of antelopev2's and of OpenCV's file."""

from __future__ import annotations

import math
import pathlib

import numpy as np

from . import painter
from .onnx_graph import Graph, Value

EMBEDDING_LENGTH, SFACE_LENGTH = 512, 128
EMBEDDING_NORM = 20.0
CROP_SIDE = 112


def build_recogniser(path: str | pathlib.Path, *, seed: int = 7) -> None:
    """Write the recogniser: aligned crops [N, 3, 112, 112] in, embeddings [N, 512] out.

    The colours of the eight identity patches become 24 numbers near -1 or +1, which orthonormal
    directions carry into 512 dimensions. Another ``seed`` gives an unrelated embedding space.
    """
    graph = Graph("painted-face-recogniser")
    crops = graph.input("input.1", ["None", 3, CROP_SIDE, CROP_SIDE])
    graph.output(
        "embedding", _embedded(graph, crops, EMBEDDING_LENGTH, seed), [1, EMBEDDING_LENGTH]
    )
    graph.save(path)


def build_sface(path: str | pathlib.Path, *, seed: int = 8) -> None:
    """Write a recogniser in the form of OpenCV's SFace: one aligned crop [1, 3, 112, 112] of levels
    0..255 in, an embedding [1, 128] out."""
    graph = Graph("painted-face-sface")
    levels = graph.input("data", [1, 3, CROP_SIDE, CROP_SIDE])
    crops = (levels - 127.5) * (1 / 128)
    graph.output("fc1", _embedded(graph, crops, SFACE_LENGTH, seed), [1, SFACE_LENGTH])
    graph.save(path)


def _embedded(graph: Graph, crops: Value, length: int, seed: int) -> Value:
    """[N, 3, 112, 112] about -1..1 to [N, length]."""
    half = painter.PATCH_SIDE // 2
    # Cells of half a patch, shifted by a quarter: every odd cell is the inner part of one patch.
    blurred = graph.apply(
        "AveragePool", crops, kernel_shape=[half] * 2, strides=[half] * 2, pads=[half // 2] * 4
    )
    across = CROP_SIDE // half + 1
    inner = [(2 * row + 1) * across + 2 * column + 1 for column, row in painter.PATCH_CELLS]
    patches = blurred.reshaped([0, 3, across * across]).reordered(inner, axis=2)
    code = (patches.transposed([0, 2, 1]).reshaped([0, painter.CODE_LENGTH]) * 4.0).tanh()
    directions = _orthonormal_rows(painter.CODE_LENGTH, length, seed) * EMBEDDING_NORM
    return graph.apply("MatMul", code, directions / math.sqrt(painter.CODE_LENGTH))


def _orthonormal_rows(count: int, length: int, seed: int) -> np.ndarray:
    """[count, length] orthonormal rows: a random choice from a Hadamard matrix with random signs.

    Unlike a QR factorisation this gives the same bytes on every machine.
    """
    hadamard = np.ones((1, 1))
    while len(hadamard) < length:
        hadamard = np.block([[hadamard, hadamard], [hadamard, -hadamard]])
    random = np.random.default_rng(seed)
    chosen = random.choice(length, count, replace=False)
    signs = random.choice([-1.0, 1.0], length)
    return hadamard[chosen] * signs / math.sqrt(length)
