"""How a model is compared with recorded outputs of the reference: weights by rule, named outputs.

No trained weights are needed: every tensor follows from its name and a seed, so the same "checkpoint" can
be made anywhere. Rules are [pattern, offset, scale], the first match wins.
"""

from __future__ import annotations

import hashlib
import re
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from glip.boxes import level_sizes
from glip.checkpoint import build_from
from glip.config import CONFIGS
from glip.export import export, save_graph
from glip.image import LONG_SIDE, SHORT_SIDE, normalise, pad_batch, resize, resized_size
from glip.model import Glip
from glip.postprocess import Detections, PostprocessOptions, detect, phrase_probabilities, positive_map
from glip.text import Encoding, Prompt, Span, Tokenizer, load_vocab, positive_tokens

Rules = Sequence[tuple[str, float | str, float | str | None]]


def _generator(text: str) -> np.random.Generator:
    digest = hashlib.sha256(text.encode("utf-8")).digest()
    return np.random.Generator(np.random.PCG64(int.from_bytes(digest[:8], "little")))


def rule_normal(name: str, shape: Sequence[int], seed: int) -> np.ndarray:
    """Standard normal float64 array that follows from the name and the seed."""
    return _generator(f"{seed}:{name}").standard_normal(tuple(shape))


def rule_tensor(name: str, shape: Sequence[int], seed: int, rules: Rules) -> np.ndarray | None:
    """The float32 tensor of this name, or None if the rules leave it as the model constructs it.

    A scale ``"fan:G"`` means G / sqrt(fan in). Raises KeyError for a name without a rule.
    """
    rule = next((rest for pattern, *rest in rules if re.search(pattern, name)), None)
    if rule is None:
        raise KeyError(f"no rule for {name}")
    offset, scale = rule
    if offset == "keep":
        return None
    if isinstance(scale, str):
        fan_in = int(np.prod(shape[1:])) if len(shape) > 1 else int(shape[0])
        scale = float(scale.removeprefix("fan:")) / np.sqrt(fan_in)
    return (offset + scale * rule_normal(name, shape, seed)).astype(np.float32)


def sample_indices(name: str, size: int, k: int = 2000) -> np.ndarray:
    """Flat indices at which a big recorded array is kept, sorted, without repeats."""
    return np.unique(_generator(f"sample:{name}").integers(0, size, size=k))


def largest_difference(name: str, value: np.ndarray, golden: Mapping[str, np.ndarray]) -> float:
    """Largest absolute difference to the recorded array, whole or sampled. Raises ValueError if the
    shape is another."""
    if name in golden:
        expected, actual = np.asarray(golden[name]), value
        shape = expected.shape
    else:
        shape = tuple(int(n) for n in golden[f"{name}/shape"])
        expected = golden[f"{name}/samples"]
        actual = value.reshape(-1)[sample_indices(name, value.size)] if value.shape == shape else value
    if value.shape != shape:
        raise ValueError(f"{name}: shape {value.shape}, recorded {shape}")
    return float(np.abs(actual.astype(np.float64) - expected).max(initial=0.0))


# Running a variant on given weights


@dataclass(frozen=True)
class Run:
    """raw: arrays under the names of the recorded outputs; detections: of each image, best first."""

    raw: dict[str, np.ndarray]
    detections: list[Detections]


RawModel = Callable[[np.ndarray, np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray, np.ndarray]]


Picture = Image.Image | np.ndarray | str | Path
Spans = Sequence[Sequence[Span]]  # per phrase its code point ranges in the caption


def load_images(images: Sequence[Picture]) -> list[Image.Image]:
    """RGB images; arrays are uint8 [H, W, 3]. EXIF orientation is not applied. Raises ValueError."""
    return [_load_image(image, i) for i, image in enumerate(images)]


def _load_image(image: Picture, number: int) -> Image.Image:
    if isinstance(image, np.ndarray):
        if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
            raise ValueError(f"image {number} is {image.dtype} {list(image.shape)}; it must be RGB uint8 [H, W, 3]")
        return Image.fromarray(image)
    if isinstance(image, Image.Image):
        return image.convert("RGB")
    with Image.open(image) as opened:
        return opened.convert("RGB")


def check_spans(caption: str, spans: Spans, where: str = "caption") -> None:
    """Raises ValueError for anything but lists of (start, end) inside the caption, in code points."""
    for number, phrase in enumerate(spans):
        for span in phrase:
            if not (isinstance(span, Sequence) and len(span) == 2 and all(isinstance(n, int) for n in span)):
                raise ValueError(f"{where}, phrase {number}: a phrase is a list of (start, end) pairs, not {phrase!r}")
            start, end = span
            if not 0 <= start < end <= len(caption):
                raise ValueError(
                    f"{where}, phrase {number}: span ({start}, {end}) is empty or outside the caption, "
                    f"which has {len(caption)} code points"
                )


@dataclass(frozen=True)
class Text:
    """A caption as the model sees it. phrases: per phrase its token indices, empty if it cannot be
    grounded; [CLS] is 0."""

    encoding: Encoding
    phrases: list[list[int]]


def encode_prompt(prompt: Prompt, tokenizer: Tokenizer) -> Text:
    """Tokens and phrases of a caption of any length. What reaches past the last token that fits is cut
    off, and a phrase that loses a token loses all of them (the reference would read [SEP] in its place)."""
    whole = tokenizer.encode(prompt.caption, max_tokens=None)
    cut = tokenizer.encode(prompt.caption)
    fits = len(cut.ids) - 1
    phrases = [positive_tokens(whole, spans, limit=len(whole.ids)) for spans in prompt.spans]
    return Text(cut, [tokens if all(token < fits for token in tokens) else [] for tokens in phrases])


@dataclass(frozen=True)
class Inputs:
    """What the raw model takes, and what post-processing needs beside it. Sizes are (width, height)."""

    images: np.ndarray
    input_ids: np.ndarray
    attention_mask: np.ndarray
    texts: list[Text]
    resized: list[tuple[int, int]]
    original: list[tuple[int, int]]


def prepare(
    images: Sequence[Image.Image],
    prompts: Sequence[Prompt],
    tokenizer: Tokenizer,
    *,
    short_side: int = SHORT_SIDE,
    long_side: int | None = LONG_SIDE,
    pad_text_to: int | None = None,
) -> Inputs:
    """One prompt per image; images are padded to one size, captions to `pad_text_to` or the longest."""
    texts = [encode_prompt(prompt, tokenizer) for prompt in prompts]
    lengths = [len(text.encoding.ids) for text in texts]
    columns = pad_text_to or max(lengths)
    if columns < max(lengths):
        raise ValueError(f"pad_text_to is {columns}, but a caption has {max(lengths)} tokens")
    ids = np.zeros((len(images), columns), np.int64)
    mask = np.zeros_like(ids)
    for row, (text, length) in enumerate(zip(texts, lengths)):
        ids[row, :length] = text.encoding.ids
        mask[row, :length] = 1
    sizes = [resized_size(*image.size, short_side, long_side) for image in images]
    return Inputs(
        pad_batch([normalise(resize(image, size)) for image, size in zip(images, sizes)]),
        ids,
        mask,
        texts,
        sizes,
        [image.size for image in images],
    )


def detections_of(
    inputs: Inputs, outputs: tuple[np.ndarray, np.ndarray, np.ndarray], options: PostprocessOptions
) -> list[Detections]:
    logits, box_reg, centerness = outputs
    padded = inputs.images.shape[3], inputs.images.shape[2]
    return [
        detect(
            phrase_probabilities(logits[i], positive_map(text.phrases, logits.shape[2])), box_reg[i], centerness[i],
            padded, inputs.resized[i], inputs.original[i], options,
        )
        for i, text in enumerate(inputs.texts)
    ]  # fmt: skip


def torch_model(model: Glip) -> RawModel:
    """The module as a function of arrays."""

    def run(*inputs: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        with torch.no_grad():
            return tuple(value.numpy() for value in model(*(torch.from_numpy(value) for value in inputs)))

    return run


def onnx_model(path_or_bytes: str | Path | bytes, threads: int = 0) -> RawModel:
    """A raw graph in ONNX Runtime as a function of arrays; 0 threads means all cores."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    source = path_or_bytes if isinstance(path_or_bytes, bytes) else str(path_or_bytes)
    session = onnxruntime.InferenceSession(source, options, providers=["CPUExecutionProvider"])
    names = ("images", "input_ids", "attention_mask")

    def run(*inputs: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        return tuple(session.run(["logits", "box_reg", "centerness"], dict(zip(names, inputs))))

    return run


@contextmanager
def recorded(model: Glip, into: dict[str, np.ndarray]) -> Iterator[None]:
    """Keeps what the modules return while the model runs, under the names of the recorded outputs."""
    handles = []

    def on(module: torch.nn.Module, keep: Callable[[object], Mapping[str, torch.Tensor]]) -> None:
        def hook(_module, _inputs, output):
            into.update({name: value.numpy() for name, value in keep(output).items()})

        handles.append(module.register_forward_hook(hook))

    body = model.backbone.body
    on(body.layers[0], lambda x: {"swin/0": x.permute(0, 3, 1, 2)})
    on(body, lambda maps: {f"swin/{i + 1}": m for i, m in enumerate(maps)})
    on(model.backbone.fpn, lambda maps: {f"fpn/{i}": m for i, m in enumerate(maps)})
    on(model.language_backbone, lambda x: {"lang/hidden": x})
    tower = model.rpn.head.dyhead_tower
    step = 3 if model.config.fused else 1
    for i, module in enumerate(tower):
        name = f"tower/{i // step}"
        if i % step == step - 1:
            on(module, lambda maps, name=name: {f"{name}/dyconv/v{j}": m for j, m in enumerate(maps)})
        elif i % step == 1:
            on(module, lambda x, name=name: {f"{name}/bert/lang": x})
        else:
            on(
                module,
                lambda out, name=name: (
                    {f"{name}/fuse/v{j}": m for j, m in enumerate(out[0])} | {f"{name}/fuse/lang": out[1]}
                ),
            )
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def named_outputs(inputs: Inputs, outputs: tuple[np.ndarray, np.ndarray, np.ndarray]) -> dict[str, np.ndarray]:
    """Inputs and head outputs under the names of the recorded ones, per level. "valid" cuts token columns
    to those of the longest caption; the positive map is that of the first caption."""
    logits, box_reg, centerness = outputs
    n = len(logits)
    valid = int(inputs.attention_mask.sum(1).max())
    offsets = np.zeros((n, logits.shape[2], 2), np.int64)
    for row, text in zip(offsets, inputs.texts):
        row[: len(text.encoding.offsets)] = text.encoding.offsets
    positive = positive_map(inputs.texts[0].phrases, valid)
    counts = (positive > 0).sum(1, keepdims=True)
    named = {
        "image/tensor": inputs.images,
        "image/sizes": np.array(inputs.resized, np.int64)[:, ::-1],
        "image/orig_sizes": np.array(inputs.original, np.int64)[:, ::-1],
        "text/input_ids": inputs.input_ids,
        "text/attention_mask": inputs.attention_mask,
        "text/offsets": offsets,
        "text/positive_map": ((positive > 0) / (counts + 1e-6)).astype(np.float32),
        "logits": logits,
        "box_reg": box_reg,
        "centerness": centerness,
    }
    start = 0
    for level, (h, w) in enumerate(level_sizes(*inputs.images.shape[2:])):
        part = slice(start, start + h * w)
        named[f"head/bbox_reg/{level}"] = box_reg[:, part].transpose(0, 2, 1).reshape(n, 4, h, w)
        named[f"head/centerness/{level}"] = centerness[:, part].reshape(n, 1, h, w)
        named[f"head/dot_logits/{level}"] = logits[:, part]
        named[f"head/dot_logits_valid/{level}"] = logits[:, part, :valid]
        start += h * w
    return named


def _prompts(images: int, captions: str | Sequence[str], spans: Spans | Sequence[Spans]) -> list[Prompt]:
    """One checked prompt per image."""
    if images == 0:
        raise ValueError("no images are given")
    if isinstance(captions, str):
        check_spans(captions, spans)
        return [Prompt(captions, spans)] * images
    if not len(captions) == len(spans) == images:
        raise ValueError(
            f"{images} images, {len(captions)} captions and spans of {len(spans)} captions are given; "
            "give one caption for all, or one caption and its spans for each image"
        )
    for number, (caption, phrases) in enumerate(zip(captions, spans)):
        check_spans(caption, phrases, f"caption {number}")
    return [Prompt(caption, phrases) for caption, phrases in zip(captions, spans)]


def run_variant(
    variant: str,
    tensors: Mapping[str, np.ndarray | torch.Tensor],
    images: Sequence[Picture],
    captions: str | Sequence[str],
    spans: Spans | Sequence[Spans],
    vocab: str | Path,
    *,
    engine: str = "torch",
    short_side: int = SHORT_SIDE,
    long_side: int | None = LONG_SIDE,
    pad_text_to: int | None = None,
    options: PostprocessOptions = PostprocessOptions(),
) -> Run:
    """Builds a variant, fills it and grounds the phrases of captions in a batch of images.

    variant: a name of `config.CONFIGS` ("glip-t-a", "glip-t", "glip-l", "nano").
    tensors: every weight by its name in the official checkpoints, without `module.`. What inference does
    not read (class head, anchors, pooler, position buffers) may be there or not.
    images: RGB uint8 [H, W, 3], PIL images or files, resized by the rule and padded to one batch.
    captions: one for all images, or one for each; spans: per phrase the list of its ranges in the caption,
    half open, in Unicode code points; with one caption for each image, one such list for each. For class
    names use the caption and spans of `text.evaluation_prompt` or `text.demo_prompt`. Any number of phrases.
    vocab: vocab.txt. engine: "torch", which also returns what is inside (Swin, FPN, BERT, every tower
    block), or "onnx", the exported raw graph in ONNX Runtime. pad_text_to: token columns of the outputs,
    by default those of the longest caption; the reference has 256.

    A phrase without any token (spaces alone, or past the 254 tokens a caption can have) has no detections.
    Boxes are xyxy in pixels of the original images, where a width is x2 - x1 + 1.

    Raises CheckpointError if tensors do not fit, ValueError for anything else that does not.
    """
    if engine not in ("torch", "onnx"):
        raise ValueError(f"engine is {engine!r}; it can be 'torch' or 'onnx'")
    if variant not in CONFIGS:
        raise ValueError(f"variant is {variant!r}; it can be {', '.join(CONFIGS)}")
    if pad_text_to is not None and pad_text_to > CONFIGS[variant].max_positions:
        raise ValueError(f"pad_text_to is {pad_text_to}; {variant} has {CONFIGS[variant].max_positions} positions")
    prompts = _prompts(len(images), captions, spans)
    words = load_vocab(Path(vocab))
    if len(words) > CONFIGS[variant].vocab_size:
        raise ValueError(f"{vocab} has {len(words)} tokens, {variant} has {CONFIGS[variant].vocab_size}")
    inputs = prepare(
        load_images(images), prompts, Tokenizer(words),
        short_side=short_side, long_side=long_side, pad_text_to=pad_text_to,
    )  # fmt: skip
    model = build_from(tensors, CONFIGS[variant])
    arrays = inputs.images, inputs.input_ids, inputs.attention_mask
    raw: dict[str, np.ndarray] = {}
    if engine == "torch":
        with recorded(model, raw):
            outputs = torch_model(model)(*arrays)
        raw |= text_outputs(raw["lang/hidden"], inputs.attention_mask)
    else:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "model.onnx"
            save_graph(export(model, raw=True), path)
            del model
            outputs = onnx_model(path)(*arrays)
    return Run(raw | named_outputs(inputs, outputs), detections_of(inputs, outputs, options))


def text_outputs(hidden: np.ndarray, attention_mask: np.ndarray) -> dict[str, np.ndarray]:
    """What the reference derives from BERT's last layer."""
    mask = attention_mask[..., None].astype(np.float32)
    embedded = hidden * mask
    return {
        "lang/embedded": embedded,
        "lang/aggregate": embedded.sum(1) / mask.sum(1),
        "lang/hidden_valid": hidden[:, : int(attention_mask.sum(1).max())],
    }
