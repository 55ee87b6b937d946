"""From a .pth file to plain values: what the file is if it is no checkpoint, and nothing that could run code."""

from __future__ import annotations

import codecs
import pickle
import pickletools
import re
import warnings
import zipfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path, PurePosixPath
from typing import BinaryIO

import numpy as np
import torch

HEAD = 4096  # bytes that are looked at to tell what a file is
AGAIN = "download it again and compare its size or sha256 with what the page of the file says"
PAGES = (
    "An address with /blob/ in it gives a page about the file; the file itself is at the same address with "
    "/resolve/ (Hugging Face) or /raw/ (GitHub) in its place"
)
SAVE_AGAIN = "Save the weights alone where the file was made: torch.save({'model': checkpoint['model']}, 'weights.pth')"
MAGIC = {
    b"\x1f\x8b": "a gzip archive; unpack it first",
    b"BZh": "a bzip2 archive; unpack it first",
    b"\xfd7zXZ": "an xz archive; unpack it first",
    b"\x28\xb5\x2f\xfd": "a zstd archive; unpack it first",
    b"7z\xbc\xaf": "a 7z archive; unpack it first",
    b"Rar!": "a RAR archive; unpack it first",
    b"GGUF": "a GGUF file, which holds a language model",
    b"\x89HDF": "an HDF5 file, as Keras writes it",
    b"\x93NUMPY": "a NumPy array",
    b"\x89PNG": "a PNG picture",
    b"\xff\xd8\xff": "a JPEG picture",
    b"%PDF": "a PDF document",
}
# What torch itself rebuilds tensors from; only used to leave it out of messages.
USUAL = re.compile(
    r"torch\.(\w+|storage\.\w+|_utils\._rebuild_\w+|_tensor\._rebuild_from_type_v2|nn\.parameter\.Parameter"
    r"|serialization\._get_layout)|collections\.(OrderedDict|Counter)|_codecs\.encode"
    r"|(builtins|__builtin__)\.(bytearray|set|complex)"
)
SHOWN = 10


class CheckpointError(ValueError):
    """The file is not a checkpoint that can be converted; the message says what is wrong with it."""


def printable(text: str) -> str:
    """The text with control characters spelt out, so that nothing in a file can steer a terminal."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


# What a file is


def _text(head: bytes) -> str | None:
    """The head as text, or None if it is none."""
    encoding = "utf-16" if head[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        text = codecs.getincrementaldecoder(encoding)().decode(head).strip()  # a character may be cut at the end
    except UnicodeDecodeError:  # a page may say its encoding later
        text = head.decode("latin-1").strip() if head.lstrip().startswith(b"<") else ""
    return text if text and "\0" not in text else None


def _text_file(text: str, size: int) -> str:
    """What a text file is that was saved in a checkpoint's place."""
    if text.startswith("version https://git-lfs"):
        wanted = re.search(r"^size (\d+)$", text, re.MULTILINE)
        whole = f" of {int(wanted[1]):,} bytes" if wanted else ""
        return (
            f"a git-lfs pointer, which stands for the file{whole}; run `git lfs pull` in the clone to get the file, "
            "or download it from its address with /resolve/ (Hugging Face) or /raw/ (GitHub)"
        )
    if re.match(r"<(!doctype html|html|head|body|!--|script|meta|title)", text, re.IGNORECASE):
        title = re.search(r"<title[^>]*>\s*(.*?)\s*</title", text, re.IGNORECASE | re.DOTALL)
        named = f" ({printable(title[1])[:80]!r})" if title and title[1] else ""
        return f"an HTML page{named}. {PAGES}"
    start = printable(text.splitlines()[0])[:80]
    if text.startswith(("<", "{", "[")):
        kind = "an XML" if text.startswith("<") else "a JSON"
        return f"{kind} document that begins {start!r}, probably an answer of the server in place of the file. {PAGES}"
    return f"a text file of {size:,} bytes that begins {start!r}"


def in_place_of_text(path: Path) -> str | None:
    """For a file that should be lines of text, but is a page, a pointer or no text at all: what it is; else None."""
    with path.open("rb") as file:
        head = file.read(HEAD)
    text = _text(head)
    if text is None:
        return "no text in UTF-8" if head.strip() else f"an empty file; {AGAIN}"
    starts = ("<?", "<!", "<html", "{", "version https://git-lfs")
    return _text_file(text, path.stat().st_size) if text.lower().startswith(starts) else None


def _zip(path: Path) -> str | None:
    """What a zip archive is, or None for that of `torch.save`."""
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
    inner = {PurePosixPath(name).name for name in names if name.count("/") == 1}
    if "constants.pkl" in inner:
        return (
            "a TorchScript program; save its weights alone: "
            "torch.save(torch.jit.load('file').state_dict(), 'weights.pth')"
        )
    if "data.pkl" in inner:
        return None
    weights = [printable(name) for name in names if name.endswith((".pth", ".pt", ".bin", ".ckpt"))]
    if weights:
        return f"a zip archive; unpack it and name the checkpoint inside ({', '.join(weights[:SHOWN])})"
    if names and all(name.endswith(".npy") for name in names):
        return "an archive of NumPy arrays (.npz)"
    listed = ", ".join(printable(name) for name in names[:SHOWN]) or "nothing"
    return f"a zip archive that holds {listed}{', ...' if len(names) > SHOWN else ''}, and no checkpoint"


def what_it_is(path: Path) -> str | None:
    """For a file that is no whole checkpoint: what it is and what to do about it; else None."""
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(HEAD)
    if not head:
        return f"an empty file, so nothing was downloaded; {AGAIN}"
    if not head.strip(b"\0"):
        return f"a file of zero bytes, as an unfinished download leaves it; {AGAIN}"
    if head.startswith(b"PK"):
        if zipfile.is_zipfile(path):
            return _zip(path)
        return f"the beginning of one: it ends early, after {size:,} bytes; {AGAIN}"
    if head[8:9] == b"{" and 2 <= int.from_bytes(head[:8], "little") < size:
        return (
            "a safetensors file. Convert it: from safetensors.torch import load_file; "
            "torch.save(load_file('file'), 'weights.pth')"
        )
    if head[257:262] == b"ustar":
        return "a tar archive; unpack it first"
    known = next((kind for magic, kind in MAGIC.items() if head.startswith(magic)), None)
    text = _text(head)
    if known is None and text is not None and not _scan(path)[0]:  # the oldest pickles are text
        return _text_file(text, size)
    return known


# What it would load


def _globals_in(file: BinaryIO) -> Iterator[str | None]:
    """Full names of the functions and classes that the pickles in the file name, in their order; None at the end
    of each pickle. Files of old versions of PyTorch are several pickles, then the raw numbers."""
    strings: list[str] = []
    memo: dict[int, str] = {}
    while True:
        for opcode, argument, _ in pickletools.genops(file):
            if opcode.name in ("GLOBAL", "INST"):
                yield argument.replace(" ", ".")
            elif opcode.name == "STACK_GLOBAL":
                yield ".".join(strings[-2:])
            elif opcode.name == "MEMOIZE" or opcode.name.endswith("BINPUT"):
                memo[len(memo) if argument is None else argument] = strings[-1] if strings else ""
            elif opcode.name.endswith("BINGET"):
                strings.append(memo.get(argument, "?"))
            elif isinstance(argument, str):
                strings.append(argument)
        yield None


def _scan(path: Path) -> tuple[list[str], bool]:
    """The functions and classes that a checkpoint names, as far as it can be read, and whether it is a whole pickle."""
    found: dict[str | None, None] = {}
    try:
        with path.open("rb") as file, ExitStack() as stack:
            source: BinaryIO = file
            if _is_zip(path):
                archive = stack.enter_context(zipfile.ZipFile(path))
                pickled = next(name for name in archive.namelist() if name.endswith("data.pkl"))
                source = stack.enter_context(archive.open(pickled))
            for name in _globals_in(source):
                found[name] = None
    except Exception:  # there is always an end, and a damaged pickle may break the reader anywhere
        pass
    return [name for name in found if name is not None], None in found


def safe_globals() -> list[object]:
    """What may be unpickled beside tensors and plain values: NumPy's scalars, by their names of NumPy 1 and 2.

    GLIP's own fine-tuning stores its validation score as one. Rebuilding one takes its dtype and the dtype's class.
    """
    scalar = np.float64(0).__reduce__()[0]
    holds_objects = ("ObjectDType", "VoidDType", "StringDType")
    dtypes = [getattr(np.dtypes, name) for name in np.dtypes.__all__ if name not in holds_objects]
    return [(scalar, "numpy.core.multiarray.scalar"), (scalar, "numpy._core.multiarray.scalar"), np.dtype, *dtypes]


def _is_safe(name: str) -> bool:
    known = (value[1] if isinstance(value, tuple) else f"{value.__module__}.{value.__qualname__}"
             for value in safe_globals())  # fmt: skip
    return bool(USUAL.fullmatch(name)) or name in known


def _refusal(path: Path) -> str:
    """Why unpickling was refused, in our words, with every name whole."""
    found, whole = _scan(path)
    names = [printable(name) for name in found if not _is_safe(name)]
    if not names and not whole:
        return f"is damaged or no PyTorch file; {AGAIN}"
    if not names:
        return f"its pickle uses instructions that `torch.save` does not, which could run code. {SAVE_AGAIN}"
    listed = ", ".join(names[:SHOWN]) + (f" and {len(names) - SHOWN} more" if len(names) > SHOWN else "")
    publish = any(name.startswith("mmengine.") for name in names)
    tool = " (mmdetection: tools/model_converters/publish_model.py)" if publish else ""
    return (
        f"holds more than tensors and plain values: {listed}. It is not loaded, since unpickling such objects "
        f"could run code. {SAVE_AGAIN}{tool}"
    )


def _is_zip(path: Path) -> bool:
    """As torch tells it."""
    with path.open("rb") as file:
        return file.read(4) == b"PK\x03\x04"


def read_plain(path: Path) -> object:
    """What `torch.save` wrote, of tensors, plain values and NumPy scalars; anything else is refused, never run.

    Tensors of a file in the zip format are read when they are used. Raises CheckpointError.
    """
    if path.is_dir():
        raise CheckpointError(f"{path} is a folder; name the .pth file in it")
    if not path.is_file():
        raise CheckpointError(f"{path}: no such file")
    try:
        other = what_it_is(path)
        if other:
            raise CheckpointError(f"{path}: is no PyTorch file but {other}")
        with warnings.catch_warnings(), torch.serialization.safe_globals(safe_globals()):
            warnings.simplefilter("ignore")
            return torch.load(path, map_location="cpu", weights_only=True, mmap=_is_zip(path))
    except CheckpointError:
        raise
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read: {error.strerror or type(error).__name__}") from error
    except pickle.UnpicklingError as error:
        raise CheckpointError(f"{path}: {_refusal(path)}") from error
    except Exception as error:  # whatever a damaged file breaks in torch's reader
        raise CheckpointError(f"{path}: is damaged or no PyTorch file; {AGAIN}") from error
