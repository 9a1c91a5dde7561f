"""Loads a good folder again and again, one of its files spoiled each time: ``fuzz.py FOLDER KIND FIRST LAST``.

Prints a line of JSON: how many loaded, how many were refused, and the recipe of each case that did neither, as the
arguments that repeat it. In a process of its own, because its memory is bounded, and because it may crash.
"""

from __future__ import annotations

import hashlib
import json
import resource
import signal
import sys
import time
from pathlib import Path
from random import Random
from typing import Any

import torch
from safetensors.torch import load_file

from jedi_sdk import JEDI, CheckpointError
from jedi_sdk.checkpoint import read_card
from jedi_sdk.load import config_to_dict

sys.path.insert(0, str(Path(__file__).parent))
import mutate

WORDS, TENSORS = ("config.json", "manifest.json"), ("model.safetensors", "starts.safetensors", "probe.safetensors")
KINDS = {
    "bytes": (mutate.bytes_of, (*WORDS, *TENSORS)),
    "json": (mutate.json_of, ("config.json", "config.json", "config.json", "manifest.json")),
    "header": (mutate.header_of, TENSORS),
}
SECONDS, BYTES = 10, 2**29  # for one case; beyond what the process has when all is imported


def fuzz(folder: Path, kind: str, first: int, last: int) -> dict[str, Any]:
    good = {path.name: path.read_bytes() for path in folder.iterdir()}
    shapes = {name: shapes_of(folder / name) for name in TENSORS}
    JEDI.from_pretrained(folder, device="cpu")
    bound_memory()
    counts: dict[str, Any] = {"loaded": 0, "refused": 0, "wrong": [], "slowest": 0.0}
    for case in range(first, last):
        print(f"{folder} {kind} {case} {case + 1}", file=sys.stderr, flush=True)  # the last line, where it crashes
        name = spoil(folder, kind, good, Random(f"{kind} {case}"))
        began = time.monotonic()
        try:
            counts[outcome(folder, shapes)] += 1
        except BaseException as error:  # whatever is neither
            counts["wrong"].append(f"{kind} {case} {case + 1}: {name}: {type(error).__name__}: {error}"[:400])
        counts["slowest"] = max(counts["slowest"], time.monotonic() - began)
        for other in (name, "manifest.json"):
            (folder / other).write_bytes(good[other])
    return counts


def bound_memory() -> None:
    now = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (now + BYTES, now + BYTES))


def spoil(folder: Path, kind: str, good: dict[str, bytes], rng: Random) -> str:
    """Spoils one file, and mostly lets the manifest tell its new checksum, as a stranger would."""
    change, names = KINDS[kind]
    name = rng.choice(names)
    data = change(good[name], rng)
    (folder / name).write_bytes(data)
    if name != "manifest.json" and rng.random() < 0.95:
        digests = {**json.loads(good["manifest.json"]), name: hashlib.sha256(data).hexdigest()}
        (folder / "manifest.json").write_text(json.dumps(digests))
    return name


def outcome(folder: Path, shapes: dict[str, Any]) -> str:
    signal.alarm(SECONDS)
    try:
        agent = JEDI.from_pretrained(folder, device="cpu")
    except CheckpointError as error:
        return "refused" if str(error) else "wrong"
    finally:
        signal.alarm(0)
        torch.set_num_threads(1)
    refuse_other_content(agent, folder, shapes)
    return "loaded"


def refuse_other_content(agent: JEDI, folder: Path, shapes: dict[str, Any]) -> None:
    """What was loaded must be what the files say, read once more without the library; and be whole."""
    said = numbers((folder / "config.json").read_text())
    assert said == numbers(json.dumps(read_card(folder).to_json())), "the card is not what config.json says"
    assert said["config"] == numbers(json.dumps(config_to_dict(agent.config)))
    assert agent.probe is not None
    for name, module in (("model.safetensors", agent._networks), ("probe.safetensors", agent.probe)):
        tensors = load_file(folder / name)
        assert {key: tuple(tensor.shape) for key, tensor in tensors.items()} == shapes[name], f"other tensors in {name}"
        for key, tensor in module.state_dict().items():
            assert tensor.dtype in (torch.float32, torch.int64)
            assert torch.equal(tensor, tensors[key].to(tensor.dtype)), key
            assert tensor.isfinite().all(), key
    assert agent.starts is not None
    assert {name: tuple(t.shape) for name, t in agent.starts.tensors().items()} == shapes["starts.safetensors"]


def numbers(text: str) -> dict[str, Any]:
    """As JSON knows them: 1 and 1.0 are the same."""
    return json.loads(text, parse_int=float)


def shapes_of(path: Path) -> dict[str, tuple[int, ...]]:
    return {name: tuple(tensor.shape) for name, tensor in load_file(path).items()}


if __name__ == "__main__":
    torch.set_num_threads(1)
    print(json.dumps(fuzz(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))))
