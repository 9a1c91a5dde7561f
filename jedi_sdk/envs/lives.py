"""When a life is lost: where training episodes end in the middle of a game."""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Bool, Int64


class Lives:
    """Watches ``info["lives"]`` of ``n`` games side by side. A game may tell it in some of its steps only, or never."""

    def __init__(self, n: int, info: dict[str, Any]) -> None:
        """``info``: of the reset that began all of them."""
        self.left = np.zeros(n, np.int64)  # 0 where nothing was told: there is nothing to lose
        self.begin(info, np.ones(n, bool))

    def begin(self, info: dict[str, Any], rows: Bool[np.ndarray, "n"]) -> None:
        """New games at ``rows``, of whose reset ``info`` is."""
        told, lives = self._told(info)
        self.left = np.where(rows, np.where(told, lives, 0), self.left)

    def lost(self, info: dict[str, Any], begun: Bool[np.ndarray, "n"]) -> Bool[np.ndarray, "n"]:
        """Which games lost a life in the step of this ``info``; those that have ``begun`` in it (NEXT_STEP) none."""
        told, lives = self._told(info)
        lost = told & ~begun & (lives < self.left)
        self.left = np.where(told, lives, np.where(begun, 0, self.left))
        return lost

    def _told(self, info: dict[str, Any]) -> tuple[Bool[np.ndarray, "n"], Int64[np.ndarray, "n"]]:
        """Which games told how many are left. Vector envs write 0 for the others, and who told what behind ``_``."""
        if "lives" not in info:
            return np.zeros(len(self.left), bool), self.left
        return info.get("_lives", np.ones(len(self.left), bool)), np.asarray(info["lives"], np.int64)
