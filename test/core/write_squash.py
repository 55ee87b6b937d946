"""Writes test/fixtures/teacher/squash.json: the images of preprocess.npz squashed by Pillow.

Width first, then height, as Pillow does up to 12; 13 begins with the height where that is less work, which
differs by a grey level here and there.

python write_squash.py ../fixtures/teacher
"""

import hashlib
import json
import pathlib
import sys

import numpy
import PIL
from PIL import Image

SIZES = ((96, 96), (64, 160), (320, 32))

folder = pathlib.Path(sys.argv[1])
images = numpy.load(folder / "preprocess.npz")
cases = []
for name in ("down", "up", "clamped", "same"):
    image = Image.fromarray(images[f"{name}/image_rgb"])
    for width, height in SIZES:
        wide = image.resize((width, image.height), Image.Resampling.BILINEAR)
        pixels = wide.resize((width, height), Image.Resampling.BILINEAR).tobytes()
        sha256 = hashlib.sha256(pixels).hexdigest()
        cases.append({"image": name, "width": width, "height": height, "sha256": sha256})
(folder / "squash.json").write_text(json.dumps({"pillow": PIL.__version__, "cases": cases}, indent=1) + "\n")
