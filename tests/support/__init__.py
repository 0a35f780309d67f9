"""Code that the test suites share; some of its modules are programs.

Importing it makes `instantid_core`, `tools` and `training` importable without putting the
repository root on sys.path, where the folder nodes/ would shadow ComfyUI's nodes.py.
"""

import runpy
from pathlib import Path

runpy.run_path(str(Path(__file__).resolve().parents[2] / "tools" / "run.py"))["make_importable"]()
