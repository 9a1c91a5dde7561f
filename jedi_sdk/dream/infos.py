"""gymnasium's infos of a vector env, one dict of arrays with masks, as other libraries want them: a dict for each."""

from __future__ import annotations

from typing import Any

import numpy as np


def info_of(infos: dict[str, Any], i: int) -> dict[str, Any]:
    """What was told of env ``i``; the array ``_name`` says of which envs ``name`` was."""
    own: dict[str, Any] = {}
    for name, value in infos.items():
        if name.startswith("_") or (f"_{name}" in infos and not infos[f"_{name}"][i]):
            continue
        if isinstance(value, dict):
            own[name] = info_of(value, i)
        elif isinstance(value, np.ndarray | list | tuple):
            own[name] = value[i]
    return own
