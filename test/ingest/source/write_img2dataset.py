"""Output of img2dataset's own code, in its three formats.

write_img2dataset.py writers FOLDER         calls its sample writers as its downloader does
write_img2dataset.py download FOLDER URLS   runs it over a JSON list of {url, caption}

Prints the rows as JSON.
"""

import importlib.util
import json
import os
import sys

import numpy as np
import pyarrow as pa

FORMATS = ["webdataset", "parquet", "files"]


def load_writers():
    """The module alone: its package imports all of its dependencies."""
    package = importlib.util.find_spec("img2dataset")
    path = os.path.join(package.submodule_search_locations[0], "writer.py")
    spec = importlib.util.spec_from_file_location("img2dataset_writer", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return {
        "webdataset": module.WebDatasetSampleWriter,
        "parquet": module.ParquetSampleWriter,
        "files": module.FilesSampleWriter,
    }


def rows_of_shard(shard):
    """Every status, in the order in which downloads happen to end."""
    failures = {
        1: ("failed_to_download", "HTTP Error 404: Not Found"),
        4: ("failed_to_download", "<urlopen error [Errno -2] Name or service not known>"),
        5: ("failed_to_resize", "Image decoding error"),
    }
    rows = []
    for index in [3, 0, 1, 2, 6, 5, 4, 7]:
        status, error = failures.get(index, ("success", None))
        rows.append(
            {
                "caption": None if index == 7 else f"caption {shard} of a 🐕, \"{index}\"\nİstanbul",
                "url": f"https://example.org/{shard}/{index}.jpg?a=1,2",
                "tags": np.array([index, index + 1]),
                "key": f"{shard:05d}{index:04d}",
                "status": status,
                "error_message": error,
                "width": 64 if error is None else None,
                "height": 48 if error is None else None,
                "original_width": 128 if error is None else None,
                "original_height": 96 if error is None else None,
                "exif": "{}" if error is None else None,
                "sha256": f"{index:064x}" if error is None else None,
            }
        )
    return rows


def write(folder):
    # As Downloader.download_shard makes it.
    schema = pa.schema(
        [
            ("caption", pa.string()),
            ("url", pa.string()),
            ("tags", pa.list_(pa.int64())),
            ("key", pa.string()),
            ("status", pa.string()),
            ("error_message", pa.string()),
            ("width", pa.int32()),
            ("height", pa.int32()),
            ("original_width", pa.int32()),
            ("original_height", pa.int32()),
            ("exif", pa.string()),
            ("sha256", pa.string()),
        ]
    )
    for name, writer_class in load_writers().items():
        out = os.path.join(folder, name)
        os.makedirs(out)
        for shard in range(2):
            writer = writer_class(shard, out, True, 5, schema, "jpg")
            for row in rows_of_shard(shard):
                image = f"jpeg {row['key']}".encode() if row["status"] == "success" else None
                writer.write(image, row["key"], row["caption"], dict(row))
            writer.close()
    rows = [row for shard in range(2) for row in rows_of_shard(shard)]
    return [{**row, "tags": row["tags"].tolist()} for row in rows]


def download(folder, pairs):
    import pyarrow.parquet as pq
    from img2dataset import download as run

    urls = os.path.join(folder, "urls.parquet")
    pq.write_table(pa.Table.from_pylist(pairs), urls)
    for name in FORMATS:
        run(
            url_list=urls,
            input_format="parquet",
            url_col="url",
            caption_col="caption",
            output_folder=os.path.join(folder, name),
            output_format=name,
            image_size=64,
            processes_count=1,
            thread_count=4,
            number_sample_per_shard=5,
            timeout=10,
            enable_wandb=False,
        )
    return pairs


if __name__ == "__main__":
    mode, target, *rest = sys.argv[1:]
    # What img2dataset itself prints must not be in the way.
    out = os.dup(1)
    os.dup2(2, 1)
    printed = write(target) if mode == "writers" else download(target, json.loads(rest[0]))
    os.write(out, json.dumps(printed).encode())
