"""Kinds of adapter: the requirements of each, and the published files by kind.

An adapter and the recogniser whose embeddings it was trained on belong together. Shapes tell the
kinds apart, but for one: FaceID-Portrait unnorm has InstantID's layout to the last tensor.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from ..errors import CheckpointError, one_of
from ..models import BUFFALO, MODEL_PACK

UNNORM_WORD = "unnorm"
"""Part of the name of the one file that its name alone tells, by which IPAdapter_plus knows it as
well."""
PORTRAIT_WORDS = ("faceid", "portrait")
"""Together in a name, they speak of FaceID-Portrait."""
FROM_FILE = "from the file"
RECOGNISERS = (FROM_FILE, MODEL_PACK, BUFFALO)
"""Choices of what an adapter was trained on: as its file tells, or as its user knows."""


class Kind(NamedTuple):
    """A kind of adapter."""

    name: str
    """As messages call it."""
    pack: str
    """The face models whose recogniser its embeddings come from."""
    has_identity_net: bool
    """Whether IdentityNet was trained on its tokens."""
    lora: bool = False
    """Whether it was trained together with a LoRA of the UNet's attention."""


INSTANTID = Kind("InstantID's adapter", MODEL_PACK, has_identity_net=True)
FACE_ID = Kind("IP-Adapter FaceID", BUFFALO, has_identity_net=False, lora=True)
PORTRAIT = Kind("IP-Adapter FaceID-Portrait", BUFFALO, has_identity_net=False)
UNNORM = Kind("IP-Adapter FaceID-Portrait unnorm", BUFFALO, has_identity_net=False)


class PublishedAdapter(NamedTuple):
    """A published file."""

    name: str
    size: int | None
    """Bytes; None where no public record has it."""
    sha256: str
    kind: Kind
    context_width: int
    tokens: int
    """Of one photo."""


PUBLISHED = (
    PublishedAdapter(
        "ip-adapter.bin",
        1691134141,
        "02b3618e36d803784166660520098089a81388e61a93ef8002aa79a5b1c546e1",
        *(INSTANTID, 2048, 16),
    ),
    PublishedAdapter(
        "ip-adapter-faceid_sd15.bin",
        96740574,
        "201344e22e6f55849cf07ca7a6e53d8c3b001327c66cb9710d69fd5da48a8da7",
        *(FACE_ID, 768, 4),
    ),
    PublishedAdapter(
        "ip-adapter-faceid_sdxl.bin",
        None,
        "f455fed24e207c878ec1e0466b34a969d37bab857c5faa4e8d259a0b4ff63d7e",
        *(FACE_ID, 2048, 4),
    ),
    PublishedAdapter(
        "ip-adapter-faceid-portrait-v11_sd15.bin",
        64586623,
        "a48cb4f89ed18e02c6000f65aa9efec452e87eaed4a1bc9fcf4a460c8d0e3bc6",
        *(PORTRAIT, 768, 16),
    ),
    PublishedAdapter(
        "ip-adapter-faceid-portrait_sdxl.bin",
        749822515,
        "5631ce7824cdafd2db37c5e85b985730a95ff59c5b4fc80c2b79b0bee5711512",
        *(PORTRAIT, 2048, 16),
    ),
    PublishedAdapter(
        "ip-adapter-faceid-portrait_sdxl_unnorm.bin",
        1009523411,
        "220bb86e205393a3d0411631cb473caddbf35fd371be2905ca9008818170db55",
        *(UNNORM, 2048, 16),
    ),
)
"""Hashes as at least two public records that do not quote each other have them: a Nix collection
of models, the model lists of SwarmUI, and an inventory of a ComfyUI installation, which has the
sizes."""


class AdapterFile(NamedTuple):
    """A file of an adapter, as far as it tells its kind."""

    layout: Kind
    """As its tensors say."""
    name: str
    size: int
    """Bytes."""
    sha256: Callable[[], str]
    """Reads the whole file; asked only where a published file has the same size."""

    @property
    def base_name(self) -> str:
        """The name without its folder."""
        return self.name.replace("\\", "/").rpartition("/")[2]

    @property
    def is_published(self) -> bool:
        """Whether its size, or where no record has that its name, is a published file's."""
        return any(
            self.size == each.size or (each.size is None and self.base_name == each.name)
            for each in PUBLISHED
        )

    def is_file(self, published: PublishedAdapter) -> bool:
        """Whether it is this published file."""
        return self.size == published.size and self.sha256() == published.sha256


def kind_of(file: AdapterFile, recogniser: str = FROM_FILE) -> Kind:
    """The kind of a file. recogniser: one of `RECOGNISERS`, the user's word.

    Raises CheckpointError for a word against a published file, and for a file that leaves open
    which recogniser it was trained on; SettingError for another recogniser.
    """
    one_of("recogniser", recogniser, RECOGNISERS)
    if recogniser == FROM_FILE:
        return _kind_by_file(file)
    _require_no_contradiction(file, recogniser)
    if file.layout is INSTANTID:
        return UNNORM if recogniser == BUFFALO else INSTANTID
    return file.layout._replace(pack=recogniser)


def _kind_by_file(file: AdapterFile) -> Kind:
    if file.layout is not INSTANTID:
        return file.layout
    name = file.name.lower()
    unnorm = next(each for each in PUBLISHED if each.kind is UNNORM)
    if UNNORM_WORD in name or file.is_file(unnorm):
        return UNNORM
    if all(word in file.base_name.lower() for word in PORTRAIT_WORDS):
        raise CheckpointError(
            f"'{file.name}' leaves open which recogniser it was trained on: its tensors are laid "
            "out as those of InstantID's adapter, and its name is one of IP-Adapter "
            "FaceID-Portrait, whose unnorm form has the same layout. Set recogniser of InstantID "
            f"Load Adapter to {MODEL_PACK} for InstantID's, or to {BUFFALO} for FaceID-Portrait's."
        )
    return INSTANTID


def _require_no_contradiction(file: AdapterFile, recogniser: str) -> None:
    others = (each for each in PUBLISHED if each.kind.pack != recogniser)
    known = next((each for each in others if file.is_file(each)), None)
    if known is not None:
        raise CheckpointError(
            f"'{file.name}' is the published {known.kind.name}, which was trained on embeddings of "
            f"{known.kind.pack}; recogniser says {recogniser}. Set recogniser of InstantID Load "
            f"Adapter to '{FROM_FILE}'."
        )
