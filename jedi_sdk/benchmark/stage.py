"""The stage on which world models are compared: the same recorded play for every one of them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from jedi_sdk.actor_critic import Actor
from jedi_sdk.agent import JEDI
from jedi_sdk.collect import Collector
from jedi_sdk.config import Config
from jedi_sdk.envs import Game, make_envs
from jedi_sdk.explore import Sticky
from jedi_sdk.fidelity.held_out import BATCH, HeldOut, play, play_held_out
from jedi_sdk.fidelity.positions import Located, has_positions, play_located
from jedi_sdk.fidelity.progress import Progress, part
from jedi_sdk.fidelity.subject import Player
from jedi_sdk.precision import Precision
from jedi_sdk.replay import Replay
from jedi_sdk.rng import Rng
from jedi_sdk.types import Segment

SPREAD = 16  # held-out steps for each context: rewards are rare
LEARNED_BATCHES, LEARNED_STEPS = 4, 3  # of moments that were learned from, and how far they are dreamed on
HELD_OUT, LOCATED = 1_000_003, 2_000_003  # added to the seed: the three recordings share none


@dataclass(frozen=True)
class Stage:
    """``replay`` to learn from; ``held_out`` contexts and, where the console shows positions, ``located`` play."""

    game: Game
    num_actions: int
    replay: Replay
    held_out: HeldOut
    located: Located | None
    fingerprint: str  # of everything that was played

    def learned(self) -> Iterator[Segment]:
        """Moments that were learned from, drawn as updates draw them but always the same, and a few steps more."""
        rng = np.random.default_rng(0)
        for _ in range(LEARNED_BATCHES):
            yield self.replay.sample(BATCH, self.replay.context + LEARNED_STEPS, rng)


def set_stage(
    game: Game,
    config: Config,
    precision: Precision,
    frames: int,
    contexts: int,
    probe_steps: int,
    horizon: int,
    progress: Progress,
    agent: JEDI | None = None,
) -> Stage:
    """Plays ``frames`` steps to learn from, held-out play and, where the console shows positions, ``probe_steps`` for
    the probe of displacement, all by ``Sticky``, but that ``agent`` plays what is held out, in its own dtype and with
    ``config.env.epsilon`` of its actions random; the same for the same arguments and, with an agent, the same machine.
    """
    seed, located = config.seed, has_positions(game)
    envs = make_envs(game, config.env.num_envs)
    num_actions = int(envs.single_action_space.n)  # pyright: ignore[reportAttributeAccessIssue]
    replay = Replay(None, config.env.num_envs, 2 * (frames + config.env.num_envs), context=config.context)
    try:
        collector = Collector(envs, replay, seed, precision.device, config.env.life_loss_ends)
        play(collector, Sticky(num_actions, Rng(seed)), frames, precision, part(progress, 0.0, 0.3), "playing")
    finally:
        envs.close()

    def random(seed: int) -> Player:
        return Player(game, Sticky(num_actions, Rng(seed)), config, precision, seed)

    player = _player(agent, config, seed + HELD_OUT) if agent else random(seed + HELD_OUT)
    held_out = play_held_out(player, contexts, horizon, part(progress, 0.3, 0.5), SPREAD)
    shown = play_located(random(seed + LOCATED), probe_steps, part(progress, 0.5, 1.0)) if located else None
    recordings = [replay, held_out.replay, *([shown.replay] if shown else [])]
    return Stage(game, num_actions, replay, held_out, shown, _fingerprint(recordings))


def _player(agent: JEDI, config: Config, seed: int) -> Player:
    rng = Rng(seed, agent.precision.device)
    actor = Actor(agent.actor_critic, rng, agent.world_model.encode, epsilon=config.env.epsilon)
    return Player(agent.game, actor, config, agent.precision, seed)


def _fingerprint(recordings: list[Replay]) -> str:
    digest = hashlib.sha256()
    for replay in recordings:
        for name in ("obs", "act", "rew", "end"):
            digest.update(replay.columns[name][: replay.count].tobytes())
    return digest.hexdigest()[:16]
