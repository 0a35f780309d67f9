"""ComfyUI's two ways to show nodes, as parameters of browser tests."""

import pytest

from tools.pictures.browser import ENGINES

QUICK = "vue"
"""Engine of a quick run. Tests that do not depend on the engine use the classic canvas."""
EACH_ENGINE = [
    pytest.param(engine, marks=() if engine == QUICK else pytest.mark.thorough)
    for engine in ENGINES
]
