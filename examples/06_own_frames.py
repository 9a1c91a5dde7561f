"""Dreams on from frames of your own: what would happen if I only ever did this? Run 02_train.py first.

python examples/06_own_frames.py --run-dir runs/first
"""

from pathlib import Path

import numpy as np
import typer

from jedi_sdk import JEDI
from jedi_sdk.envs import make_single


def main(run_dir: Path = Path("runs/first"), seed: int = 0, horizon: int = 7) -> None:
    agent = JEDI.from_pretrained(run_dir)
    env = make_single(agent.game)  # stands for your own frames: 64x64 RGB, uint8, the oldest first
    frames, actions = [env.reset(seed=seed)[0]], []
    for act in (0, 1):
        frames.append(env.step(act)[0])
        actions.append(act)  # chosen at one frame, it led to the next

    num_actions = agent.world_model.num_actions
    dream = agent.dream_env(num_envs=num_actions, horizon=horizon, autoreset_mode="Disabled")
    dream.reset(seed=seed, options={"frames": np.stack(frames), "actions": np.array(actions)})  # one context for all

    going_on, score = np.arange(num_actions), np.zeros(num_actions)  # dream i does nothing but action i
    while len(going_on):
        _, rew, terminated, truncated, _ = dream.step_some(going_on, ids=going_on)
        score[going_on] += rew
        going_on = going_on[~(terminated | truncated)]
    for act in range(num_actions):
        print(f"always action {act}: {score[act]:g}")


if __name__ == "__main__":
    typer.run(main)
