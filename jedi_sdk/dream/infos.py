"""gymnasium's infos of a vector env, one dict of arrays, where ``_name`` says of which envs ``name`` was told."""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Bool


def info_of(infos: dict[str, Any], i: int) -> dict[str, Any]:
    """What was told of env ``i``, as other libraries want it: a dict of its own."""
    own: dict[str, Any] = {}
    for name, value in infos.items():
        if name.startswith("_") or (f"_{name}" in infos and not infos[f"_{name}"][i]):
            continue
        if isinstance(value, dict):
            own[name] = info_of(value, i)
        elif isinstance(value, np.ndarray | list | tuple):
            own[name] = value[i]
    return own


def begun_anew(old: dict[str, Any], fresh: dict[str, Any], rows: Bool[np.ndarray, "n"]) -> dict[str, Any]:
    """Infos of a step, but at ``rows`` those of the reset behind it and nothing else."""
    merged = _of_others(old, rows)
    for name, value in fresh.items():
        if isinstance(value, dict):
            merged[name] = begun_anew(merged.get(name, {}), value, rows)
        elif name in merged:
            merged[name] = np.where(rows.reshape(-1, *[1] * (value.ndim - 1)), value, merged[name])
        else:
            merged[name] = value
    return merged


def _of_others(infos: dict[str, Any], rows: Bool[np.ndarray, "n"]) -> dict[str, Any]:
    """What was told of envs that are not in ``rows``; what has no mask was told of all."""
    told = {name: infos[f"_{name}"] & ~rows for name in infos if f"_{name}" in infos}
    kept: dict[str, Any] = {}
    for name, value in infos.items():
        if name in told and told[name].any():
            kept[name] = _of_others(value, rows) if isinstance(value, dict) else value
            kept[f"_{name}"] = told[name]
        elif name not in told and name.removeprefix("_") not in told:
            kept[name] = value
    return kept
