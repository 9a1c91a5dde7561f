"""Hundreds of spoiled folders: each loads as what it says, or is refused."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from random import Random
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from jedi_sdk import JEDI, CheckpointError
from jedi_sdk.policies import load_policy, save_policy
from jedi_sdk.policies.library import weights

from ..checkpoint import mutate

CASES = {"bytes": 80, "json": 100, "header": 60}
CHANGES = {"bytes": mutate.bytes_of, "json": mutate.json_of, "header": mutate.header_of}
FILES = {
    "bytes": ("policy.json", "policy.safetensors", "manifest.json"),
    "json": ("policy.json",),
    "header": ("policy.safetensors",),
}


@pytest.mark.parametrize("library", ["sb3_ppo", "tianshou_dqn"])
def test_a_spoiled_folder_loads_as_what_it_says_or_is_refused(
    library: str, agent: JEDI, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    folder = save_policy(request.getfixturevalue(library), tmp_path / "policy", agent, {"stack": 4})
    good = {name: (folder / name).read_bytes() for name in FILES["bytes"]}
    counts = {"loaded": 0, "refused": 0}
    for kind, case in [(kind, case) for kind, cases in CASES.items() for case in range(cases)]:
        spoil(folder, kind, good, Random(f"{kind} {case}"))
        counts[outcome(folder)] += 1
        for name, data in good.items():
            (folder / name).write_bytes(data)
    assert sum(counts.values()) == sum(CASES.values())
    assert min(counts.values()) > 0


def spoil(folder: Path, kind: str, good: dict[str, bytes], rng: Random) -> None:
    """One file; mostly the manifest tells its new checksum, as a stranger would let it."""
    name = rng.choice(FILES[kind])
    data = CHANGES[kind](good[name], rng)
    (folder / name).write_bytes(data)
    if name != "manifest.json" and rng.random() < 0.95:
        digests = {**json.loads(good["manifest.json"]), name: hashlib.sha256(data).hexdigest()}
        (folder / "manifest.json").write_text(json.dumps(digests))


def outcome(folder: Path) -> str:
    try:
        loaded = load_policy(folder, device="cpu")
    except CheckpointError:
        return "refused"
    refuse_other_content(folder, loaded)
    return "loaded"


def refuse_other_content(folder: Path, loaded: Any) -> None:
    """What was loaded must be what the files say, read once more without the library; and be whole."""
    said = json.loads((folder / "policy.json").read_text())
    assert json.loads(json.dumps(loaded.spec.to_json())) == said
    tensors = load_file(folder / "policy.safetensors")
    found = weights(loaded.policy)
    assert found.keys() == tensors.keys()
    for name, tensor in found.items():
        assert torch.equal(tensor, tensors[name].to(tensor.dtype)), name
        assert tensor.isfinite().all(), name
