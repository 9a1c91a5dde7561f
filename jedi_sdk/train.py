"""The loop: collect, learn the world, learn to act in dreams of it; log, check, save. The only place it closes."""

from __future__ import annotations

import math
import signal
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from jedi_sdk import checkpoint
from jedi_sdk.actor_critic import Actor
from jedi_sdk.checkpoint import Card
from jedi_sdk.collect import Collector, Episode
from jedi_sdk.config import Config
from jedi_sdk.curves import plot_learning_curve
from jedi_sdk.envs import Game, make_envs
from jedi_sdk.fidelity import open_loop
from jedi_sdk.learner import Learner
from jedi_sdk.load import dump_yaml
from jedi_sdk.progress import RunProgress
from jedi_sdk.replay import Replay
from jedi_sdk.rng import Rng
from jedi_sdk.runlog import RunLog
from jedi_sdk.schedule import Counters, next_part, num_epochs, target, total_work
from jedi_sdk.world_model.statistics import effective_rank, latent_std

LOG_EVERY = 50  # updates of a part between two lines of the log
CURVES_EVERY = 300.0  # seconds between two drawings of the learning curve
STATISTICS_FRAMES = 256  # frames from which latent std and effective rank are taken


class RunError(RuntimeError):
    """A run that cannot go on: says why, and what to change."""


class Trainer:
    """One run in one folder: ``learner`` and the real game of ``card.config``, from the start or from a checkpoint."""

    def __init__(self, game: Game, learner: Learner, card: Card, networks: torch.nn.ModuleDict, run_dir: Path) -> None:
        self.game, self.learner, self.card, self.networks, self.run_dir = game, learner, card, networks, run_dir
        self.counters = Counters()
        self.recent: list[Episode] = []  # the last real episodes, for the log
        self.pending: dict[str, list[Tensor]] = defaultdict(list)  # logged values still on their device
        self.news: dict[str, float] = {}
        self.log_size = 0
        self.stop_requested = False
        config = card.config
        work = config.schedule.first_epoch.env_steps + config.schedule.epoch.env_steps
        self.replay = Replay(
            run_dir / "replay",
            config.env.num_envs,
            config.replay.capacity,
            slack=2 * work,  # the two newest checkpoints can still see every row they counted
            recency=config.replay.recency,
            context=config.context,
        )

    @property
    def config(self) -> Config:
        return self.card.config

    def extend(self, env_steps: int) -> None:
        """Changes how many real steps the run takes in all."""
        config = replace(self.config, schedule=replace(self.config.schedule, env_steps=env_steps))
        self.card = replace(self.card, config=config)

    # -- resuming -----------------------------------------------------------------------------------------------

    def restore(self, folder: Path) -> None:
        """Weights, optimisers, generators, replay and counters as they were at the checkpoint ``folder``."""
        trainer, progress = checkpoint.read_training(folder, torch.device("cpu"))
        self.learner.load_state_dict(trainer)
        self.counters = Counters(**progress["counters"])
        self.replay.count = progress["replay_rows"]
        self.recent = [Episode(**episode) for episode in progress["recent"]]
        self.log_size = progress["log_size"]

    # -- the loop -----------------------------------------------------------------------------------------------

    def run(self, progress: bool = True) -> None:
        """Runs to the end of the schedule. Ctrl-C and SIGTERM save a checkpoint first, then KeyboardInterrupt."""
        (self.run_dir / "config.yaml").write_text(dump_yaml(self.config), encoding="utf-8")
        epochs = num_epochs(self.config.schedule)
        done = self.counters
        envs = make_envs(self.game, self.config.env.num_envs)
        self.log = RunLog(self.run_dir, self.log_size, done.updates)
        self.clock = self.saved_at = self.drawn_at = time.monotonic()
        try:
            with RunProgress(self._all_updates(), progress) as self.bar, self._catch_signals():
                self._announce()
                seed = int(np.random.SeedSequence([self.config.seed, done.env_steps]).generate_state(1)[0])
                self.collector = Collector(
                    envs, self.replay, seed, self.learner.precision.device, self.config.env.life_loss_ends
                )
                for epoch in range(done.epoch, epochs):
                    self._epoch(epoch, epochs)
        finally:
            envs.close()
            self.log.close()
            plot_learning_curve(self.run_dir)

    def _all_updates(self) -> int:
        work = total_work(self.config.schedule)
        return work.denoiser + work.heads + work.actor_critic

    def _epoch(self, epoch: int, epochs: int) -> None:
        self.phase = f"epoch {epoch + 1}/{epochs}"
        goal = target(self.config.schedule, epoch)
        first_new_row = self.replay.count
        self._collect(goal.env_steps)
        if epoch > 0 and epoch % self.config.run.fidelity_every == 0 and self.replay.count > first_new_row:
            self._check_dream(first_new_row)
        while part := next_part(self.counters, goal):
            self._update(part)
            self._checkpoint_if_due()
        self.counters.epoch = epoch + 1
        self._close_epoch()
        self._save()

    def _collect(self, goal: int) -> None:
        missing = goal - self.counters.env_steps
        if missing <= 0:
            return
        actor = Actor(
            self.learner.actor_critic,
            self.learner.rng,
            self.learner.world_model.encode,
            epsilon=self.config.env.epsilon,
        )
        chunk = max(self.config.env.num_envs, missing // 20)  # so that the bar moves and Ctrl-C is heard
        while missing > 0:
            with self.learner.precision.autocast():
                steps, episodes = self.collector.collect(actor, min(chunk, missing))
            missing -= steps
            self.counters.env_steps += steps
            self.counters.episodes += len(episodes)
            self.recent = [*self.recent, *episodes][-20:]
            self._show("collecting")

    def _update(self, part: str) -> None:
        done = getattr(self.counters, part)
        for name, value in self.learner.update(part, done, self.replay).items():
            self.pending[name].append(value)
        setattr(self.counters, part, done + 1)
        if (done + 1) % 10 == 0:
            self._show(part.replace("_", "-"))
        if (done + 1) % LOG_EVERY == 0:
            self._flush_terms()

    # -- watching -----------------------------------------------------------------------------------------------

    def _at(self) -> dict[str, float]:
        now = time.monotonic()
        self.counters.seconds += now - self.clock
        self.clock = now
        return self.counters.as_dict()

    def _flush_terms(self) -> None:
        """Logs the means of what the updates reported since the last time; the one place that waits for them."""
        values = {name: torch.stack(tensors).mean().item() for name, tensors in self.pending.items()}
        self.pending.clear()
        broken = [name for name, value in values.items() if not math.isfinite(value)]
        if broken:
            raise RunError(
                f"{', '.join(broken)} is no longer finite after {self.counters.updates} updates. The last good "
                f"checkpoint is {self._last_checkpoint()}. Lower the learning rate (--set optim.lr=...), or compute in "
                "float32 (--set run.dtype=float32)."
            )
        self.log.write("updates", self.counters.updates, self._at(), values)
        shown = {"denoise/step1": "denoising", "heads/reward": "reward loss", "imagined/return": "imagined return"}
        self.news.update({label: values[name] for name, label in shown.items() if name in values})

    def _show(self, doing: str) -> None:
        if self.stop_requested:
            self._save()
            raise KeyboardInterrupt
        news = {"env steps": self.counters.env_steps, **self.news}
        if self.recent:
            news["return"] = float(np.mean([episode.score for episode in self.recent]))
        self.bar.show(f"{self.phase} {doing}", self.counters.updates, news)

    def _close_epoch(self) -> None:
        if self.pending:
            self._flush_terms()
        values = self._latent_statistics()
        if self.recent:
            values["real/return"] = float(np.mean([episode.score for episode in self.recent]))
            values["real/length"] = float(np.mean([episode.length for episode in self.recent]))
        self.log.write("epoch", self.counters.updates, self._at(), values)
        if not self.bar.console.is_terminal:
            self.bar.line(self._summary(values))
        self._refuse_collapse(values)
        if time.monotonic() - self.drawn_at > CURVES_EVERY:
            self.drawn_at = time.monotonic()
            plot_learning_curve(self.run_dir)

    def _summary(self, values: dict[str, float]) -> str:
        shown = {**self.news, **values}
        text = "  ".join(f"{name} {value:.3g}" for name, value in shown.items())
        return f"{self.phase}  {self.counters.seconds:.0f} s  env steps {self.counters.env_steps}  {text}"

    def _own_sampling(self) -> np.random.Generator:
        """Measuring must not disturb the run's own draws: a generator of its own, the same after a resume."""
        return np.random.default_rng([self.config.seed, self.counters.epoch])

    @torch.no_grad()
    def _latent_statistics(self) -> dict[str, float]:
        segment = self.replay.sample(STATISTICS_FRAMES, self.config.context, self._own_sampling())
        frames = segment.obs[:, -1].to(self.learner.precision.device)
        with self.learner.precision.autocast():
            z = self.learner.world_model.encode(frames)
        return {"latent/std_data": latent_std(z).item(), "latent/effective_rank": effective_rank(z).item()}

    def _check_dream(self, first_new_row: int) -> None:
        """A short fidelity check on the frames just collected: the model has not been trained on them."""
        horizon = self.config.actor_critic.horizon
        segment = self.replay.sample_since(
            first_new_row, self.config.run.fidelity_contexts, self.config.context + horizon, self._own_sampling()
        ).to(self.learner.precision.device)
        with self.learner.precision.autocast():
            report = open_loop(
                self.learner.world_model, segment, Rng(self.counters.epoch, self.learner.precision.device)
            )
        values = {f"fidelity/ratio_step{k}": float(report.ratio[k - 1]) for k in (1, 3, 10, 15) if k <= horizon}
        values = {name: value for name, value in values.items() if math.isfinite(value)}
        self.log.write("fidelity", self.counters.updates, self._at(), values)
        if "fidelity/ratio_step1" in values:
            self.news["error/repeat-last"] = values["fidelity/ratio_step1"]

    def _refuse_collapse(self, values: dict[str, float]) -> None:
        floors = {
            "latent/std_data": self.config.run.min_latent_std,
            "latent/effective_rank": self.config.run.min_effective_rank,
        }
        for name, floor in floors.items():
            if values[name] < floor:
                raise RunError(
                    f"the latents have collapsed: {name} is {values[name]:.3g}, under the floor of {floor:g}. The last "
                    f"good checkpoint is {self._last_checkpoint()}. Try --set objective.latent_scale=standard, "
                    "--set objective.predict=change or a slower encoder (--set objective.encoder_lr_scale=0.1); to go "
                    "on all the same, lower run.min_latent_std and run.min_effective_rank."
                )

    # -- saving -------------------------------------------------------------------------------------------------

    def _checkpoint_if_due(self) -> None:
        if time.monotonic() - self.saved_at > 60 * self.config.run.checkpoint_minutes:
            self._save()

    def _save(self) -> None:
        self.saved_at = time.monotonic()
        self.replay.flush()
        progress = {
            "counters": {**self._at()},
            "replay_rows": self.replay.count,
            "recent": [vars(episode) for episode in self.recent],
            "log_size": self.log.size,
        }
        training = {"trainer": self.learner.state_dict(), "progress": progress}
        folder = self.run_dir / "checkpoints" / f"step-{self.counters.env_steps + self.counters.updates:09d}"
        checkpoint.save(folder, self.card, self.networks, training)
        checkpoint.prune(self.run_dir, self.config.run.keep_checkpoints)

    def _last_checkpoint(self) -> str:
        found = checkpoint.list_checkpoints(self.run_dir)
        return str(found[-1]) if found else "none yet"

    def _announce(self) -> None:
        precision, c = self.learner.precision, self.config
        self.bar.line(
            f"{self.game.name}: preset {c.preset}, objective {c.objective_name}, seed {c.seed}; {precision.device}, "
            f"{precision.name}, channels_last, {torch.get_num_threads()} threads; run folder {self.run_dir}"
        )

    @contextmanager
    def _catch_signals(self) -> Iterator[None]:
        """Ctrl-C and SIGTERM ask the loop to stop between two updates; asked twice, it stops at once."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {kind: signal.getsignal(kind) for kind in (signal.SIGINT, signal.SIGTERM)}

        def request(kind: int, frame: object) -> None:
            if self.stop_requested:
                raise KeyboardInterrupt
            self.stop_requested = True

        for kind in before:
            signal.signal(kind, request)
        try:
            yield
        finally:
            for kind, handler in before.items():
                signal.signal(kind, handler)


