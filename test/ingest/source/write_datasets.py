"""Writes a data set with Hugging Face datasets: write_datasets.py FOLDER.

An imagefolder with metadata, Parquet with embedded images, a folder of save_to_disk, Feather and
Arrow IPC in their variants. Prints the rows as JSON: caption and base64 of the image's bytes.
"""

import base64
import io
import json
import os
import sys

import datasets
import pyarrow as pa
import pyarrow.feather
from PIL import Image

folder = sys.argv[1]
datasets.disable_progress_bars()

os.makedirs(f"{folder}/images/some/deep")
rows = []
for index in range(12):
    caption = f"a 🐕 number {index}, red" if index % 2 else f'the "{index}" one'
    buffer = io.BytesIO()
    Image.new("RGB", (8 + index, 8), (index * 20, 0, 0)).save(buffer, "JPEG")
    name = f"some/{'deep/' if index % 3 == 0 else ''}{index:02d}.jpg"
    with open(f"{folder}/images/{name}", "wb") as file:
        file.write(buffer.getvalue())
    rows.append({"file_name": name, "caption": caption, "bytes": buffer.getvalue()})
with open(f"{folder}/images/metadata.jsonl", "w") as file:
    for row in rows:
        objects = {"bbox": [[1.0, 2.0, 3.0, 4.0]], "categories": [0]}
        line = {"file_name": row["file_name"], "caption": row["caption"], "objects": objects}
        file.write(json.dumps(line) + "\n")

loaded = datasets.load_dataset(
    "imagefolder", data_dir=f"{folder}/images", split="train", cache_dir=f"{folder}/cache"
)
assert sorted(loaded["caption"]) == sorted(row["caption"] for row in rows)

features = datasets.Features({"image": datasets.Image(), "caption": datasets.Value("string")})
pairs = [{"image": {"bytes": r["bytes"], "path": r["file_name"]}, "caption": r["caption"]} for r in rows]
dataset = datasets.Dataset.from_list(pairs, features=features)
dataset.to_parquet(f"{folder}/embedded.parquet", batch_size=5)
dataset.save_to_disk(f"{folder}/saved", num_shards=2)

table = pa.table(
    {
        "url": [f"https://example.org/{n}.jpg" for n in range(12)],
        "caption": [row["caption"] for row in rows],
        "kind": pa.array([["cat", "dog"][n % 2] for n in range(12)]).dictionary_encode(),
        "spans": [[[0, 3]] * (n % 3) for n in range(12)],
        "scores": pa.array([{"clip": n / 4} if n % 4 else None for n in range(12)]),
        "id": [2**60 + n if n % 2 else n for n in range(12)],
        "large": pa.array([f"large {n}" for n in range(12)], pa.large_string()),
    }
)
for codec in ["uncompressed", "lz4", "zstd"]:
    pa.feather.write_feather(table, f"{folder}/{codec}.feather", compression=codec, chunksize=5)
with pa.ipc.new_stream(f"{folder}/stream.arrow", table.schema) as writer:
    writer.write_table(table, max_chunksize=5)
with pa.ipc.new_file(f"{folder}/file.arrow", table.schema) as writer:
    writer.write_table(table, max_chunksize=5)
with pa.ipc.new_stream(f"{folder}/empty.arrow", table.schema):
    pass

shown = [{**row, "bytes": base64.b64encode(row["bytes"]).decode()} for row in rows]
json.dump({"rows": shown, "table": table.to_pylist()}, sys.stdout)
