"""Bad input at the nodes: a sentence that says what was expected, what was found, what to do."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import comfy.controlnet
import comfy.model_management
import comfy.supported_models
import folder_paths
import pytest
import torch
from safetensors.torch import save_file
from support.tensors import are_equal

from tools.small_world.adapter import AdapterSizes, adapter_weights, flat
from tools.small_world.antelope import build_pack
from tools.small_world.scenes import conditioning, photo, sample

EVERYTHING = {"start_at": 0.0, "end_at": 1.0}
ANALYSE = {"select": "largest", "index": 0, "min_score": 0.5, "on_no_face": "error"}
NO_FACE = torch.full((1, 64, 64, 3), 0.4)


@pytest.fixture
def errors(pack: Any) -> Any:
    return pack.module("instantid_core.errors")


@pytest.fixture
def how(adapter: Any, identity_of: Any) -> dict[str, Any]:
    return {"adapter": adapter, "identity": identity_of(1), **EVERYTHING}


def small_adapter_file(folder: Path, name: str, **sizes: Any) -> Path:
    path = folder / "instantid" / name
    widths = sizes.pop("site_widths", (64,))
    save_file(flat(adapter_weights(AdapterSizes(widths, **sizes))), path)
    return path


class TestAdapterFile:
    def load(self, pack: Any, name: str) -> Any:
        return pack.run("InstantIDLoadAdapter", adapter_name=name)[0]

    @pytest.mark.parametrize("name", ["cut.safetensors", "cut.bin"])
    def test_cut_short(self, pack: Any, models_dir: Path, errors: Any, name: str) -> None:
        whole = models_dir / "instantid" / f"whole_{name}"
        weights = adapter_weights(AdapterSizes((64,)))
        if name.endswith(".bin"):
            torch.save(weights, whole)
        else:
            save_file(flat(weights), whole)
        data = whole.read_bytes()
        (models_dir / "instantid" / name).write_bytes(data[: len(data) // 2])
        with pytest.raises(errors.CheckpointError, match=r"cannot be read .* download it again"):
            self.load(pack, name)
        assert self.load(pack, whole.name).config.site_widths == (64,)

    def test_web_page(self, pack: Any, models_dir: Path, errors: Any) -> None:
        (models_dir / "instantid" / "page.bin").write_text("<html>Not found</html>")
        with pytest.raises(errors.CheckpointError, match="error page"):
            self.load(pack, "page.bin")

    def test_other_family(self, pack: Any, models_dir: Path, errors: Any) -> None:
        small_adapter_file(models_dir, "plus.safetensors", embed_dim=1280)
        with pytest.raises(errors.CheckpointError, match=r"IP-Adapter Plus .* width 1280"):
            self.load(pack, "plus.safetensors")

    def test_published_form(self, pack: Any, models_dir: Path, adapter: Any) -> None:
        """The nested .bin gives the same adapter as the flat safetensors."""
        sizes = AdapterSizes(adapter.config.site_widths)
        torch.save(adapter_weights(sizes), models_dir / "instantid" / "nested.bin")
        nested = self.load(pack, "nested.bin")
        assert nested.config == adapter.config
        ours, theirs = (a.patcher.model.state_dict() for a in (nested, adapter))
        assert are_equal([ours[key] for key in theirs], theirs.values())


class TestBaseModel:
    def test_other_width(self, pack: Any, models_dir: Path, errors: Any, model: Any) -> None:
        small_adapter_file(models_dir, "narrow.safetensors", site_widths=(32,) * 70)
        (narrow,) = pack.run("InstantIDLoadAdapter", adapter_name="narrow.safetensors")
        types = pack.module("instantid_core.types")
        recogniser = types.Recogniser("5e" * 32)
        identity = types.IdentityEmbedding(torch.ones(1, 1, 512), recogniser)
        how = {"adapter": narrow, "identity": identity, **EVERYTHING}
        with pytest.raises(errors.IncompatibleModelError, match="needs an SDXL checkpoint"):
            pack.run("InstantIDApplyAdapter", model=model, weight=0.8, **how)

    def test_sd15_shape(self, pack: Any, errors: Any, how: dict[str, Any], small_sdxl: Any) -> None:
        config = small_sdxl.SmallConfig(width=32, context_dim=768).unet
        config |= {
            "channel_mult": [1, 2, 4, 4],
            "num_res_blocks": [2, 2, 2, 2],
            "transformer_depth": [1, 1, 1, 1, 1, 1, 0, 0],
            "transformer_depth_output": [1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0],
            "transformer_depth_middle": 1,
            "adm_in_channels": None,
            "num_classes": None,
        }
        settings = comfy.supported_models.SD15(config)
        settings.set_inference_dtype(torch.float32, None)
        model = comfy.model_patcher.ModelPatcher(
            settings.get_model({}, device=torch.device("cpu")),
            load_device=torch.device("cpu"),
            offload_device=torch.device("cpu"),
        )
        with pytest.raises(errors.IncompatibleModelError, match=r"16 sites .* 768 \(SD 1.5\)"):
            pack.run("InstantIDApplyAdapter", model=model, weight=0.8, **how)

    def test_transformer(self, pack: Any, errors: Any, how: dict[str, Any], model: Any) -> None:
        model.add_object_patch("diffusion_model", torch.nn.Linear(2, 2))
        with pytest.raises(errors.IncompatibleModelError, match="not a UNet"):
            pack.run("InstantIDApplyAdapter", model=model, weight=0.8, **how)


class TestControlNet:
    def apply(self, pack: Any, how: dict[str, Any], net: Any, **settings: Any) -> Any:
        sides = {"positive": conditioning("a"), "negative": conditioning("b")}
        pose = settings or {"image": torch.zeros(1, 64, 64, 3)}
        return pack.run(
            "InstantIDApplyIdentityNet", control_net=net, strength=0.8, **sides, **how, **pose
        )

    def test_t2i_adapter(self, pack: Any, errors: Any, how: dict[str, Any]) -> None:
        net = comfy.controlnet.T2IAdapter(torch.nn.Identity(), 3, 8, "nearest-exact")
        with pytest.raises(errors.IncompatibleModelError, match="found T2IAdapter"):
            self.apply(pack, how, net)

    def test_control_lora(self, pack: Any, errors: Any, how: dict[str, Any]) -> None:
        net = comfy.controlnet.ControlLora({"lora_controlnet": torch.zeros(1)})
        with pytest.raises(errors.IncompatibleModelError, match="found ControlLora"):
            self.apply(pack, how, net)

    def test_other_base(self, pack: Any, errors: Any, how: dict[str, Any], small_sdxl: Any) -> None:
        config = small_sdxl.SmallConfig(context_dim=128)
        net = comfy.controlnet.load_controlnet_state_dict(
            small_sdxl.small_controlnet_weights(config)
        )
        with pytest.raises(errors.IncompatibleModelError, match=r"width 128.*width 64"):
            self.apply(pack, how, net)

    @pytest.mark.parametrize("connected", ["neither", "both"])
    def test_one_pose(
        self,
        pack: Any,
        errors: Any,
        how: dict[str, Any],
        control_net: Any,
        faces_of: Any,
        connected: str,
    ) -> None:
        both = {"faces": faces_of(photo(1)), "image": torch.zeros(1, 64, 64, 3)}
        pose = both if connected == "both" else {"fit": "crop"}
        with pytest.raises(errors.SettingError, match=f"exactly one.*{connected}"):
            self.apply(pack, how, control_net, **pose)

    def test_pose_of_pictures_without_faces(
        self,
        pack: Any,
        how: dict[str, Any],
        control_net: Any,
        faces_of: Any,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        """A skipped picture leaves the pose to the prompt, and that is said."""
        nobody = faces_of(NO_FACE, on_no_face="skip")
        positive, _ = self.apply(pack, how, control_net, faces=nobody)
        assert "control" not in positive[0][1]
        assert "passes through unchanged: the pose has no face" in caplog.text

    @pytest.mark.parametrize("shape", [(1, 96, 80, 1), (96, 80, 3), (2, 96, 80, 4)])
    def test_pictures_of_other_shapes(
        self,
        pack: Any,
        how: dict[str, Any],
        control_net: Any,
        model: Any,
        shape: tuple[int, ...],
    ) -> None:
        picture = torch.rand(shape, generator=torch.Generator().manual_seed(1))
        assert sample(model, *self.apply(pack, how, control_net, image=picture), steps=1).std() > 0

    def test_nan_picture(
        self, pack: Any, errors: Any, how: dict[str, Any], control_net: Any
    ) -> None:
        with pytest.raises(errors.ImageError, match="NaN"):
            self.apply(pack, how, control_net, image=torch.full((1, 8, 8, 3), torch.nan))


class TestWidgets:
    def test_window(self, pack: Any, errors: Any, how: dict[str, Any], model: Any) -> None:
        backwards = how | {"start_at": 0.8, "end_at": 0.2}
        with pytest.raises(errors.SettingError, match=r"0\.8.*before end_at"):
            pack.run("InstantIDApplyAdapter", model=model, weight=0.8, **backwards)

    def test_nan_weight(self, pack: Any, errors: Any, how: dict[str, Any], model: Any) -> None:
        with pytest.raises(errors.SettingError, match="must be a number from"):
            pack.run("InstantIDApplyAdapter", model=model, weight=float("nan"), **how)

    def test_mask_of_another_batch(
        self, pack: Any, errors: Any, how: dict[str, Any], model: Any, prompt: Any
    ) -> None:
        mask = torch.ones(3, 16, 16)
        (patched,) = pack.run("InstantIDApplyAdapter", model=model, weight=0.8, mask=mask, **how)
        with pytest.raises(errors.ImageError, match="batch of 3, the latent is a batch of 2"):
            sample(patched, *prompt, batch=2, steps=1)

    def test_mask_of_another_size(
        self, pack: Any, how: dict[str, Any], model: Any, prompt: Any
    ) -> None:
        """Masks of any size are scaled to the picture."""
        pictures = []
        for side in (16, 64, 128):
            mask = torch.zeros(1, side, side)
            mask[:, : side // 2] = 1
            (patched,) = pack.run(
                "InstantIDApplyAdapter", model=model, weight=0.8, mask=mask, **how
            )
            pictures.append(sample(patched, *prompt, steps=1))
        assert all(torch.equal(pictures[0], picture) for picture in pictures[1:])


class TestFaces:
    def test_no_face_names_the_picture(self, pack: Any, errors: Any, analyzer: Any) -> None:
        images = torch.cat([photo(1, 64, 64).mul(0) + 0.4, NO_FACE])
        with pytest.raises(errors.NoFaceError, match=r"image 1 of 2 \(64 x 64 pixels\).*640, 512"):
            pack.run("InstantIDAnalyzeFaces", analyzer=analyzer, image=images, **ANALYSE)

    def test_skip_passes_everything_through(
        self,
        pack: Any,
        analyzer: Any,
        adapter: Any,
        control_net: Any,
        model: Any,
        prompt: Any,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        skip = ANALYSE | {"on_no_face": "skip"}
        faces, _, _, count = pack.run(
            "InstantIDAnalyzeFaces", analyzer=analyzer, image=NO_FACE, **skip
        )
        assert count == 0
        (identity,) = pack.run("InstantIDEmbedIdentity", faces=faces, combine="average")
        how = {"adapter": adapter, "identity": identity, **EVERYTHING}
        assert pack.run("InstantIDApplyAdapter", model=model, weight=1.0, **how) == (model,)
        sides = pack.run(
            "InstantIDApplyIdentityNet",
            positive=prompt.positive,
            negative=prompt.negative,
            control_net=control_net,
            strength=1.0,
            faces=faces,
            **how,
        )
        assert sides == tuple(prompt)
        assert len(re.findall("passes through unchanged", caplog.text)) == 2

    def test_cancel_in_the_middle(self, pack: Any, analyzer: Any) -> None:
        images = torch.cat([photo(1)] * 3)
        comfy.model_management.interrupt_current_processing()
        with pytest.raises(comfy.model_management.InterruptProcessingException):
            pack.run("InstantIDAnalyzeFaces", analyzer=analyzer, image=images, **ANALYSE)
        _, _, _, count = pack.run(
            "InstantIDAnalyzeFaces", analyzer=analyzer, image=images, **ANALYSE
        )
        assert count == 3

    def test_cancel_among_the_projections(
        self, pack: Any, model: Any, adapter: Any, identity_of: Any, prompt: Any
    ) -> None:
        """Keys and values that are half projected are not kept."""

        def apply(loaded: Any) -> Any:
            how = {"adapter": loaded, "identity": identity, "weight": 0.8, **EVERYTHING}
            return pack.run("InstantIDApplyAdapter", model=model, **how)[0]

        def cancel(*_: Any) -> None:
            raise comfy.model_management.InterruptProcessingException

        identity = identity_of(3)
        (fresh,) = pack.run("InstantIDLoadAdapter", adapter_name="instantid_small.safetensors")
        hook = fresh.patcher.model.to_v[35].register_forward_hook(cancel)
        with pytest.raises(comfy.model_management.InterruptProcessingException):
            apply(fresh)
        hook.remove()
        wanted, found = (sample(apply(each), *prompt, steps=1) for each in (adapter, fresh))
        assert torch.equal(found, wanted)


class TestFaceModels:
    @pytest.fixture
    def elsewhere(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        entry = ([str(tmp_path)], {".onnx"})
        monkeypatch.setitem(folder_paths.folder_names_and_paths, "insightface", entry)
        return tmp_path

    def load(self, pack: Any, provider: str = "cpu") -> Any:
        return pack.run("InstantIDLoadFaceAnalyzer", model_pack="antelopev2", provider=provider)[0]

    def test_missing(
        self, pack: Any, errors: Any, elsewhere: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level("INFO")
        with pytest.raises(errors.FaceModelError, match=r"were not found\. Searched") as caught:
            self.load(pack)
        assert "Searched models/antelopev2, antelopev2, " in str(caught.value)
        assert f"below: {elsewhere.name}." in str(caught.value)
        assert str(elsewhere) in caplog.text, "the log has the whole path"

    def test_one_folder_too_deep(self, pack: Any, elsewhere: Path) -> None:
        folder = build_pack(elsewhere, nested=True)
        assert self.load(pack).files.detector.parent == folder

    def test_buffalo(self, pack: Any, errors: Any, elsewhere: Path) -> None:
        folder = build_pack(elsewhere)
        (folder / "glintr100.onnx").rename(folder / "w600k_r50.onnx")
        with pytest.raises(errors.FaceModelError, match=r"w600k_r50\.onnx, the recogniser of buff"):
            self.load(pack)

    def test_cut_short(self, pack: Any, errors: Any, elsewhere: Path) -> None:
        file = build_pack(elsewhere) / "glintr100.onnx"
        file.write_bytes(file.read_bytes()[:2000])
        with pytest.raises(errors.FaceModelError, match=r"glintr100\.onnx: it is cut short"):
            self.load(pack)

    def test_provider_that_is_not_there(
        self, pack: Any, elsewhere: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        build_pack(elsewhere)
        analyzer = self.load(pack, "directml")
        assert set(analyzer.providers) == {"CPUExecutionProvider"}
        assert len(re.findall("directml", caplog.text)) == 1
