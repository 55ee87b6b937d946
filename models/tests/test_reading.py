"""`glip.reading`: files that are no checkpoint are named, and only plain values are unpickled."""

from __future__ import annotations

import io
import pickle
import struct
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from glip.checkpoint import read_checkpoint
from glip.reading import CheckpointError, read_plain, safe_globals

# What torch or the reader may say, and we never do.
TORCH_SAYS = ("weights_only", "\x1b", "add_safe_globals", "WeightsUnpickler", "docs/stable", "allowlist")


def refusal(path: Path) -> str:
    """The message for a file that is not read; in our own words, whatever the file is."""
    with pytest.raises(CheckpointError) as caught:
        read_plain(path)
    message = str(caught.value)
    assert message.startswith(str(path))
    assert not [words for words in TORCH_SAYS if words in message], message
    return message


def written(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


# Pickles by hand, so that every spelling is there whichever NumPy is installed


def text(value: str) -> bytes:
    data = value.encode()
    return b"X" + struct.pack("<I", len(data)) + data


def named(module: str, name: str) -> bytes:
    return b"c" + f"{module}\n{name}\n".encode()


def dtype(code: str, order: str = "<") -> bytes:
    """numpy.dtype(code, False, True), and its state."""
    made = named("numpy", "dtype") + text(code) + b"\x89\x88\x87R"
    return made + b"(K\x03" + text(order) + b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"


def scalar(module: str, code: str, raw: bytes) -> bytes:
    data = named("_codecs", "encode") + text(raw.decode("latin1")) + text("latin1") + b"\x86R"
    return named(module, "scalar") + dtype(code) + data + b"\x86R"


def checkpoint(path: Path, value: bytes, legacy: bool = False) -> Path:
    """A file of `torch.save` that holds {"model": {"rpn.head.bias0": a tensor}, "eval_result": the pickled value}."""
    marker = b"\xf0\x9f\x94\xa2"
    content = {"model": {"rpn.head.bias0": torch.ones(1)}, "eval_result": marker.decode()}
    buffer = io.BytesIO()
    torch.save(content, buffer, _use_new_zipfile_serialization=not legacy)
    placeholder = text(marker.decode())
    if legacy:
        return written(path, buffer.getvalue().replace(placeholder, value))
    with zipfile.ZipFile(buffer) as old, zipfile.ZipFile(path, "w") as new:
        for name in old.namelist():
            data = old.read(name)
            if name.endswith("data.pkl"):
                assert placeholder in data
                data = data.replace(placeholder, value)
            new.writestr(name, data)
    return path


MODULES = ["numpy.core.multiarray", "numpy._core.multiarray"]


@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize("module", MODULES)
@pytest.mark.parametrize(
    "value",
    [np.float64(0.4375), np.float32(0.25), np.float16(0.5), np.int64(-7), np.int32(7), np.uint8(200), np.bool_(True),
     np.complex64(1 + 2j), np.str_("héllo"), np.bytes_(b"ab")],
    ids=lambda value: type(value).__name__,
)  # fmt: skip
def test_numpy_scalars_of_old_and_new_numpy_are_read(tmp_path, module, value, legacy):
    raw = value.tobytes() if not isinstance(value, np.str_) else np.array(value).tobytes()
    pickled = scalar(module, value.dtype.str[1:], raw)
    if value.dtype.kind in "US":  # their state says how long they are
        size = value.dtype.itemsize
        order = "<" if value.dtype.kind == "U" else "|"
        made = named("numpy", "dtype") + text(value.dtype.str[1:]) + b"\x89\x88\x87R"
        state = b"(K\x03" + text(order) + b"NNNK" + bytes([size]) + b"K" + bytes([value.dtype.alignment]) + b"K\x08tb"
        pickled = pickled.replace(dtype(value.dtype.str[1:]), made + state)

    content = read_plain(checkpoint(tmp_path / "c.pth", pickled, legacy))

    assert content["eval_result"] == value
    assert type(content["eval_result"]) is type(value)
    assert content["model"]["rpn.head.bias0"] == 1


def test_the_installed_numpy_pickles_what_is_read(tmp_path):
    values = {"AP": np.float64(0.5), "count": np.int64(3), "kind": np.dtype("float32"), "of": np.dtypes.Float32DType}
    torch.save({"model": {"rpn.head.bias0": torch.ones(1)}, "eval_result": values}, tmp_path / "c.pth")

    assert read_plain(tmp_path / "c.pth")["eval_result"] == values


def test_nothing_else_is_safe():
    names = {f"{v.__module__}.{v.__qualname__}" if not isinstance(v, tuple) else v[1] for v in safe_globals()}

    assert {name for name in names if not name.startswith("numpy.dtypes.")} == {
        "numpy.dtype", "numpy.core.multiarray.scalar", "numpy._core.multiarray.scalar",
    }  # fmt: skip
    assert all(name.endswith("DType") for name in names if name.startswith("numpy.dtypes."))
    assert "numpy.dtypes.ObjectDType" not in names
    read_and_gone = torch.serialization.get_safe_globals()
    assert not set(map(str, safe_globals())) & set(map(str, read_and_gone))


OTHERS = {
    "os.system": named("os", "system") + text("touch {trap}") + b"\x85R",
    "posix.system": named("posix", "system") + text("touch {trap}") + b"\x85R",
    "builtins.eval": named("builtins", "eval") + text("open('{trap}', 'w')") + b"\x85R",
    "subprocess.getoutput": named("subprocess", "getoutput") + text("touch {trap}") + b"\x85R",
    "numpy.core.multiarray._reconstruct": named("numpy.core.multiarray", "_reconstruct") + b")R",
    "numpy.load": named("numpy", "load") + text("{trap}") + b"\x85R",
    "numpy.testing._private.utils.runstring": named("numpy.testing._private.utils", "runstring") + b")R",
    "yacs.config.CfgNode": named("yacs.config", "CfgNode") + b")\x81",
    "torch.nn.modules.linear.Linear": named("torch.nn.modules.linear", "Linear") + b")\x81",
    "mmengine.logging.history_buffer.HistoryBuffer": (
        named("mmengine.logging.history_buffer", "HistoryBuffer") + b")\x81"
    ),
}


@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize("name", OTHERS)
def test_anything_else_is_refused_by_its_whole_name_and_not_run(tmp_path, name, legacy):
    trap = tmp_path / "trap"
    pickled = OTHERS[name]
    if b"{trap}" in pickled:
        before, after = pickled.split(b"X", 1)
        command = after[4:-2].decode().replace("{trap}", str(trap))
        pickled = before + text(command) + b"\x85R"

    message = refusal(checkpoint(tmp_path / "c.pth", pickled, legacy))

    assert f"holds more than tensors and plain values: {name}." in message
    assert "could run code" in message
    assert "torch.save({'model': checkpoint['model']}, 'weights.pth')" in message
    assert ("publish_model.py" in message) == name.startswith("mmengine")
    assert not trap.exists()


def test_a_bare_hostile_pickle_of_any_protocol_is_refused_and_not_run(tmp_path):
    class Hostile:
        def __reduce__(self):
            return (__import__("os").system, (f"touch {tmp_path / 'trap'}",))

    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        path = written(tmp_path / f"{protocol}.pth", pickle.dumps({"a": Hostile()}, protocol))
        assert f"plain values: {'nt' if __import__('os').name == 'nt' else 'posix'}.system." in refusal(path)
    assert not (tmp_path / "trap").exists()


def test_names_cannot_steer_the_terminal(tmp_path):
    message = refusal(checkpoint(tmp_path / "c.pth", named("evil\x1b[2J", "name\x07") + b")R"))

    assert "evil\\x1b[2J.name\\x07" in message


def test_a_pickle_of_another_protocol_without_objects_says_how_to_save_it(tmp_path):
    torch.save({"model": {"a": torch.ones(1)}}, tmp_path / "c.pth", pickle_protocol=4)

    message = refusal(tmp_path / "c.pth")

    assert "torch.save({'model': checkpoint['model']}, 'weights.pth')" in message


# What a file is


def zipped(**members: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def tarred(name: str, data: bytes) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        member = tarfile.TarInfo(name)
        member.size = len(data)
        archive.addfile(member, io.BytesIO(data))
    return buffer.getvalue()


def saved(legacy: bool = False) -> bytes:
    buffer = io.BytesIO()
    content = {"model": {"rpn.head.weight": torch.zeros(4000)}}
    torch.save(content, buffer, _use_new_zipfile_serialization=not legacy)
    return buffer.getvalue()


POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:%s\nsize 927012345\n" % (b"ab" * 32)
HEADER = b'{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}'
FILES: dict[str, tuple[Callable[[], bytes], list[str]]] = {
    "page": (
        lambda: b"\n<!DOCTYPE html>\n<html><head><title>GLIP \xc2\xb7 models</title></head>" + b"<p>" * 5000,
        ["an HTML page ('GLIP · models')", "/blob/", "/resolve/"],
    ),
    "page with a mark": (lambda: b"\xef\xbb\xbf<HTML><body>Sign in</body>", ["an HTML page", "/resolve/"]),
    "page of UTF-16": (lambda: "<html><p>not found".encode("utf-16"), ["an HTML page"]),
    "page of Latin-1": (lambda: b"<html><title>caf\xe9</title>", ["an HTML page ('café')"]),
    "page steering": (lambda: b"<html><title>\x1b]0;x\x07</title>" + b" " * 9, ["an HTML page"]),
    "answer": (
        lambda: b'<?xml version="1.0"?><Error><Code>PublicAccessNotPermitted</Code></Error>',
        ["an XML document", "answer of the server"],
    ),
    "json": (lambda: b'{"error":"Invalid username or password."}', ["a JSON document", "Invalid username"]),
    "pointer": (lambda: POINTER, ["git-lfs pointer", "927,012,345 bytes", "git lfs pull", "/resolve/"]),
    "text": (lambda: b"404: Not Found\n", ["a text file of 15 bytes that begins '404: Not Found'"]),
    "empty": (lambda: b"", ["an empty file", "download it again"]),
    "zeros": (lambda: bytes(9000), ["zero bytes", "unfinished download"]),
    "cut": (lambda: saved()[:-3000], ["PyTorch file", "ends early", "download it again"]),
    "cut at the start": (lambda: saved()[:40], ["PyTorch file", "ends early"]),
    "cut, old format": (lambda: saved(legacy=True)[:-3000], ["PyTorch file", "download it again"]),
    "cut inside the pickle, old format": (lambda: saved(legacy=True)[:60], ["PyTorch file", "download it again"]),
    "damaged": (lambda: saved()[:100] + bytes(100) + saved()[200:], ["PyTorch file", "download it again"]),
    "zip": (lambda: zipped(**{"readme.txt": b"x", "a/b.jpg": b"y"}), ["a zip archive that holds readme.txt, a/b.jpg"]),
    "zip around it": (lambda: zipped(**{"x/glip.pth": saved()}), ["unpack it and name the checkpoint", "x/glip.pth"]),
    "arrays": (lambda: zipped(**{"a.npy": b""}), [".npz"]),
    "empty zip": (lambda: zipped(), ["a zip archive that holds nothing"]),
    "script": (lambda: zipped(**{"m/constants.pkl": b"", "m/data.pkl": b""}), ["TorchScript", "state_dict()"]),
    "safetensors": (
        lambda: struct.pack("<Q", len(HEADER)) + HEADER + bytes(4),
        ["a safetensors file", "from safetensors.torch import load_file", "torch.save("],
    ),
    "tar": (lambda: tarred("glip.pth", saved()), ["a tar archive; unpack"]),
    "gzip": (lambda: b"\x1f\x8b\x08\0\0\0\0\0\0\x03abc", ["a gzip archive; unpack"]),
    "picture": (lambda: b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", ["a PNG picture"]),
    "noise": (lambda: np.random.default_rng(0).bytes(5000), ["PyTorch file"]),
}


@pytest.mark.parametrize("kind", FILES)
def test_the_message_says_what_the_file_is_and_what_to_do(tmp_path, kind):
    make, parts = FILES[kind]

    message = refusal(written(tmp_path / "glip.pth", make()))

    assert not [part for part in parts if part not in message], message


def test_folders_and_absent_files_are_named(tmp_path):
    assert "is a folder" in refusal(tmp_path)
    assert "no such file" in refusal(tmp_path / "absent.pth")


@pytest.mark.parametrize("legacy", [False, True])
def test_every_cut_of_a_checkpoint_is_refused_in_our_words(tmp_path, legacy):
    whole = saved(legacy)
    for length in [*range(0, 64), *range(64, len(whole), 997)]:
        refusal(written(tmp_path / "c.pth", whole[:length]))


def test_both_formats_are_read(tmp_path):
    for legacy in (False, True):
        tensors, config = read_checkpoint(written(tmp_path / "c.pth", saved(legacy)))
        assert config is None
        assert tensors["rpn.head.weight"].shape == (4000,)
