"""Makes `tools`, `support`, `instantid_core` and `training` importable without putting the
repository root on sys.path, where the folder nodes/ would shadow ComfyUI's nodes.py."""

import runpy
import sys
from pathlib import Path

TESTS = Path(__file__).resolve().parent

if str(TESTS) not in sys.path:
    sys.path.insert(0, str(TESTS))
runpy.run_path(str(TESTS.parent / "tools" / "run.py"))["make_importable"]()
