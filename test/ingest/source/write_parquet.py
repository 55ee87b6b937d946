"""Writes one table with pyarrow in every layout that matters: write_parquet.py FOLDER.

Prints the rows as JSON, bytes as base64, so that the reader's values can be compared with pyarrow's.
"""

import base64
import datetime
import decimal
import itertools
import json
import math
import sys

import pyarrow as pa
import pyarrow.parquet as pq

folder = sys.argv[1]

ROWS = 23


def row(index):
    emoji = "a 🐕 dog" if index % 3 == 0 else "İstanbul café"
    return {
        "id": 2**60 + index if index % 2 else index,
        "url": f"https://example.org/{index}.jpg",
        "caption": f"{emoji} number {index}",
        "large": f"large {index}" * (index + 1),
        "repeated": ["cat", "dog", "bird"][index % 3],
        "nothing": None if index % 4 else f"sometimes {index}",
        "captions": [f"caption {index}.{n}" for n in range(index % 3)],
        "noun_chunks": [[0.0, 5.0, 0.25, 0.5, 0.75, 1.0, 0.5]] * (index % 3) if index % 5 else None,
        "image": {"bytes": bytes([255, 216, 255, index, 0]), "path": f"{index}.jpg"},
        "score": math.nan if index == 7 else index / 8,
        "small": index % 128,
        "flag": index % 2 == 0,
        "day": datetime.date(2024, 2, 1 + index),
        "time": datetime.datetime(2024, 2, 1, 12, 0, index),
        "price": decimal.Decimal(index) / 4,
        "void": None,
    }


schema = pa.schema(
    [
        ("id", pa.int64()),
        ("url", pa.string()),
        ("caption", pa.string()),
        ("large", pa.large_string()),
        ("repeated", pa.dictionary(pa.int32(), pa.string())),
        ("nothing", pa.string()),
        ("captions", pa.list_(pa.string())),
        ("noun_chunks", pa.list_(pa.list_(pa.float64()))),
        ("image", pa.struct([("bytes", pa.binary()), ("path", pa.string())])),
        ("score", pa.float64()),
        ("small", pa.uint8()),
        ("flag", pa.bool_()),
        ("day", pa.date32()),
        ("time", pa.timestamp("ms")),
        ("price", pa.decimal128(9, 2)),
        ("void", pa.string()),
    ]
)
rows = [row(index) for index in range(ROWS)]
table = pa.Table.from_pylist(rows, schema=schema)

names = []
for codec, version, dictionary in itertools.product(
    ["none", "snappy", "gzip", "brotli", "zstd", "lz4"], ["1.0", "2.0"], [True, False]
):
    name = f"{codec}-{version}-{'dictionary' if dictionary else 'plain'}.parquet"
    pq.write_table(
        table,
        f"{folder}/{name}",
        compression=codec,
        data_page_version=version,
        use_dictionary=dictionary,
        row_group_size=10,
        data_page_size=64,
        write_page_index=codec == "snappy",
    )
    names.append(name)

# Page version 2 with lists of structs, some of them empty: what hyparquet cannot read.
nested = pa.table(
    {
        "url": [row["url"] for row in rows],
        "caption": [row["caption"] for row in rows],
        "boxes": [[{"start": n, "end": n + 1} for n in range(index % 3)] for index in range(ROWS)],
    }
)
pq.write_table(nested, f"{folder}/nested-v1", data_page_version="1.0")
pq.write_table(nested, f"{folder}/nested-v2", data_page_version="2.0")


def plain(value):
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, float):
        return None if math.isnan(value) else value
    if isinstance(value, decimal.Decimal):
        return float(value)
    if isinstance(value, datetime.datetime):
        return value.isoformat() + ".000Z"
    if isinstance(value, datetime.date):
        return value.isoformat() + "T00:00:00.000Z"
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) >= 2**53:
        return str(value)
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    return value


json.dump({"files": names, "rows": plain(table.to_pylist())}, sys.stdout)
