"""Settings as a flat mapping from dotted key to value: each can be looked up, suggested and blamed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from difflib import SequenceMatcher
from typing import Any

Settings = dict[str, Any]  # "denoiser.channels" -> 160


def flatten(data: Mapping[Any, Any], prefix: str = "") -> Settings:
    flat: Settings = {}
    for key, value in data.items():
        path = f"{prefix}{key}"
        flat |= flatten(value, f"{path}.") if isinstance(value, Mapping) else {path: value}
    return flat


def nest(settings: Settings) -> dict[str, Any]:
    """The inverse of ``flatten``."""
    tree: dict[str, Any] = {}
    for path, value in settings.items():
        *groups, name = path.split(".")
        node = tree
        for group in groups:
            node = node.setdefault(group, {})
        node[name] = value
    return tree


def nearest_keys(key: str, known: Iterable[str]) -> list[str]:
    """The dotted keys most like ``key``, which may be a last part alone (``chanels``): one, some or none."""
    scores = {name: _likeness(key, name) for name in known}
    best = max(scores.values())
    return [name for name, score in scores.items() if score >= max(0.65, best - 0.02)]


def _likeness(key: str, name: str) -> float:
    last_parts = SequenceMatcher(None, key.rpartition(".")[2], name.rpartition(".")[2]).ratio()
    return max(SequenceMatcher(None, key, name).ratio(), 0.9 * last_parts)
