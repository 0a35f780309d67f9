"""The node that looks at the installation."""

from __future__ import annotations

from comfy_api.latest import io, ui

from ..instantid_core.doctor import as_json, as_text, examine, this_machine
from .host import installation
from .inputs import CHECKS


class Doctor(io.ComfyNode):
    """Says what is installed, what is wrong, and what to do."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="InstantIDDoctor",
            display_name="InstantID Doctor",
            category=CHECKS,
            description="Checks the installation and says what to do about each problem. It "
            "looks at Python, torch, ONNX Runtime, insightface, OpenCV, model files and folders, "
            "GPU memory and known conflicts, takes some seconds, runs every time it is queued, "
            "and repairs nothing.",
            search_aliases=["InstantID", "diagnose", "check", "install", "help", "onnxruntime"],
            is_output_node=True,
            inputs=[
                io.Boolean.Input(
                    "hash_files",
                    default=False,
                    tooltip="Also reads the model files completely and compares their SHA-256 "
                    "with the published ones. Takes seconds per GB.",
                )
            ],
            outputs=[
                io.String.Output(
                    display_name="text",
                    tooltip="One line per check, followed by what to do about each problem.",
                ),
                io.String.Output(
                    display_name="json",
                    tooltip="The same in machine-readable form: findings with check, state, "
                    "found and advice.",
                ),
            ],
        )

    @classmethod
    def fingerprint_inputs(cls, hash_files: bool) -> float:
        """Never equal to itself: the machine may have changed."""
        return float("nan")

    @classmethod
    def execute(cls, hash_files: bool) -> io.NodeOutput:
        findings = examine(installation.host(), this_machine(), hash_files)
        text = as_text(findings)
        return io.NodeOutput(text, as_json(findings), ui=ui.PreviewText(text))
