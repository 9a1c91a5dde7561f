"""The loop: collect, learn the world, learn to act in dreams of it; watch, save. The only place it closes."""

from __future__ import annotations

import contextlib
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from jedi_sdk import checkpoint
from jedi_sdk.actor_critic import Actor
from jedi_sdk.checkpoint import Card
from jedi_sdk.collect import Collector, Episode
from jedi_sdk.compiling import compile_networks, compiler_fault
from jedi_sdk.config import Config
from jedi_sdk.curves import plot_learning_curve
from jedi_sdk.dream import Starts
from jedi_sdk.dream.probe import ProbeTrainer
from jedi_sdk.envs import Game, make_envs
from jedi_sdk.explore import Explorers, Exploring, Sticky
from jedi_sdk.health import RunError
from jedi_sdk.interrupt import Interrupt
from jedi_sdk.learner import Learner
from jedi_sdk.load import dump_yaml
from jedi_sdk.monitor import Monitor
from jedi_sdk.precision import allow_tf32
from jedi_sdk.process_env import keep_memory
from jedi_sdk.progress import RunProgress
from jedi_sdk.replay import Replay
from jedi_sdk.run_folder import RunFolderError, hold
from jedi_sdk.runlog import RunLog
from jedi_sdk.schedule import Counters, collecting_epochs, extended, next_part, num_epochs, share, target, total_work

PROBE_EVERY = 2  # updates of the denoiser between two of the probe
COLLECT_CHUNKS = 20  # parts in which a collection is done, so that the bar moves and Ctrl-C is heard


class Trainer:
    """One run in one folder: ``learner`` and the real game of ``card.config``, from the start or from a checkpoint."""

    def __init__(
        self,
        game: Game,
        learner: Learner,
        card: Card,
        networks: torch.nn.ModuleDict,
        run_dir: Path,
        probe: ProbeTrainer | None = None,
        resumed: bool = False,
    ) -> None:
        self.game, self.learner, self.card = game, learner, card
        self.networks, self.run_dir, self.probe = networks, run_dir, probe
        self.counters = Counters()
        self.episodes: list[Episode] = []  # of the run that is gone on with
        self.log_size = 0
        self.saved: Path | None = None  # the checkpoint that holds this run as it was last written or read
        self.replay = _replay(card.config, run_dir / "replay", resumed)

    @property
    def config(self) -> Config:
        return self.card.config

    def extend(self, env_steps: int) -> None:
        """Changes how many real steps the run takes in all; new ones come as fast as before, epoch by epoch. Raises
        ``ConfigError``, and ``RunError`` where it has taken more already.
        """
        if env_steps == self.config.schedule.env_steps:
            return
        done = self.counters
        if env_steps < done.env_steps:
            raise RunError(f"this run has taken {done.env_steps} real steps already: ask for more than these in all")
        planned = collecting_epochs(self.config.schedule, self.config.schedule.env_steps)
        done.idle_epochs = max(done.idle_epochs, done.epoch - planned)
        self.card = replace(self.card, config=extended(self.config, env_steps))

    # -- the loop -----------------------------------------------------------------------------------------------

    def run(self, progress: bool = True) -> None:
        """Runs to the end of the schedule. Ctrl-C and SIGTERM save a checkpoint first, then KeyboardInterrupt."""
        self.saved_at = self.clock = time.monotonic()
        self.interrupt = Interrupt()
        allow_tf32()
        self.keeps_memory = self.learner.precision.device.type == "cpu" and keep_memory()
        self.compilation = self._compile() if self.config.run.compile else ", not compiled"
        (self.run_dir / "config.yaml").write_text(dump_yaml(self.config), encoding="utf-8")
        work = total_work(self.config.schedule, self.counters.idle_epochs)
        log = RunLog(self.run_dir, self.log_size, self.counters.updates)
        envs = make_envs(self.game, self.config.env.num_envs)
        bar = RunProgress(work.denoiser + work.heads + work.actor_critic, progress)
        try:
            with bar, self.interrupt.listening():
                bar.line(self._announcement())
                self.monitor = Monitor(self.config, self.run_dir, self.learner, self.replay, log, bar)
                self.monitor.episodes = self.episodes  # one list, so that a second run() goes on with it
                self.explorers = Explorers(self.config.env)
                device, life_loss_ends = self.learner.precision.device, self.config.env.life_loss_ends
                self.collector = Collector(envs, self.replay, self._env_seed(), device, life_loss_ends)
                for epoch in range(self.counters.epoch, self._num_epochs()):
                    self._epoch(epoch)
        except RunError as error:
            raise RunError(f"{error} The last good checkpoint: {self._last_checkpoint()}") from None
        finally:
            envs.close()
            self.log_size = log.size
            log.close()
            plot_learning_curve(self.run_dir)

    def _compile(self) -> str:
        """What came of it, for people: where there is no compiler, the run goes on without."""
        if fault := compiler_fault(self.learner.precision.device):
            return f", not compiled ({fault})"
        compile_networks(self.learner)
        return ", compiled"

    def _num_epochs(self) -> int:
        return num_epochs(self.config.schedule, self.counters.idle_epochs)

    def _epoch(self, epoch: int) -> None:
        self.monitor.phase = f"epoch {epoch + 1}/{self._num_epochs()}"
        goal = target(self.config.schedule, epoch, self.counters.idle_epochs)
        first_new_row, steps = self.replay.count, self.counters.env_steps
        self._collect(goal.env_steps)
        checked = epoch > 0 and epoch % self.config.run.fidelity_every == 0
        two_rows = self.counters.env_steps - steps > self.config.env.num_envs  # a dream needs a frame that follows
        if checked and two_rows:
            self.monitor.check_dream(first_new_row, self._now())
        added = share(self.config.schedule, epoch)
        while part := next_part(self.counters, goal, added):
            self._update(part)
        self.counters.epoch = epoch + 1
        self.monitor.close_epoch(first_new_row, self._now())
        self.save()

    def _collect(self, goal: int) -> None:
        missing = goal - self.counters.env_steps
        chunk = max(self.config.env.num_envs, missing // COLLECT_CHUNKS)
        learner = self.learner
        actor = Actor(learner.actor_critic, learner.rng, learner.world_model.encode, epsilon=self.config.env.epsilon)
        lasting = Sticky(learner.actor_critic.num_actions, learner.rng)
        while self.counters.env_steps < goal:
            explorers = self.explorers.count(self.counters.env_steps)
            policy = Exploring(actor, lasting, explorers)
            with learner.precision.autocast():
                steps, episodes = self.collector.collect(policy, min(chunk, goal - self.counters.env_steps))
            self.counters.env_steps += steps
            self.counters.episodes += len(episodes)
            self.monitor.collected(self.explorers.own(episodes, explorers), self._now())
            self._save_or_stop()

    def _update(self, part: str) -> None:
        done = getattr(self.counters, part)
        terms = self.learner.update(part, done, self.replay)
        setattr(self.counters, part, done + 1)
        if self.probe and part == "denoiser" and done % PROBE_EVERY == 0:
            self.probe.update(self.replay)
        self.monitor.updated(part, done + 1, terms, self._now())
        self._save_or_stop()

    def _save_or_stop(self) -> None:
        """In the middle of an epoch: a checkpoint when it is time for one, or when asked to stop."""
        due = time.monotonic() - self.saved_at > 60 * self.config.run.checkpoint_minutes
        if due or self.interrupt.requested:
            if self.counters.updates:  # what has collapsed must not become the last good checkpoint
                self.monitor.check_health(self._now())
            self.save()
        if self.interrupt.requested:
            raise KeyboardInterrupt

    def _now(self) -> Counters:
        """The counters, their clock brought up to date."""
        now = time.monotonic()
        self.counters.seconds += now - self.clock
        self.clock = now
        return self.counters

    def _env_seed(self) -> int:
        """Envs cannot be saved: a resumed run starts them anew, the same way each time it is resumed from there."""
        seed = np.random.SeedSequence([self.config.seed, self.counters.env_steps]).generate_state(1)[0]
        return int(seed >> 1)  # ALE takes 31 bits

    def _announcement(self) -> str:
        precision, c = self.learner.precision, self.config
        memory = ", freed memory kept" if self.keeps_memory else ""
        return (
            f"{self.game.name}: preset {c.preset}, objective {c.objective_name}, seed {c.seed}; {precision.device}, "
            f"{precision.name}, channels_last{self.compilation}, {torch.get_num_threads()} threads{memory}; "
            f"run folder {self.run_dir}"
        )

    # -- checkpoints --------------------------------------------------------------------------------------------

    def save(self) -> None:
        """Writes a checkpoint and removes the oldest. Raises ``CheckpointError``; earlier ones stay."""
        self.replay.flush()
        self.monitor.log.sync()
        progress = {
            "counters": self._now().as_dict(),
            "replay_rows": self.replay.count,
            "episodes": [vars(episode) for episode in self.monitor.episodes],
            "log_size": self.monitor.log.size,
        }
        trainer, painted = self.learner.state_dict(), None
        if self.probe:
            trainer["probe"], painted = self.probe.state_dict(), self.probe.probe.state_dict()
        training = {"trainer": trainer, "progress": progress}
        serial = self.counters.env_steps + self.counters.updates  # grows with whatever the run does
        folder = self.run_dir / "checkpoints" / f"step-{serial:09d}"
        checkpoint.save(folder, self.card, self.networks, training, self._starts(), painted)
        self.saved = folder
        checkpoint.prune(self.run_dir, self.config.run.keep_checkpoints)
        self.saved_at = time.monotonic()

    def _starts(self) -> dict[str, torch.Tensor] | None:
        """Drawn by a generator of their own, so that saving leaves no trace in the run."""
        if not self.counters.env_steps:
            return None
        rng = np.random.default_rng([self.config.seed, self.counters.updates])
        return Starts.from_replay(self.learner.world_model, self.replay, self.learner.precision, rng).tensors()

    def restore(self, folder: Path) -> None:
        """Optimisers, generators, replay and counters as they were at the checkpoint ``folder``."""
        trainer, progress = checkpoint.read_training(folder)
        self.saved = folder
        self.learner.load_state_dict(trainer)
        if self.probe and "probe" in trainer:
            self.probe.load_state_dict(trainer["probe"])
        self.counters = Counters(**progress["counters"])
        self.replay.count = progress["replay_rows"]
        self.episodes = [Episode(**episode) for episode in progress["episodes"]]
        self.log_size = progress["log_size"]

    def _last_checkpoint(self) -> str:
        found = checkpoint.list_checkpoints(self.run_dir)
        return f"{found[-1]}." if found else "none yet."


def put_back(run_dir: Path) -> None:
    """The checkpoints that a killed process was replacing, unless another process is at work in the run."""
    aside = list((run_dir / "checkpoints").glob(".step-*.old"))
    if aside:
        with contextlib.suppress(RunFolderError), hold(run_dir):
            for path in aside:
                checkpoint.recover(path.with_name(path.stem[1:]))


def _replay(config: Config, folder: Path, written: bool) -> Replay:
    """Slack: the newest checkpoints must still see every row they counted, whatever was written behind them. Counted in
    steps: where games last a few steps, their last frames take rows beside, and the oldest play of a full replay may
    be written over before a run that was killed goes on.
    """
    steps = config.schedule.first_epoch.env_steps + config.schedule.epoch.env_steps
    return Replay(
        folder,
        config.env.num_envs,
        config.replay.capacity,
        slack=config.run.keep_checkpoints * steps,
        recency=config.replay.recency,
        context=config.context,
        written=written,
    )
