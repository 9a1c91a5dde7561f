"""One world model in the contest: trained alone on the recorded play, measured as it goes, resumable at any point."""

from __future__ import annotations

import functools
import math
import operator
import time
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import nn

from jedi_sdk import checkpoint
from jedi_sdk.actor_critic import ActorCritic
from jedi_sdk.benchmark.stage import Stage
from jedi_sdk.checkpoint import Card, CheckpointError
from jedi_sdk.config import Config
from jedi_sdk.fidelity import OpenLoop, open_loop
from jedi_sdk.fidelity.displacement import measure_displacement
from jedi_sdk.fidelity.progress import silent
from jedi_sdk.fidelity.report import finite, rewards_and_ends
from jedi_sdk.fidelity.subject import Subject
from jedi_sdk.health import RunError, latent_health, refuse_collapse
from jedi_sdk.learner import Learner
from jedi_sdk.precision import Precision
from jedi_sdk.rng import Rng
from jedi_sdk.types import Segment
from jedi_sdk.world_model import WorldModel

STEPS = (1, 3, 10, 15, 50)  # dreamed steps that are reported
HORIZON = max(STEPS)
MEASURED_WITH = 12_345  # seed of the dreams that are measured


class Entry:
    """``folder`` holds its checkpoint: networks, optimisers and everything measured so far."""

    def __init__(
        self,
        name: str,
        config: Config,
        stage: Stage,
        precision: Precision,
        folder: Path,
        played_by: str | None = None,
    ) -> None:
        self.name, self.config, self.stage, self.precision, self.folder = name, config, stage, precision, folder
        self.played_by = played_by
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(config.seed)
            world_model = WorldModel(config, stage.num_actions)
            actor_critic = ActorCritic(world_model.latent_shape, stage.num_actions, config.actor_critic)
        self.world_model = precision.place(world_model)
        self.learner = Learner(config, self.world_model, precision.place(actor_critic), precision)
        self.networks = nn.ModuleDict({"world_model": self.world_model})
        self.updates, self.seconds = 0, 0.0
        self.stopped: str | None = None  # why it will not go on
        self.curve: list[dict[str, Any]] = []
        self.pending: dict[str, list[torch.Tensor]] = defaultdict(list)
        if folder.exists():
            self._restore()

    @property
    def finished(self) -> bool:
        return self.stopped is not None

    # -- learning -----------------------------------------------------------------------------------------------

    def update(self) -> None:
        """One update of the denoiser, and the heads' as often as in the preset's epochs."""
        start = time.monotonic()
        due = self._heads_due(self.updates + 1) - self._heads_due(self.updates)
        for part in ("denoiser", *["heads"] * due):
            terms = self.learner.update(part, self.updates, self.stage.replay)
            for name in ("denoise/step1", "heads/reward", "heads/termination"):
                if name in terms:
                    self.pending[name].append(terms[name])
        self.updates += 1
        self.seconds += time.monotonic() - start

    def _heads_due(self, updates: int) -> int:
        """Updates of the heads after so many of the denoiser."""
        each = self.config.schedule.epoch
        return updates * each.heads // max(each.denoiser, 1)

    # -- measuring ----------------------------------------------------------------------------------------------

    def measure(self) -> dict[str, Any] | None:
        """Adds a point to the curve, and stops the entry where its latents have collapsed or drifted. None where these
        are no longer finite: there is nothing left to measure.
        """
        losses = {name: torch.stack(values).mean().item() for name, values in self.pending.items()}
        self.pending.clear()
        self.world_model.eval()
        health = self._health()
        self.stopped = self._fault(losses, health)
        if not math.isfinite(health["latent/std_data"]):
            return None
        loop = self._dream(self.stage.held_out.batches())
        point = {
            "updates": self.updates,
            "seconds": round(self.seconds, 1),
            "loss": losses,
            "latent": health,
            **{name: self._by_step(getattr(loop, name)) for name in ("ratio", "repeat_fraction", "size", "liveliness")},
            "ratio_learned": self._by_step(self._dream(self.stage.learned()).ratio),
            **rewards_and_ends(loop),
            "displacement": self._displacement(),
        }
        self.world_model.train()
        self.curve.append(finite(point))
        return self.curve[-1]

    def _dream(self, recorded: Iterable[Segment]) -> OpenLoop:
        """Open-loop dreams from the contexts of all that was ``recorded``."""
        rng, loops = Rng(MEASURED_WITH, self.precision.device), []
        for segment in recorded:
            with self.precision.autocast():
                loops.append(open_loop(self.world_model, segment.to(self.precision.device), rng))
        return functools.reduce(operator.add, loops)

    def _health(self) -> dict[str, float]:
        """The state of the latents, on the first of the held-out contexts."""
        segment = next(self.stage.held_out.batches()).to(self.precision.device)
        with self.precision.autocast():
            return latent_health(self.world_model, segment)

    def _displacement(self) -> list[dict[str, Any]]:
        if self.stage.located is None:
            return []
        subject = Subject(self.world_model, self.precision, Rng(MEASURED_WITH, self.precision.device))
        return [asdict(entry) for entry in measure_displacement(subject, self.stage.located, silent)]

    def _by_step(self, values: torch.Tensor) -> dict[str, float]:
        return {str(k): float(values[k - 1]) for k in STEPS if k <= len(values)}

    def _fault(self, losses: dict[str, float], health: dict[str, float]) -> str | None:
        """Why it must not go on."""
        if not all(map(math.isfinite, losses.values())):
            return f"a loss is no longer finite after {self.updates} updates"
        try:
            refuse_collapse(health, self.config.run)
        except RunError as error:
            return str(error)
        return None

    # -- checkpoints --------------------------------------------------------------------------------------------

    def save(self) -> None:
        card = Card(self.config, self.stage.num_actions, self.precision.device.type, self.precision.name)
        progress = {
            "variant": self.name,
            "fingerprint": self.stage.fingerprint,
            "played_by": self.played_by,
            "updates": self.updates,
            "seconds": self.seconds,
            "stopped": self.stopped,
            "curve": self.curve,
        }
        training = {"trainer": self.learner.state_dict(), "progress": progress}
        checkpoint.save(self.folder, card, self.networks, training)

    def _restore(self) -> None:
        card, (trainer, progress) = checkpoint.read_card(self.folder), checkpoint.read_training(self.folder)
        if card.config != self.config or progress["fingerprint"] != self.stage.fingerprint:
            raise CheckpointError(
                f"{self.folder} was made with other settings, or on other frames. Repeat the command that made it, "
                "name another --out, or delete it."
            )
        self.updates, self.seconds = progress["updates"], progress["seconds"]
        self.stopped, self.curve = progress["stopped"], progress["curve"]
        if not self.finished:  # its weights may have diverged, and are not used any more
            checkpoint.load_networks(self.folder, self.networks)
            self.learner.load_state_dict(trainer)
