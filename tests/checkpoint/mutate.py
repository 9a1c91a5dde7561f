"""What a fuzz run does to a file: each mutation is drawn from a generator whose seed is the case's recipe."""

from __future__ import annotations

import json
import struct
from copy import deepcopy
from random import Random
from typing import Any

ODD = [
    *(None, True, False, -1, 0, 1, 2, 3, 2**31, 2**63, 2**64, 10**30, -(10**30), 0.5, 1e308, -1e-308),
    *(float("nan"), float("inf"), -float("inf"), "", "x", "latent", "pixel", "\x00", "\ud800", "../../x", "a" * 10_000),
    *([], {}, [[]], [1, 2], [8] * 500, {"a": 1}, {"": {}}, [None], ["F32"], "BOOL", "I64", [0, 2**70], [64, 3]),
]


def bytes_of(data: bytes, rng: Random) -> bytes:
    """Flips, cuts, inserts, overwrites and swaps, rather at the beginning, where the words are."""
    data = bytearray(data)
    for _ in range(rng.choice([1, 1, 1, 2, 5])):
        size = len(data)
        at = rng.randrange(min(size, rng.choice([16, 300, 4000, size, size])) or 1) if size else 0
        end = min(size, at + rng.choice([1, 1, 2, 8, 64, 5000]))
        match rng.randrange(9):
            case 0 | 7 | 8:
                data[at:end] = bytes(byte ^ (1 << rng.randrange(8)) for byte in data[at:end])
            case 1:
                del data[at:end]
            case 2:
                data[at:at] = rng.randbytes(end - at + 1)
            case 3:
                data[at:end] = rng.choice([b"\xff", b"\0", b"9", b'"', b"{", b"["]) * (end - at)
            case 4:
                del data[at:]
            case 5:
                data += data[at:end]
            case 6:
                other = rng.randrange(size or 1)
                data[at:end], data[other : other + end - at] = data[other : other + end - at], data[at:end]
    return bytes(data)


def json_of(text: bytes, rng: Random) -> bytes:
    values = json.loads(text)
    for _ in range(rng.choice([1, 1, 1, 3])):
        inside = isinstance(values.get("config"), dict) and rng.random() < 0.7  # of a config.json
        _change(values["config"] if inside else values, rng)
    out = json.dumps(values)
    if rng.random() < 0.08:
        out = _twice(out, rng)
    if rng.random() < 0.04:
        levels = rng.choice([15, 17, 900, 20_000])
        out = out[:-1] + ', "deep": ' + "[" * levels + "]" * levels + "}"
    return out.encode("utf-8", "surrogatepass")


def header_of(data: bytes, rng: Random) -> bytes:
    """The same for the JSON at the head of a safetensors file, the tensors left as they are."""
    length = struct.unpack("<Q", data[:8])[0]
    header = json_of(data[8 : 8 + length], rng)
    told = len(header) if rng.random() < 0.9 else rng.choice([0, 1, len(header) - 1, len(header) + 1, 2**20, 2**63])
    return struct.pack("<Q", told) + header + data[8 + length :]


def _change(values: Any, rng: Random) -> None:
    if not values:
        return
    group, key = _place(values, rng)
    match rng.randrange(11):
        case 0:
            del group[key]
        case 1 if isinstance(group, dict):
            group[rng.choice(["extra", "", "__class__", "schema_version", "format", "a.b"])] = deepcopy(rng.choice(ODD))
        case 2 if isinstance(group, dict):
            group[rng.choice([str(key) + "s", str(key)[:-1], "../" + str(key)])] = group.pop(key)
        case 3:
            other_group, other = _place(values, rng)
            group[key], other_group[other] = deepcopy(other_group[other]), deepcopy(group[key])
        case 4:
            other_group, other = _place(values, rng)
            group[key] = deepcopy(other_group[other])
        case 5 | 6 | 7 if type(group[key]) in (int, float):
            group[key] = rng.choice([group[key] + 1, group[key] * 2, -group[key], group[key] * 10**6, str(group[key])])
        case _:
            group[key] = deepcopy(rng.choice(ODD))


def _place(values: Any, rng: Random) -> tuple[Any, Any]:
    """A group or list somewhere inside, and one of its keys."""
    key = rng.choice(list(values) if isinstance(values, dict) else range(len(values)))
    inner = values[key]
    if isinstance(inner, dict | list) and inner and rng.random() < 0.85:
        return _place(inner, rng)
    return values, key


def _twice(text: str, rng: Random) -> str:
    """One of its keys a second time, with another value."""
    key = rng.choice(list(json.loads(text)) or ["x"])
    return f"{text[:-1]}, {json.dumps(key)}: {json.dumps(deepcopy(rng.choice(ODD)))}}}"
