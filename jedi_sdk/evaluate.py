"""How well a policy plays the real game: whole episodes, raw scores, and a film of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import gymnasium
import numpy as np
import torch

from jedi_sdk.envs import Game, human_normalised, make_envs, make_single
from jedi_sdk.envs.lives import Lives
from jedi_sdk.progress import Report
from jedi_sdk.types import Policy
from jedi_sdk.video import write_video

MAX_ENVS = 16
FILM_SECONDS = 20  # short games are filmed one after the other until the film is this long
SHOWN_EVERY = 100  # steps; where no game ends, that something goes on
FRAMES_PER_SECOND = 15  # 60 frames a second, one in four acted on


@dataclass(frozen=True)
class Evaluation:
    """Raw scores of whole real episodes; a lost life ends none. ``hns`` is (score - random) / (human - random).

    ``std`` and ``stderr`` are NaN where there was one game. ``cut``: games that the environment's own step limit ended,
    as it does where a policy never begins to play. ``dtype``: what the agent's networks computed in, where one played.
    """

    game: str
    seed: int
    episodes: int
    deterministic: bool
    mean: float
    std: float
    stderr: float
    min: float
    max: float
    hns: float | None
    cut: int
    scores: list[float]
    lengths: list[int]
    checkpoint: str | None = None
    dtype: str | None = None


def evaluate(
    policy: Policy,
    game: Game,
    episodes: int,
    seed: int,
    deterministic: bool,
    device: torch.device,
    checkpoint: str | None = None,
    dtype: str | None = None,
    progress: Report = lambda done, what=None: None,
    life_loss_ends: bool = False,
) -> Evaluation:
    """Plays ``episodes`` real episodes, several side by side. ``deterministic``, ``checkpoint`` and ``dtype`` are
    only noted down here. With ``life_loss_ends`` a lost life ends what the policy remembers, as in its training.

    Every env plays a fixed share of the episodes: taking whichever end first would favour short ones.
    """
    n = min(episodes, MAX_ENVS)
    envs = make_envs(game, n)
    try:
        played = _play(policy, envs, _shares(episodes, n), seed, device, progress, life_loss_ends)
    finally:
        envs.close()
    scores, lengths = [one.score for one in played], [one.length for one in played]
    std = float(np.std(scores, ddof=1)) if episodes > 1 else float("nan")
    mean = float(np.mean(scores))
    return Evaluation(
        game=game.name,
        seed=seed,
        episodes=episodes,
        deterministic=deterministic,
        mean=mean,
        std=std,
        stderr=std / episodes**0.5,
        min=min(scores),
        max=max(scores),
        hns=human_normalised(game, mean),
        cut=sum(one.cut for one in played),
        scores=scores,
        lengths=lengths,
        checkpoint=checkpoint,
        dtype=dtype,
    )


def _shares(episodes: int, n: int) -> np.ndarray:
    return np.full(n, episodes // n) + (np.arange(n) < episodes % n)


class _Played(NamedTuple):
    score: float
    length: int
    cut: bool


def _play(policy, envs, shares, seed, device, progress, life_loss_ends) -> list[_Played]:
    n = envs.num_envs
    obs, info = envs.reset(seed=seed)
    lives = Lives(n, info)
    first, dead, memory = np.ones(n, bool), np.zeros(n, bool), None
    score, length = np.zeros(n), np.zeros(n, int)
    finished: list[list[_Played]] = [[] for _ in range(n)]
    step = over = 0
    while over < shares.sum():
        step += 1
        frames = torch.from_numpy(obs).to(device)
        act, memory = policy(frames, memory, torch.from_numpy(first).to(device))
        obs, rew, term, trunc, info = envs.step(act.cpu().numpy())
        score, length = (score + rew) * ~dead, (length + 1) * ~dead
        first = dead | (lives.lost(info, dead) & life_loss_ends)
        dead = (term | trunc) & ~dead  # a finished env resets itself in the next step
        for i in np.flatnonzero(dead):
            finished[i].append(_Played(float(score[i]), int(length[i]), bool(trunc[i] and not term[i])))
        over = sum(min(len(done), share) for done, share in zip(finished, shares, strict=True))
        progress(over, f"playing, step {step:,}" if step % SHOWN_EVERY == 0 else None)
    return [one for done, share in zip(finished, shares, strict=True) for one in done[:share]]


def film(
    policy: Policy,
    game: Game,
    path: Path,
    seed: int,
    device: torch.device,
    seconds: float = FILM_SECONDS,
    life_loss_ends: bool = False,
) -> None:
    """Films the policy in the real game, as a person would see it: whole games, at least ``seconds`` of them.

    A game longer than ten times that is cut off. ``life_loss_ends``: as in ``evaluate``.
    """
    env = make_single(game)
    try:
        enough = seconds * FRAMES_PER_SECOND
        write_video(path, _filmed(policy, env, seed, device, enough, life_loss_ends), FRAMES_PER_SECOND)
    finally:
        env.close()


def _filmed(
    policy: Policy, env: gymnasium.Env, seed: int, device: torch.device, enough: float, life_loss_ends: bool
) -> Iterator[np.ndarray]:
    """One after the other: a long game's pictures together may take gigabytes."""
    shown = 0
    while shown < enough:
        obs, info = env.reset(seed=None if shown else seed)
        lives, over, first, memory = Lives(1, info), False, True, None
        shown += 1
        yield _picture(env)
        while not over and shown < 10 * enough:
            frame = torch.from_numpy(obs[None]).to(device)
            act, memory = policy(frame, memory, torch.tensor([first], device=device))
            obs, _, term, trunc, info = env.step(int(act))
            over, first = term or trunc, bool(lives.lost(info, np.zeros(1, bool))) and life_loss_ends
            shown += 1
            yield _picture(env)


def _picture(env) -> np.ndarray:
    return np.asarray(env.render(), dtype=np.uint8)
