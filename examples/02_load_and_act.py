"""Loads a trained agent and acts with it in an ordinary gymnasium loop. Run 01_train.py first.

python examples/02_load_and_act.py --run-dir runs/first
"""

from pathlib import Path

import typer

from jedi_sdk import JEDI
from jedi_sdk.envs import make_single


def main(run_dir: Path = Path("runs/first"), episodes: int = 5) -> None:
    agent = JEDI.from_pretrained(run_dir)  # a run folder, or any checkpoint folder
    env = make_single(agent.game)  # the agent's game, as 64x64 RGB frames

    for episode in range(episodes):
        obs, _ = env.reset(seed=episode)
        state, over, score = None, False, 0.0  # no memory at the start of an episode
        while not over:
            act, state = agent.predict(obs, state)
            obs, rew, terminated, truncated, _ = env.step(int(act))
            score += float(rew)
            over = terminated or truncated
        print(f"episode {episode}: {score:g}")
    env.close()


if __name__ == "__main__":
    typer.run(main)
