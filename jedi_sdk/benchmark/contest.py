"""The contest: every variant of the objective on every game and seed, one after the other, on the same frames."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from jedi_sdk import checkpoint
from jedi_sdk.agent import JEDI
from jedi_sdk.benchmark.entry import HORIZON, Entry
from jedi_sdk.benchmark.result import Result, load_results
from jedi_sdk.benchmark.stage import Stage, set_stage
from jedi_sdk.benchmark.variants import Variant
from jedi_sdk.config import Config, ConfigError
from jedi_sdk.envs import resolve_game
from jedi_sdk.interrupt import Interrupt
from jedi_sdk.load import build_config
from jedi_sdk.precision import choose_device, choose_precision
from jedi_sdk.process_env import keep_memory, use_threads
from jedi_sdk.progress import RunProgress
from jedi_sdk.run_folder import hold

JUDGED_BY = "3"  # the dreamed step by whose error ratio an entry is given up
SHOW_EVERY = 10  # updates between two movements of the bar
SAVE_EVERY = 250  # updates that a killed process may lose


@dataclass(frozen=True)
class Contest:
    """What is compared, for how long, and the folder ``out`` in which it is kept.

    ``frames`` real steps to learn from, ``contexts`` held-out ones to dream from and ``probe_steps`` for the
    probe of displacement, which reads the more off the same latents the more it has; all played by ``Sticky``,
    but that the held-out ones are from the play of the agent ``played_by``, named as for
    ``JEDI.from_pretrained``, where there is one: how far do dreams hold in play that is unlike what they have
    learned from? Measured every ``every`` updates. ``prune`` > 0 gives an entry up once its error ratio is so
    many times the best that another variant had on the same game and seed after as many updates.
    """

    games: Sequence[str]
    variants: Sequence[Variant]
    out: Path
    updates: int = 3_000
    seeds: Sequence[int] = (0,)
    preset: str = "small"
    overrides: Sequence[str] = ()
    frames: int = 40_000
    contexts: int = 512
    probe_steps: int = 16_000
    every: int = 500
    prune: float = 0.0
    device: str = "auto"
    played_by: str | None = None

    def run(self, progress: bool = True) -> list[Result]:
        """Trains what is not done yet; the results of everything in ``out``.

        Ctrl-C saves the entry at hand and raises KeyboardInterrupt; the same command goes on from there. Raises
        ``ConfigError``, also where two entries would share a folder, ``UnknownGameError``, and ``CheckpointError``
        where ``out`` holds an entry of the same name that was made with other settings or frames.
        """
        games = [resolve_game(game).name for game in self.games]
        agent = self._agent(games)
        configs = {(g, v.name, s): self._config(g, v, s) for g in games for v in self.variants for s in self.seeds}
        _refuse_twice(
            [(g, v.name, configs[g, v.name, s].seed) for g in games for v in self.variants for s in self.seeds]
        )
        _refuse_other_frames(configs)
        bar, interrupt = RunProgress(len(configs) * self.updates, progress), Interrupt()
        keep_memory()
        done = 0
        with hold(self.out), bar, interrupt.listening():
            for game, seed in itertools.product(games, self.seeds):
                stage = self._stage(configs[game, self.variants[0].name, seed], agent, bar, done, interrupt)
                for variant in self.variants:
                    config = configs[game, variant.name, seed]
                    use_threads(config.run.threads)
                    entry = self._entry(variant.name, config, stage)
                    self._train(entry, bar, done, interrupt)
                    done += self.updates
        return load_results(self.out)

    def _config(self, game: str, variant: Variant, seed: int) -> Config:
        return build_config(
            game,
            preset=self.preset,
            objective=variant.objective,
            overrides=[*self.overrides, *variant.overrides],
            seed=seed,
        )

    def _agent(self, games: list[str]) -> JEDI | None:
        if not self.played_by:
            return None
        agent = JEDI.from_pretrained(self.played_by, device=self.device)
        if others := [game for game in games if game != agent.game.name]:
            raise ConfigError(
                f"{self.played_by}, which is to play what is held out, plays {agent.game.name} and not {others[0]}: "
                f"write --games {agent.game.name}"
            )
        return agent

    def _stage(self, config: Config, agent: JEDI | None, bar: RunProgress, done: int, interrupt: Interrupt) -> Stage:
        """One stage serves all variants: it depends on nothing that they change."""
        precision = choose_precision(choose_device(self.device), config.run.dtype)

        def tell(share: float, what: str) -> None:
            bar.show(f"{config.game}: {what} {share:.0%}", done, {})
            if interrupt.requested:
                raise KeyboardInterrupt

        bar.line(f"{config.game} {config.seed}: recording the play that all learn from and are measured on")

        game, sizes = resolve_game(config.game), (self.frames, self.contexts, self.probe_steps, HORIZON)
        return set_stage(game, config, precision, *sizes, tell, agent)

    def _entry(self, name: str, config: Config, stage: Stage) -> Entry:
        game = re.sub(r"[^\w.-]+", "-", config.game)  # one folder, for module:Id too
        folder = self.out / game / f"{name}-{config.seed}"
        checkpoint.recover(folder)
        begun = config.run.dtype == "auto" and folder.exists()  # what is measured anew might change within a curve
        dtype = checkpoint.read_card(folder).dtype if begun else config.run.dtype
        precision = choose_precision(choose_device(self.device), dtype)
        return Entry(name, config, stage, precision, folder, self.played_by)

    def _train(self, entry: Entry, bar: RunProgress, done: int, interrupt: Interrupt) -> None:
        what = f"{entry.config.game} {entry.name} {entry.config.seed}"
        news: dict[str, float] = {}
        while entry.updates < self.updates and not entry.finished:
            entry.update()
            if entry.updates % self.every == 0 or entry.updates == self.updates:
                bar.show(f"{what}: measuring", done + entry.updates, news)
                if point := entry.measure():
                    news = _news(point)
                    bar.line(f"{what}  {entry.updates} updates  " + "  ".join(f"{k} {v:.3g}" for k, v in news.items()))
                    self._prune(entry, point)
                entry.save()
            elif entry.updates % SAVE_EVERY == 0 or interrupt.requested:
                entry.save()
            if entry.updates % SHOW_EVERY == 0:
                bar.show(what, done + entry.updates, news)
            if interrupt.requested:
                raise KeyboardInterrupt
        if entry.stopped:
            bar.line(f"{what}: {entry.stopped}")

    def _prune(self, entry: Entry, point: dict[str, Any]) -> None:
        if not self.prune or entry.stopped:
            return
        best = min(self._rivals(entry, point["updates"]), default=math.inf)
        ratio = point["ratio"][JUDGED_BY]
        if math.isfinite(best) and (ratio is None or ratio > self.prune * best):
            figure = "no number" if ratio is None else f"{ratio:.3g}"
            entry.stopped = (
                f"given up after {entry.updates} updates: its error ratio at step {JUDGED_BY} was {figure}, more "
                f"than {self.prune:g} times the best variant's {best:.3g}"
            )

    def _rivals(self, entry: Entry, updates: int) -> list[float]:
        """The error ratios of other variants that are still in it, on the same frames after as many updates."""
        return [
            point["ratio"][JUDGED_BY]
            for result in load_results(self.out)
            if result.fingerprint == entry.stage.fingerprint and result.variant != entry.name and not result.stopped
            for point in result.curve
            if point["updates"] == updates and point["ratio"][JUDGED_BY] is not None
        ]


def _refuse_twice(entries: list[tuple[str, str, int]]) -> None:
    if not entries:
        raise ConfigError("there is nothing to compare: name a game, a variant and a seed, or more of each")
    if twice := [entry for entry in entries if entries.count(entry) > 1]:
        game, name, seed = twice[0]
        raise ConfigError(f"{name} with seed {seed} on {game} is meant twice: name each once, and variants differently")


def _refuse_other_frames(configs: dict[tuple[str, str, int], Config]) -> None:
    """All variants of a game and seed learn from the same frames: none may change what decides these."""
    first: dict[tuple[str, int], Config] = {}
    for (game, name, seed), config in configs.items():
        ours, theirs = _decides(config), _decides(first.setdefault((game, seed), config))
        if other := [key for key in ours if ours[key] != theirs[key]]:
            raise ConfigError(
                f"{name} sets {other[0]}, which decides the frames, and all variants learn from the same: write "
                f"--set {other[0]}=... for all of them, and another --out for each value"
            )


def _decides(config: Config) -> dict[str, Any]:
    env = {f"env.{name}": value for name, value in asdict(config.env).items()}
    return {"seed": config.seed, "context": config.context, **env}


def _news(point: dict[str, Any]) -> dict[str, float]:
    """What to watch of a point of the curve."""
    values = {f"ratio{k}": value for k, value in point["ratio"].items()}
    values["rank"] = point["latent"]["latent/effective_rank"]
    values["repeat-last"] = point["latent"]["latent/repeat_last"]
    values["rewards dreamed"] = 1 - point["reward"]["frequency_dreamed"]["0"]
    values["really"] = 1 - point["reward"]["frequency_real"]["0"]
    values |= {f"{e['thing']}{e['steps']}": e["dreamed"] for e in point["displacement"] if e["steps"] == int(JUDGED_BY)}
    return {name: value for name, value in values.items() if value is not None}
