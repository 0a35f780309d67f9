"""The shipped workflow that compares InstantID with other methods."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tools.comfyui.prompts import ObjectInfo

from .graph import Graph
from .parts import (
    PHOTO,
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
    one_node,
    one_person,
    sampled,
    saved,
    score,
    texts,
    with_lora,
)
from .subgraphs import Subgraph
from .values import Model, Output

# Files that a user brings along; the host cannot fetch any.
FACE_ID_FILE = "ip-adapter-faceid_sdxl.bin"
PHOTOMAKER_FILE = "photomaker-v1.bin"
CHARACTER_FILE = Model("my_character.safetensors", "", "loras")


WITH_AND_WITHOUT_ABOUT = """
    # With and without identity

    The same prompt and the same seed twice: without InstantID, and with it. The slider of
    **Compare Images** goes from one to the other, and below each is its likeness to the photo.

    1. Choose the photo.
    2. Run.

    The slider needs Nodes 2.0 (in the editor's menu); the classic canvas shows the two pictures in
    the nodes that save them. What differs is the work of InstantID: change `likeness weight` and
    `pose strength` of its nodes, run again and compare.
    """


def with_and_without(object_info: ObjectInfo) -> Graph:
    graph = Graph("with_and_without", object_info, note(WITH_AND_WITHOUT_ABOUT))
    parts = models(graph)
    who = one_person(graph, parts)
    same = shared(graph, parts, who.photo, "The same for both")
    graph.group("With InstantID")
    applied = apply_both(graph, parts, who.faces, who.identity, same.plain)
    after = same.judged(graph, applied, who, "with")
    graph.group("Without", below=True)
    before = same.judged(graph, same.plain, who, "without")
    graph.group("Compare")
    graph.add("ImageCompare", image_a=before, image_b=after)
    return graph


COMPARISON_ABOUT = """
    # Four methods, one person

    The same prompt, seed and size with InstantID, with IP-Adapter FaceID, with ComfyUI's own
    PhotoMaker nodes, and with a LoRA of the person. **Sample and score**, a subgraph that can be
    opened, compares each result with the photo, and the last image shows them side by side.

    1. Choose the photo and run: InstantID alone, since the other branches are muted.
    2. For a branch whose files you have, select the nodes of its group and press **Ctrl+M**.
       Muted branches are left out of the last image.

    Each method has its own prompt, because PhotoMaker needs the word `photomaker` after the
    word for the person, and a LoRA its trigger word (`ohwx` here). Keep the rest equal. The
    score is the cosine similarity of two face embeddings, the same for all, but InstantID is
    conditioned on that very embedding, which gives it an advantage; FaceID is conditioned on
    another recogniser's. Compare the images as well.
    """


def comparison(object_info: ObjectInfo) -> Graph:
    files = (
        f"IP-Adapter FaceID (`{FACE_ID_FILE}` of "
        "[h94/IP-Adapter-FaceID](https://huggingface.co/h94/IP-Adapter-FaceID)), only for its "
        "branch: `models/instantid`; and the face models of buffalo_l, an optional file of "
        "**Get InstantID models**",
        "PhotoMaker (`photomaker-v1.bin` of "
        "[TencentARC/PhotoMaker](https://huggingface.co/TencentARC/PhotoMaker)), only for its "
        "branch: `models/photomaker`",
        "A LoRA trained on the person, only for its branch: `models/loras`",
    )
    graph = Graph("comparison", object_info, note(COMPARISON_ABOUT, files))
    parts = models(graph)
    graph.group("Photo")
    photo = graph.add("LoadImage", "Photo of the person", image=PHOTO)["IMAGE"]
    same = shared(graph, parts, photo, "The same for all")
    judge = sample_and_score(graph)
    graph.group("InstantID")
    sheets = [same.scored(graph, judge, one_node(graph, same.parts, same.text, same.photo))]
    graph.group("IP-Adapter FaceID (muted)", muted=True)
    sheets.append(same.scored(graph, judge, face_id(graph, same)))
    graph.group("PhotoMaker (muted)", muted=True)
    sheets.append(same.scored(graph, judge, photomaker(graph, same)))
    graph.group("Character LoRA (muted)", muted=True)
    sheets.append(same.scored(graph, judge, character_lora(graph, same)))
    graph.group("Comparison")
    saved(graph, side_by_side(graph, sheets), "comparison")
    return graph


def side_by_side(graph: Graph, sheets: Sequence[Output]) -> Output:
    """One picture of all; those of muted branches are left out."""
    inner = graph.subgraph("Side by side", "Puts the pictures that come in beside each other.")
    sheet, *others = [inner.takes(f"picture{n}", "IMAGE") for n in range(1, len(sheets) + 1)]
    for other in others:
        beside = {"image1": sheet, "image2": other, "match_image_size": False}
        sheet = inner.add("ImageStitch", **beside, spacing_width=16)["IMAGE"]
    inner.gives(picture=sheet)
    given = {f"picture{n}": each for n, each in enumerate(sheets, start=1)}
    return graph.place(inner, "", **given)["picture"]


def sample_and_score(graph: Graph) -> Subgraph:
    """From what is conditioned to a picture with its score below, in one node."""
    inner = graph.subgraph(
        "Sample and score", "Makes a picture and puts its likeness to a photo below it."
    )
    kinds = {"positive": "CONDITIONING", "negative": "CONDITIONING", "model": "MODEL"}
    given = {name: inner.takes(name, kind) for name, kind in kinds.items()}
    latent, vae = inner.takes("latent_image", "LATENT"), inner.takes("vae", "VAE")
    analyzer = inner.takes("analyzer", "INSTANTID_ANALYZER")
    photo, seed = inner.takes("photo", "IMAGE"), inner.takes("seed", "INT")
    faces = inner.add("InstantIDAnalyzeFaces", analyzer=analyzer, image=photo)["faces"]
    identity = inner.add("InstantIDEmbedIdentity", faces=faces)["identity"]
    done = inner.add("KSampler", latent_image=latent, **given, **{**SAMPLING, "seed": seed})
    image = inner.add("VAEDecode", samples=done["LATENT"], vae=vae)["IMAGE"]
    scored = inner.add(
        "InstantIDScoreIdentity",
        analyzer=analyzer,
        identity=identity,
        image=image,
        reference_image=photo,
    )
    below = {"image1": image, "image2": scored["picture"], "direction": "down"}
    inner.gives(picture=inner.add("ImageStitch", **below)["IMAGE"])
    return inner


@dataclass(frozen=True)
class Same:
    """Nodes that the branches of the comparison share."""

    parts: Parts
    photo: Output
    text: tuple[Output, Output]
    """The prompt and the negative prompt."""
    seed: Output
    latent: Output

    @property
    def plain(self) -> Conditioned:
        """Inputs of the sampler without any identity."""
        return conditioned(self.parts, self.text)

    def judged(self, graph: Graph, given: Conditioned, who: Person, name: str) -> Output:
        """The picture, saved and scored."""
        image = sampled(graph, self.parts, given, self.latent, seed=self.seed)
        saved(graph, image, name)
        score(graph, self.parts, who, image, f"Likeness {name} InstantID")
        return image

    def scored(self, graph: Graph, judge: Subgraph, given: Conditioned) -> Output:
        """The picture with its score below."""
        shared = {
            "latent_image": self.latent,
            "vae": self.parts.vae,
            "analyzer": self.parts.analyzer,
            "photo": self.photo,
            "seed": self.seed,
        }
        return graph.place(judge, "", **given, **shared)["picture"]


def shared(graph: Graph, parts: Parts, photo: Output, title: str) -> Same:
    """Adds what the branches share; `title` is that of the group behind models and photo."""
    graph.group(title, below=True)
    seed = graph.add("PrimitiveInt", "Seed", value=SAMPLING["seed"])
    return Same(parts, photo, texts(graph, parts), seed["INT"], empty_latent(graph))


def face_id(graph: Graph, same: Same) -> Conditioned:
    """FaceID's own recogniser reads the photo; its adapter holds its LoRA."""
    inner = graph.subgraph("IP-Adapter FaceID", "Adds the person on a photo to the model.")
    model, photo = inner.takes("model", "MODEL"), inner.takes("photo", "IMAGE")
    loader = inner.add("InstantIDLoadAdapter", adapter_name=FACE_ID_FILE)
    analyzer = inner.add("InstantIDLoadFaceAnalyzer", model_pack="buffalo_l")["analyzer"]
    faces = inner.add("InstantIDAnalyzeFaces", analyzer=analyzer, image=photo)["faces"]
    who = inner.add("InstantIDEmbedIdentity", faces=faces)["identity"]
    applied = {"model": model, "adapter": loader["adapter"], "identity": who}
    inner.gives(model=inner.add("InstantIDApplyAdapter", **applied)["model"])
    inner.shows(loader["adapter"], "adapter_name")
    given = {"model": same.parts.model, "photo": same.photo}
    return {**same.plain, "model": graph.place(inner, "", **given)["model"]}


def photomaker(graph: Graph, same: Same) -> Conditioned:
    loader = graph.add("PhotoMakerLoader", photomaker_model_name=PHOTOMAKER_FILE)
    wanted = graph.add(
        "PhotoMakerEncode",
        photomaker=loader["PHOTOMAKER"],
        image=same.photo,
        clip=same.parts.clip,
        text=POSITIVE.replace("person", "person photomaker"),
    )
    return conditioned(same.parts, (wanted["CONDITIONING"], same.text[1]))


def character_lora(graph: Graph, same: Same) -> Conditioned:
    parts = with_lora(graph, same.parts, CHARACTER_FILE, 1.0)
    text = POSITIVE.replace("person", "ohwx person")
    wanted = graph.add("CLIPTextEncode", "Prompt", clip=parts.clip, text=text)
    return conditioned(parts, (wanted["CONDITIONING"], same.text[1]))


COMPARISON: tuple[Callable[[ObjectInfo], Graph], ...] = (with_and_without, comparison)
