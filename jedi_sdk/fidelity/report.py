"""The fidelity report: the figures of one measurement, as a table, as a picture, as JSON."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jedi_sdk.fidelity.confusion import Confusion
from jedi_sdk.fidelity.displacement import Displacement
from jedi_sdk.fidelity.gap import ReturnGap
from jedi_sdk.fidelity.open_loop import OpenLoop

if TYPE_CHECKING:
    from rich.console import RenderableType

PLAIN = ("game", "policy", "seed", "contexts", "steps", "episodes", "score")
REWARDS = ("-1", "0", "1")
ENDS = ("goes on", "ends")


@dataclass(frozen=True)
class Fidelity:
    """How true the dreams of ``game`` are, on ``contexts`` distinct moments of held-out play by ``policy``."""

    game: str
    policy: str  # who played, in words
    seed: int  # of the held-out play and of the dreams
    contexts: int
    steps: int  # real steps played, from which the contexts were drawn
    episodes: int  # of these, played to their end
    score: float  # their mean raw score; NaN if none ended
    open_loop: OpenLoop
    gap: ReturnGap
    displacement: tuple[Displacement, ...]  # empty where the game's memory shows no positions

    def table(self) -> RenderableType:
        """For a rich console: tables of all figures, with a line that says on what they were measured."""
        from jedi_sdk.fidelity.table import fidelity_table

        return fidelity_table(self)

    def plot(self, path: Path) -> None:
        """Writes a PNG: the open-loop error by step, reward and termination, displacement, the return gap."""
        from jedi_sdk.fidelity.plot import plot_fidelity  # brings matplotlib

        plot_fidelity(self, path)

    def to_dict(self) -> dict[str, Any]:
        """Everything as JSON; what could not be measured is None. By key:

        - ``game policy seed contexts steps episodes score``: as the attributes.
        - ``open_loop``: lists by dreamed step 1…horizon of ``count`` (real transitions), ``ratio`` (squared
          error over that of repeating the last latent), ``fraction`` (squared error over the latents'
          variance) and ``repeat_fraction``.
        - ``reward`` (classes "-1", "0", "1") and ``termination`` ("goes on", "ends"): ``balanced_accuracy``;
          ``trivial``, that of always the most frequent class; ``frequency_real`` and ``frequency_dreamed`` by
          class; ``confusion``, rows real, columns dreamed; ``balanced_accuracy_encoded`` and ``frequency_encoded``,
          the same of what the heads make of the real frames.
        - ``gap``: ``imagined``, ``real`` and ``gap``, each with its ``…_stderr``: the mean sum of reward
          signs over the horizon; ``contexts``.
        - ``displacement``: a list of ``thing steps pairs`` and the R² ``encoded dreamed repeated``.
        """
        loop = self.open_loop
        names = ("count", "ratio", "fraction", "repeat_fraction")
        plain = {
            **{name: getattr(self, name) for name in PLAIN},
            "open_loop": {name: getattr(loop, name).tolist() for name in names},
            **rewards_and_ends(loop),
            "gap": asdict(self.gap),
            "displacement": [asdict(entry) for entry in self.displacement],
        }
        return finite(plain)


def rewards_and_ends(loop: OpenLoop) -> dict[str, Any]:
    """``reward`` and ``termination`` as ``Fidelity.to_dict`` has them; what could not be measured is NaN."""
    return {
        "reward": _said(loop.rew, loop.rew_encoded, REWARDS),
        "termination": _said(loop.end, loop.end_encoded, ENDS),
    }


def _said(dreamed: Confusion, encoded: Confusion, names: tuple[str, ...]) -> dict[str, Any]:
    told = encoded.to_dict(names)
    return {
        **dreamed.to_dict(names),
        "balanced_accuracy_encoded": told["balanced_accuracy"],
        "frequency_encoded": told["frequency_dreamed"],
    }


def finite(value: Any) -> Any:
    """The same with None for what is no number."""
    if isinstance(value, dict):
        return {key: finite(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [finite(entry) for entry in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
