"""What was, against what was dreamed, or said of real frames: a confusion matrix, and figures that a rare class cannot
hide from.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float, Int64
from torch import Tensor


@dataclass(frozen=True)
class Confusion:
    """``matrix[i, j]``: how often the real class ``i`` was dreamed as class ``j``. Matrices of parts add
    up.
    """

    matrix: Int64[Tensor, "n n"]

    @staticmethod
    def count(real: Int64[Tensor, "m"], dreamed: Int64[Tensor, "m"], classes: int) -> Confusion:
        cells = torch.bincount(real * classes + dreamed, minlength=classes**2)
        return Confusion(cells.reshape(classes, classes))

    def __add__(self, other: Confusion) -> Confusion:
        return Confusion(self.matrix + other.matrix)

    @property
    def present(self) -> int:
        """How many classes really occurred."""
        return int((self.matrix.sum(1) > 0).sum())

    @property
    def balanced_accuracy(self) -> float:
        """The mean recall of the classes that really occurred; NaN where there was nothing to count."""
        real = self.matrix.sum(1)
        recall = self.matrix.diagonal()[real > 0] / real[real > 0]
        return float(recall.mean())

    @property
    def trivial(self) -> float:
        """The balanced accuracy of always saying the most frequent class: it recalls that one and no other."""
        return 1 / self.present if self.present else float("nan")

    @property
    def frequency_real(self) -> Float[Tensor, "n"]:
        """The share of each class in what was."""
        return self.matrix.sum(1) / self.matrix.sum()

    @property
    def frequency_dreamed(self) -> Float[Tensor, "n"]:
        """The share of each class in what was dreamed."""
        return self.matrix.sum(0) / self.matrix.sum()

    def to_dict(self, classes: tuple[str, ...]) -> dict[str, Any]:
        """Everything, with the names of the classes; what could not be measured is NaN."""
        return {
            "balanced_accuracy": self.balanced_accuracy,
            "trivial": self.trivial,
            "frequency_real": dict(zip(classes, self.frequency_real.tolist(), strict=True)),
            "frequency_dreamed": dict(zip(classes, self.frequency_dreamed.tolist(), strict=True)),
            "confusion": self.matrix.tolist(),
        }
