"""Writes captions with Python's own writers: write_text.py FOLDER. Prints the rows as JSON."""

import csv
import gzip
import json
import sys

import pandas as pd

folder = sys.argv[1]
CAPTIONS = [
    "a brown dog",
    'a sign that says "stop", in red',
    "two lines:\na dog\r\nand a cat",
    "a 🐕 in İstanbul, naïve café",
    '"',
    '""quoted""',
    " leading and trailing ",
    "tabs\tand, commas",
    "it's 5'9\" tall",
    "",
]
rows = [
    {"url": f"https://example.org/{n}.jpg?a=1,b=2", "caption": caption, "id": n}
    for n, caption in enumerate(CAPTIONS)
]

frame = pd.DataFrame(rows)
frame.to_csv(f"{folder}/pandas.csv", index=False)
frame.to_csv(f"{folder}/packed.csv.gz", index=False)
frame.to_csv(f"{folder}/quoted.tsv", index=False, sep="\t")
frame.to_json(f"{folder}/pandas.jsonl", orient="records", lines=True)
with open(f"{folder}/excel.csv", "w", newline="", encoding="utf-8-sig") as file:
    writer = csv.DictWriter(file, rows[0])
    writer.writeheader()
    writer.writerows(rows)
with gzip.open(f"{folder}/packed.jsonl.gz", "wt", encoding="utf-8") as file:
    for row in rows:
        file.write(json.dumps(row, ensure_ascii=False) + "\n")

json.dump(rows, sys.stdout)
