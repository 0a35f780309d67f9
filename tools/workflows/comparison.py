"""The shipped workflow that compares InstantID with other ways."""

from collections.abc import Callable
from dataclasses import dataclass

from tools.comfyui.prompts import ObjectInfo

from .graph import Graph
from .parts import (
    POSITIVE,
    SAMPLING,
    Conditioned,
    Parts,
    Person,
    apply_both,
    conditioned,
    empty_latent,
    models,
    note,
    one_person,
    sampled,
    saved,
    score,
    texts,
    with_lora,
)
from .values import Model, Output

# Files that a user brings along; the host cannot fetch either.
PHOTOMAKER_FILE = "photomaker-v1.bin"
CHARACTER_FILE = Model("my_character.safetensors", "", "loras")


COMPARISON_ABOUT = """
    # Three methods, one person

    The same prompt, seed and size with InstantID, with ComfyUI's own PhotoMaker nodes, and with
    a LoRA of the person. **Score Identity** compares each result with the photo, and the last
    image shows them side by side.

    1. Choose the photo and run: InstantID alone, since the other two branches are muted.
    2. For a branch whose files you have, select the nodes of its group and press **Ctrl+M**.
       Muted branches are left out of the last image.

    Each method has its own prompt, because PhotoMaker needs the word `photomaker` after the
    word for the person, and a LoRA its trigger word (`ohwx` here). Keep the rest equal. The
    score is the cosine similarity of two face embeddings, the same for all three, but InstantID
    is conditioned on that embedding, which gives it an advantage: compare the images as well.
    """


def comparison(object_info: ObjectInfo) -> Graph:
    files = (
        "PhotoMaker (`photomaker-v1.bin` of "
        "[TencentARC/PhotoMaker](https://huggingface.co/TencentARC/PhotoMaker)), only for its "
        "branch: `models/photomaker`",
        "A LoRA trained on the person, only for its branch: `models/loras`",
    )
    graph = Graph("instantid_comparison", object_info, note(COMPARISON_ABOUT, files))
    parts = models(graph)
    who = one_person(graph, parts)
    graph.group("The same for all", below=True)
    seed = graph.add("PrimitiveInt", "Seed", value=SAMPLING["seed"])
    text = texts(graph, parts)
    latent = empty_latent(graph)
    same = Same(parts, who, text[1], seed["INT"], latent)
    graph.group("InstantID")
    given = apply_both(graph, parts, who.faces, who.identity, conditioned(parts, text))
    sheets = [same.scored(graph, given)]
    graph.group("PhotoMaker (muted)", muted=True, below=True)
    sheets.append(same.scored(graph, photomaker(graph, same)))
    graph.group("Character LoRA (muted)", muted=True, below=True)
    sheets.append(same.scored(graph, character_lora(graph, same)))
    graph.group("Comparison")
    sheet = sheets[0]
    for other in sheets[1:]:
        sheet = graph.add(
            "ImageStitch", image1=sheet, image2=other, match_image_size=False, spacing_width=16
        )["IMAGE"]
    saved(graph, sheet, "comparison")
    return graph


@dataclass(frozen=True)
class Same:
    """Nodes that the branches of the comparison share."""

    parts: Parts
    who: Person
    negative: Output
    seed: Output
    latent: Output

    def scored(self, graph: Graph, given: Conditioned) -> Output:
        """The picture with its score below."""
        image = sampled(graph, self.parts, given, self.latent, seed=self.seed)
        below = score(graph, self.parts, self.who, image)
        both = graph.add("ImageStitch", image1=image, image2=below, direction="down")
        return both["IMAGE"]


def photomaker(graph: Graph, same: Same) -> Conditioned:
    loader = graph.add("PhotoMakerLoader", photomaker_model_name=PHOTOMAKER_FILE)
    wanted = graph.add(
        "PhotoMakerEncode",
        photomaker=loader["PHOTOMAKER"],
        image=same.who.photo,
        clip=same.parts.clip,
        text=POSITIVE.replace("person", "person photomaker"),
    )
    return conditioned(same.parts, (wanted["CONDITIONING"], same.negative))


def character_lora(graph: Graph, same: Same) -> Conditioned:
    parts = with_lora(graph, same.parts, CHARACTER_FILE, 1.0)
    text = texts(graph, parts, POSITIVE.replace("person", "ohwx person"))
    return conditioned(parts, text)


COMPARISON: tuple[Callable[[ObjectInfo], Graph], ...] = (comparison,)
