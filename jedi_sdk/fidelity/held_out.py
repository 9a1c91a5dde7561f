"""Held-out real episodes: fresh ones, played by the policy in question, and contexts to dream from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from jedi_sdk.collect import Collector, Episode
from jedi_sdk.envs import make_envs
from jedi_sdk.fidelity.progress import Progress
from jedi_sdk.fidelity.subject import Player
from jedi_sdk.precision import Precision
from jedi_sdk.replay import Replay
from jedi_sdk.types import Policy, Segment

SPREAD = 2  # real steps played for each context wanted: neighbours share most of their frames
BATCH = 64  # contexts dreamed from side by side


@dataclass(frozen=True)
class HeldOut:
    """Real play in memory. ``rows, envs`` (n,) are distinct moments, each with ``horizon`` recorded rows
    behind it.
    """

    replay: Replay
    episodes: list[Episode]  # those that were played to their end
    steps: int
    rows: np.ndarray
    envs: np.ndarray
    horizon: int

    @property
    def stretches(self) -> np.ndarray:
        """Each context's stretch of play, by number (n,); four horizons long, so that little is shared across."""
        return self.envs * len(self.replay) + self.rows // (4 * self.horizon)

    def batches(self) -> Iterator[Segment]:
        """All contexts, ``BATCH`` at a time, as segments of ``context + horizon`` frames."""
        for i in range(0, len(self.rows), BATCH):
            rows, envs = self.rows[i : i + BATCH], self.envs[i : i + BATCH]
            yield self.replay.window(rows, envs, self.replay.context + self.horizon)


def play_held_out(player: Player, contexts: int, horizon: int, progress: Progress, spread: int = SPREAD) -> HeldOut:
    """Plays ``spread`` steps for each context and draws ``contexts`` moments without replacement."""
    env = player.config.env
    wanted = spread * contexts + env.num_envs * horizon  # the last rows of each env have too little behind them
    room = 2 * (wanted + 2 * env.num_envs)  # at worst every other frame is a last one
    replay = Replay(None, env.num_envs, room, context=player.config.context)
    envs = make_envs(player.game, env.num_envs)
    try:
        collector = Collector(envs, replay, player.seed, player.precision.device, env.life_loss_ends)
        steps, episodes = play(
            collector, player.policy, wanted, player.precision, progress, "playing held-out episodes"
        )
    finally:
        envs.close()
    rows, columns = anchors(replay, horizon)
    chosen = np.sort(np.random.default_rng(player.seed).choice(len(rows), contexts, replace=False))
    return HeldOut(replay, episodes, steps, rows[chosen], columns[chosen], horizon)


def play(
    collector: Collector, policy: Policy, wanted: int, precision: Precision, progress: Progress, what: str
) -> tuple[int, list[Episode]]:
    """At least ``wanted`` real steps into the collector's replay, telling how far it is."""
    steps, episodes, chunk = 0, [], max(1, wanted // 50)
    while steps < wanted:
        with precision.autocast():
            more, finished = collector.collect(policy, min(chunk, wanted - steps))
        steps, episodes = steps + more, episodes + finished
        progress(min(1.0, steps / wanted), what)
    return steps, episodes


def anchors(replay: Replay, horizon: int) -> tuple[np.ndarray, np.ndarray]:
    """Every moment (rows, envs) at which somebody acted and that has ``horizon`` more rows behind it."""
    alive = ~replay.columns["dead"][: max(0, replay.count - horizon)]
    rows, envs = np.nonzero(alive)
    return rows, envs
