"""Writes shards with webdataset and tarfile: write_tar.py FOLDER. Prints keys and captions as JSON."""

import json
import sys
import tarfile
from io import BytesIO

import pyarrow as pa
import pyarrow.parquet as pq
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

# The output of img2dataset: what failed is in the Parquet file alone.
rows = []
with wds.TarWriter(f"{folder}/00000.tar", encoder=False) as writer:
    for index in range(10):
        key = f"{index:09d}"
        row = {"url": f"https://example.org/{index}.jpg", "caption": f"caption {index}"}
        ok = index % 3 != 1
        if ok:
            member = json.dumps({**row, "key": key, "status": "success"}).encode()
            body = {"jpg": f"jpeg {index}".encode(), "json": member, "txt": row["caption"].encode()}
            writer.write({"__key__": key, **body})
        error = None if ok else "HTTP Error 404: Not Found"
        status = "success" if ok else "failed_to_download"
        rows.append({**row, "key": key, "status": status, "error_message": error, "width": 256 if ok else None})
pq.write_table(pa.Table.from_pylist(rows), f"{folder}/00000.parquet")
embedded = [{**row, "jpg": b"jpeg" if row["width"] else None} for row in rows]
pq.write_table(pa.Table.from_pylist(embedded), f"{folder}/embedded.parquet")

json.dump([{"key": s["__key__"], "caption": s["txt"], **s["json"]} for s in samples], sys.stdout)
