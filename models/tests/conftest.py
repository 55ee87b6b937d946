"""Recorded reference outputs: read in place, tests that need them skip aloud where they are absent."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
import torch

ROOT = Path(__file__).resolve().parents[2]
GOLDEN = Path(os.environ.get("GROUNDMILL_GOLDEN", ROOT.parent / "shared" / "golden"))


class Golden:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.rules = self.json("fill-rules.json")["glip"]

    def json(self, name: str):
        return json.loads((self.folder / name).read_text(encoding="utf-8"))

    def npz(self, name: str) -> dict[str, np.ndarray]:
        with np.load(self.folder / name) as archive:
            return {key: archive[key] for key in archive.files}


@pytest.fixture(scope="session")
def golden() -> Golden:
    if not (GOLDEN / "fill-rules.json").exists():
        pytest.skip(f"recorded reference outputs are not at {GOLDEN} (set GROUNDMILL_GOLDEN)")
    return Golden(GOLDEN)


@pytest.fixture(autouse=True)
def _no_gradients():
    with torch.no_grad():
        yield
