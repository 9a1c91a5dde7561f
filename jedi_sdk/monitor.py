"""What is watched while a run goes on: losses, latents, short fidelity checks; and when the run must stop."""

from __future__ import annotations

import math
import time
from collections import defaultdict
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from jedi_sdk.collect import Episode
from jedi_sdk.config import Config
from jedi_sdk.curves import plot_learning_curve
from jedi_sdk.fidelity import open_loop
from jedi_sdk.health import RunError, latent_health, refuse_collapse
from jedi_sdk.learner import Learner
from jedi_sdk.progress import RunProgress
from jedi_sdk.replay import Replay
from jedi_sdk.rng import Rng
from jedi_sdk.runlog import RunLog
from jedi_sdk.schedule import Counters

LOG_EVERY = 50  # updates of a part between two lines of the log
SHOW_EVERY = 10  # updates of a part between two movements of the bar
CURVES_EVERY = 300.0  # seconds between two drawings of the learning curve
STATISTICS_FRAMES = 256  # frames from which latent std and effective rank are taken
RECENT_EPISODES = 20  # real episodes whose mean return is shown


class Monitor:
    """Reads from the run, writes its log and bar; draws from generators of its own: watching changes nothing."""

    def __init__(
        self, config: Config, run_dir: Path, learner: Learner, replay: Replay, log: RunLog, bar: RunProgress
    ) -> None:
        self.config, self.run_dir, self.learner, self.replay = config, run_dir, learner, replay
        self.log, self.bar = log, bar
        self.phase = ""
        self.episodes: list[Episode] = []
        self.pending: dict[str, list[Tensor]] = defaultdict(list)  # what updates reported, still on its device
        self.news: dict[str, float] = {}
        self.drawn_at = time.monotonic()

    # -- while the epoch goes on ----------------------------------------------------------------------------------

    def updated(self, part: str, done: int, terms: dict[str, Tensor], counters: Counters) -> None:
        """After an update of ``part``, its ``done``-th."""
        for name, value in terms.items():
            self.pending[name].append(value)
        if done % LOG_EVERY == 0:
            self._flush(counters)
        if done % SHOW_EVERY == 0:
            self.show(part.replace("_", "-"), counters)

    def collected(self, episodes: list[Episode], counters: Counters) -> None:
        self.episodes.extend(episodes)
        del self.episodes[:-RECENT_EPISODES]
        self.show("collecting", counters)

    def show(self, doing: str, counters: Counters) -> None:
        news = {"env steps": counters.env_steps, **self.news}
        if self.episodes:
            news["return"] = float(np.mean([episode.score for episode in self.episodes]))
        self.bar.show(f"{self.phase} {doing}", counters.updates, news)

    def _flush(self, counters: Counters) -> None:
        """Logs the means of what was reported since the last time; the one place that waits for the device."""
        values = {name: torch.stack(tensors).mean().item() for name, tensors in self.pending.items()}
        self.pending.clear()
        broken = [name for name, value in values.items() if not math.isfinite(value)]
        if broken:
            raise RunError(
                f"{', '.join(broken)} is no longer finite after {counters.updates} updates. Lower the learning rate "
                "(--set optim.lr=3e-5), or compute in float32 (--set run.dtype=float32)."
            )
        self.log.write("updates", counters, values)
        shown = {
            "denoise/step1": "denoising",
            "heads/reward": "reward loss",
            "imagined/return": "imagined return",
        }
        self.news.update({label: values[name] for name, label in shown.items() if name in values})

    # -- checks ---------------------------------------------------------------------------------------------------

    def check_dream(self, first_new_row: int, counters: Counters) -> None:
        """A short fidelity check on the frames just collected: the model has not been trained on them."""
        device, horizon = self.learner.precision.device, self.config.actor_critic.horizon
        segment = self.replay.sample_since(
            first_new_row,
            self.config.run.fidelity_contexts,
            self.config.context + horizon,
            self._own_sampling(counters),
        ).to(device)
        with self.learner.precision.autocast():
            report = open_loop(self.learner.world_model, segment, Rng(counters.epoch, device))
        values = {f"fidelity/ratio_step{k}": float(report.ratio[k - 1]) for k in (1, 3, 10, 15) if k <= horizon}
        values = {name: value for name, value in values.items() if math.isfinite(value)}
        self.log.write("fidelity", counters, values)
        if "fidelity/ratio_step1" in values:
            self.news["error/repeat-last"] = values["fidelity/ratio_step1"]

    def close_epoch(self, first_new_row: int, counters: Counters) -> None:
        """Logs the epoch; raises ``RunError`` where something is no longer finite or the latents have collapsed."""
        values = {**self.check_health(counters), **self._real_returns(), **self._played(first_new_row)}
        self.log.write("epoch", counters, values)
        if not self.bar.console.is_terminal:
            self.bar.line(self._summary(values, counters))
        if time.monotonic() - self.drawn_at > CURVES_EVERY:
            self.drawn_at = time.monotonic()
            plot_learning_curve(self.run_dir)

    def check_health(self, counters: Counters) -> dict[str, float]:
        """The latents' statistics, once they and what updates reported have been found in order."""
        if self.pending:
            self._flush(counters)
        values = self._latent_statistics(counters)
        refuse_collapse(values, self.config.run)
        return values

    def _real_returns(self) -> dict[str, float]:
        if not self.episodes:
            return {}
        return {
            "real/return": float(np.mean([episode.score for episode in self.episodes])),
            "real/length": float(np.mean([episode.length for episode in self.episodes])),
        }

    def _played(self, first_new_row: int) -> dict[str, float]:
        """What this epoch's own steps paid and ended, all of them: no older game and no chance in it."""
        rew, end = self.replay.steps_since(first_new_row)
        return {"played/reward": float(rew.mean()), "played/end": float(end.mean())} if len(rew) else {}

    def _latent_statistics(self, counters: Counters) -> dict[str, float]:
        context = self.config.context
        segment = self.replay.sample(STATISTICS_FRAMES, max(context, 2), self._own_sampling(counters))
        with self.learner.precision.autocast():
            health = latent_health(self.learner.world_model, segment.to(self.learner.precision.device))
        real_reward = segment.rew[:, context - 1].mean()  # a step, as the replay is sampled: beside imagined/reward
        return {**health, "real/reward": real_reward.item()}

    def _own_sampling(self, counters: Counters) -> np.random.Generator:
        return np.random.default_rng([self.config.seed, counters.epoch])

    def _summary(self, values: dict[str, float], counters: Counters) -> str:
        text = "  ".join(f"{name} {value:.3g}" for name, value in {**self.news, **values}.items())
        return f"{self.phase}  {counters.seconds:.0f} s  env steps {counters.env_steps}  {text}"
