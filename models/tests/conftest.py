"""Recorded reference outputs. Most are in the repository (`tests/fixtures/golden`, and those the engine's tests
share in `test/fixtures/teacher`); the large ones are looked for in the folder that GROUNDMILL_GOLDEN names, and tests
that need one that is absent skip and say so.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
import torch

ROOT = Path(__file__).resolve().parents[2]
OWN = Path(__file__).parent / "fixtures" / "golden"
ENGINE = ROOT / "test" / "fixtures" / "teacher"
ELSEWHERE = os.environ.get("GROUNDMILL_GOLDEN")

torch.set_num_threads(min(2, torch.get_num_threads()))


class Golden:
    def path(self, name: str) -> Path:
        """Where the recording is, e.g. ``glip-ops/nms.npz``. Skips the test if it is nowhere."""
        places = [OWN / name, ENGINE / Path(name).name] if name.startswith("glip-ops/") else [OWN / name]
        if ELSEWHERE:
            places.append(Path(ELSEWHERE) / name)
        for path in places:
            if path.exists():
                return path
        pytest.skip(f"the recorded output {name} is not here; set GROUNDMILL_GOLDEN to the folder that has it")

    def json(self, name: str):
        return json.loads(self.path(name).read_text(encoding="utf-8"))

    def npz(self, name: str) -> dict[str, np.ndarray]:
        with np.load(self.path(name)) as archive:
            return {key: archive[key] for key in archive.files}

    @property
    def rules(self):
        return self.json("fill-rules.json")["glip"]


@pytest.fixture(scope="session")
def golden() -> Golden:
    return Golden()


@pytest.fixture(autouse=True)
def _no_gradients():
    with torch.no_grad():
        yield
