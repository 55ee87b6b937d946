"""The engine's sample dataset: rendered scenes with captions, as Parquet with image files and as WebDataset.

    python -m glip.sample --to ../sample

    captions.parquet   image (path relative to the file), caption
    images/*.jpg
    webdataset/*.tar   the same pairs: <key>.jpg, <key>.txt
    gold.jsonl         key, caption, width, height, phrases (start, end in code points; present; boxes), objects
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from tqdm import tqdm

from glip.scenes import encode_jpeg, gold_line, render_scene, write_tar

# Of no training (1), validation (1,000,003) or test (7) scene.
SEED = 2024


def write_sample(to: Path, count: int = 200) -> None:
    """Half of the scenes from the `test` split, half from `novel`; the same bytes each time."""
    (to / "images").mkdir(parents=True, exist_ok=True)
    (to / "webdataset").mkdir(exist_ok=True)
    members: list[tuple[str, bytes]] = []
    names, captions, gold = [], [], []
    for index in tqdm(range(count), unit="scene"):
        scene = render_scene(SEED, ("test", "novel")[index % 2], index)
        key = f"{index:05d}"
        jpeg = encode_jpeg(scene.image)
        (to / "images" / f"{key}.jpg").write_bytes(jpeg)
        members += [(f"{key}.jpg", jpeg), (f"{key}.txt", scene.caption.encode())]
        names.append(f"images/{key}.jpg")
        captions.append(scene.caption)
        gold.append(json.dumps(gold_line(key, scene), ensure_ascii=False) + "\n")
    write_tar(to / "webdataset" / "000000.tar", members)
    pq.write_table(pa.table({"image": names, "caption": captions}), to / "captions.parquet")
    (to / "gold.jsonl").write_text("".join(gold), encoding="utf-8")


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--to", type=Path, required=True)
    parser.add_argument("--count", type=int, default=200)
    args = parser.parse_args(argv)
    write_sample(args.to, args.count)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
