"""Writes shards with webdataset and tarfile: write_tar.py FOLDER. Prints keys and captions as JSON."""

import json
import sys
import tarfile
from io import BytesIO

import webdataset as wds

folder = sys.argv[1]
samples = []
for index in range(25):
    caption = f"a 🐕 dog number {index}" if index % 2 else f"İstanbul number {index}\n"
    samples.append(
        {
            "__key__": f"{index:06d}",
            "jpg": bytes([255, 216, 255, index]) * (index + 1),
            "txt": caption,
            "json": {"url": f"https://example.org/{index}.jpg", "score": index / 4},
        }
    )
with wds.ShardWriter(f"file:{folder}/web-%06d.tar", maxcount=10, verbose=0) as writer:
    for sample in samples:
        writer.write(sample)

# Long names and big numbers in the three dialects that Python writes.
for name, dialect in [
    ("ustar", tarfile.USTAR_FORMAT),
    ("gnu", tarfile.GNU_FORMAT),
    ("pax", tarfile.PAX_FORMAT),
]:
    with tarfile.open(f"{folder}/{name}.tar", "w", format=dialect) as tar:
        for key in ["plain", "./dot/slash", "deep/" * 20 + "x" * 60, "ünïcode-🐕"]:
            if name == "ustar" and not key.isascii():
                continue
            for ending, body in [("jpg", b"jpeg " + key.encode()), ("txt", key.encode())]:
                member = tarfile.TarInfo(f"{key}.{ending}")
                member.size = len(body)
                member.mtime = 1234567890.5 if name == "pax" else 1234567890
                tar.addfile(member, BytesIO(body))

json.dump([{"key": s["__key__"], "caption": s["txt"], **s["json"]} for s in samples], sys.stdout)
