"""Our agent as something to time: fresh networks, a replay full of noise, one call for each kind of work."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import torch

from jedi_sdk.agent import JEDI
from jedi_sdk.compiling import compile_networks
from jedi_sdk.learner import Learner
from jedi_sdk.precision import Precision
from jedi_sdk.replay import FRAME, Replay
from jedi_sdk.types import DreamState

ROWS = 1_000  # of the replay: noise costs an update what play would


class Ours:
    """``space=latent`` or ``pixel``, as the configuration says."""

    def __init__(
        self, game: str, preset: str, overrides: Sequence[str], precision: Precision, compiled: bool = False
    ) -> None:
        settings = [*overrides, f"run.dtype={precision.name}"]
        self.agent = JEDI(game, preset=preset, overrides=settings, device=str(precision.device))
        self.model, self.precision = self.agent.world_model, self.agent.precision
        self.learner = Learner(self.agent.config, self.model, self.agent.actor_critic, self.precision)
        self.replay: Replay | None = None
        if compiled:
            compile_networks(self.learner, strict=True)

    @property
    def parameters(self) -> int:
        return sum(p.numel() for module in self.learner.modules.values() for p in module.parameters())

    def work(self, part: str, n: int) -> Callable[[], object]:
        """``sample``: one step of ``n`` dreams. Else one update of that part with a batch of ``n``."""
        if part == "sample":
            return self._step(n)
        config, replay = self.agent.config, self._filled()
        config = replace(config, optim=replace(config.optim, batch_size=n))

        def update() -> object:
            self.learner.config = config
            return self.learner.update(part, 0, replay)

        return update

    def _step(self, n: int) -> Callable[[], object]:
        model, device = self.model, self.precision.device
        z = torch.zeros(n, model.context, *model.latent_shape, device=device)
        act = torch.zeros(n, model.context, dtype=torch.int64, device=device)
        state = DreamState(z, act[:, 1:], model.heads.lstm.empty(n))

        def step() -> object:
            with self.precision.autocast():
                return model.step(state, act[:, 0], self.learner.rng)

        return step

    def _filled(self) -> Replay:
        """Made when it is first needed, so that it is no part of the memory that sampling takes."""
        if self.replay is None:
            self.replay = noise(ROWS, self.agent.config.context, self.model.num_actions)
        return self.replay


def noise(rows: int, context: int, num_actions: int) -> Replay:
    """A replay of one endless episode of random frames, actions and rewards."""
    rng = np.random.default_rng(0)
    replay = Replay(None, num_envs=1, capacity=rows, context=context)
    no = np.zeros(1, np.bool_)
    for step in range(rows):
        replay.add(
            obs=rng.integers(256, size=(1, *FRAME), dtype=np.uint8),
            act=rng.integers(num_actions, size=1),
            rew=rng.integers(-1, 2, size=1),
            end=no,
            trunc=no,
            dead=no,
            step=np.array([step]),
        )
    return replay
