"""Reads exports as their consumers do: pycocotools itself, and the ODVG loaders' documented behaviour.

Usage: readers.py coco FILE | goldg FILE | mmdet FILE [LABEL_MAP] | open-groundingdino FILE [LABEL_MAP] | tao FILE
Prints JSON. Raises where the loader would.
"""

import contextlib
import io
import json
import math
import sys


def read_lines(path):
    with open(path, encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def read_labels(path):
    with open(path, encoding="utf-8") as file:
        return json.load(file)


def coco(path):
    """AP of the file scored against itself, and what the reader's index holds."""
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO(path)
        results = [
            {key: entry[key] for key in ("image_id", "category_id", "bbox", "score")}
            for entry in truth.loadAnns(truth.getAnnIds())
        ]
        scores = COCOeval(truth, truth.loadRes(results), "bbox")
        scores.evaluate()
        scores.accumulate()
        scores.summarize()
    names = {entry["id"]: entry["name"] for entry in truth.loadCats(truth.getCatIds())}
    images = []
    for image in truth.loadImgs(sorted(truth.getImgIds())):
        entries = truth.loadAnns(sorted(truth.getAnnIds(imgIds=image["id"])))
        images.append(
            {
                "id": image["id"],
                "file_name": image["file_name"],
                "slices": [
                    " ".join(image["caption"][a:b] for a, b in entry["tokens_positive"])
                    for entry in entries
                ],
                "phrases": [entry["phrase"] for entry in entries],
                "categories": [names[entry["category_id"]] for entry in entries],
                "boxes": [entry["bbox"] for entry in entries],
                "ids": [entry["id"] for entry in entries],
            }
        )
    return {"ap": round(scores.stats[0], 9), "images": images, "categories": names}


def goldg(path):
    """As GLIP's ModulatedDataset and YOLO-World's mixed grounding."""
    from pycocotools.coco import COCO

    with contextlib.redirect_stdout(io.StringIO()):
        data = COCO(path)
    images = []
    for image in data.loadImgs(sorted(data.getImgIds())):
        width, height, caption = image["width"], image["height"], image["caption"]
        assert image["data_source"] != "coco"
        boxes, names = [], []
        for entry in data.loadAnns(sorted(data.getAnnIds(imgIds=image["id"]))):
            x, y, w, h = entry["bbox"]
            assert entry["area"] > 0 and entry["category_id"] == 1 and not entry["iscrowd"]
            x2, y2 = min(x + max(w - 1, 0), width - 1), min(y + max(h - 1, 0), height - 1)
            assert 0 <= x < x2 and 0 <= y < y2, "clipping would remove the box"
            for start, end in entry["tokens_positive"]:
                assert 0 <= start < end <= len(caption)
            boxes.append([x, y, x2, y2])
            names.append(" ".join(caption[a:b] for a, b in entry["tokens_positive"]))
        images.append({"file_name": image["file_name"], "boxes": boxes, "names": names})
    return images


def mmdet(path, label_map=None):
    labels = read_labels(label_map) if label_map else None
    images = []
    for data in read_lines(path):
        height, width = data["height"], data["width"]
        image = {"file_name": data["filename"], "boxes": [], "names": []}
        if labels is not None:
            pairs = [(one["bbox"], labels[str(one["label"])]) for one in data["detection"]["instances"]]
        else:
            grounding = data["grounding"]
            text = grounding["caption"].lower().strip()
            image["text"] = text if text.endswith(".") else text + ". "
            pairs = []
            image["phrases"] = []
            for region in grounding["regions"]:
                boxes = region["bbox"]
                boxes = boxes if isinstance(boxes[0], list) else [boxes]
                spans = region["tokens_positive"]
                for start, end in spans:
                    assert 0 <= start < end <= len(text), (spans, text)
                name = " ".join(text[start:end] for start, end in spans)
                image["phrases"].append(region["phrase"])
                pairs += [(box, name) for box in boxes]
        for (x1, y1, x2, y2), name in pairs:
            overlap_w = max(0, min(x2, width) - max(x1, 0))
            overlap_h = max(0, min(y2, height) - max(y1, 0))
            if overlap_w * overlap_h == 0 or x2 - x1 < 1 or y2 - y1 < 1:
                continue
            image["boxes"].append([x1, y1, x2, y2])
            image["names"].append(name)
        images.append(image)
    return images


def open_groundingdino(path, label_map=None):
    labels = read_labels(label_map) if label_map else None
    images = []
    for data in read_lines(path):
        if labels is not None:
            pairs = [(one["bbox"], labels[str(one["label"])]) for one in data["detection"]["instances"]]
        else:
            pairs = [(one["bbox"], one["phrase"]) for one in data["grounding"]["regions"]]
        boxes, names = zip(*pairs)  # without a region there is nothing to unpack
        unique = sorted(set(names))  # the loader's order is random
        text = " . ".join(unique) + " ."
        spans = {name: (text.find(name), text.find(name) + len(name)) for name in unique}
        for box in boxes:
            x1, y1, x2, y2 = box
            assert all(math.isfinite(value) for value in box) and x2 > x1 and y2 > y1, box
        images.append(
            {
                "file_name": data["filename"],
                "text": text,
                "boxes": boxes,
                "names": [text[slice(*spans[name])] for name in names],
            }
        )
    return images


def tao(path):
    images = []
    for data in read_lines(path):
        assert data["width"] > 0 and data["height"] > 0
        grounding = data["grounding"]
        regions = grounding["regions"]
        for region in regions:
            assert isinstance(region["phrase"], str)
            assert len(region["bbox"]) == 4
        images.append(
            {
                "file_name": data["file_name"],
                "caption": grounding["caption"],
                "names": [region["phrase"] for region in regions],
                "boxes": [region["bbox"] for region in regions],
            }
        )
    return images


READERS = {
    "coco": coco,
    "goldg": goldg,
    "mmdet": mmdet,
    "open-groundingdino": open_groundingdino,
    "tao": tao,
}

if __name__ == "__main__":
    json.dump(READERS[sys.argv[1]](*sys.argv[2:]), sys.stdout)
