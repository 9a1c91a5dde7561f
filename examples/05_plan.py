"""Plans in the dream and acts in the real game: the best of many random futures. Run 02_train.py first.

python examples/05_plan.py --run-dir runs/first
"""

from pathlib import Path

import numpy as np
import typer

from jedi_sdk import JEDI
from jedi_sdk.dream import DreamEnv, RealEnv


def plan(dream: DreamEnv, real: RealEnv, futures: int, rng: np.random.Generator) -> np.ndarray:
    """For each real game, the first action of the imagined future that pays most."""
    dream.reset(options={"from": real})  # where the games stand
    imagined = dream.fork(np.repeat(range(real.num_envs), futures))
    acts = rng.integers(dream.core.world_model.num_actions, size=(dream.core.horizon, imagined.num_envs))
    total, running = np.zeros(imagined.num_envs), np.ones(imagined.num_envs, bool)
    for act in acts:
        _, rew, terminated, _, _ = imagined.step(act)
        total, running = total + rew * running, running & ~terminated
    return acts[0, total.reshape(-1, futures).argmax(1) + futures * np.arange(real.num_envs)]


def play(real: RealEnv, games: int, act) -> float:
    real.reset(seed=0)
    scores: list[float] = []
    while len(scores) < games:
        _, rew, terminated, _, _ = real.step(act())  # catch pays once, at the end
        scores += rew[terminated].tolist()
    return float(np.mean(scores))


def main(run_dir: Path = Path("runs/first"), games: int = 40, futures: int = 128) -> None:
    agent, rng = JEDI.from_pretrained(run_dir), np.random.default_rng(0)
    real = agent.real_env(num_envs=8)
    dream = agent.dream_env(num_envs=8, horizon=7, reward="mean", sampler={"steps": 1})  # true enough for catch
    print(f"at random: {play(real, games, lambda: rng.integers(3, size=8)):.2f}")
    print(f"planned:   {play(real, games, lambda: plan(dream, real, futures, rng)):.2f}")


if __name__ == "__main__":
    typer.run(main)
