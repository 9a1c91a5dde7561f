"""Trains on a game of your own: a white square that should reach the right-hand wall.

python examples/03_own_env.py --preset tiny --run-dir runs/corridor
"""

from pathlib import Path

import gymnasium
import numpy as np
import typer
from gymnasium.spaces import Box, Discrete
from gymnasium.wrappers import TimeLimit

from jedi_sdk import JEDI


class Corridor(gymnasium.Env):
    observation_space = Box(0, 255, (16, 16), np.uint8)  # greyscale; resized to 64x64 RGB
    action_space = Discrete(2)  # left, right

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.place = np.array(self.np_random.integers(1, 12, size=2))  # row, column
        return self._picture(), {}

    def step(self, action):
        self.place[1] = max(0, self.place[1] + (1 if action == 1 else -1))
        arrived = bool(self.place[1] == 14)
        return self._picture(), 1.0 if arrived else 0.0, arrived, False, {}

    def _picture(self):
        picture = np.zeros((16, 16), np.uint8)
        row, column = self.place
        picture[row : row + 2, column : column + 2] = 255
        return picture


def main(preset: str = "catch", run_dir: Path = Path("runs/corridor"), env_steps: int | None = None) -> None:
    agent = JEDI(lambda: TimeLimit(Corridor(), 20), preset=preset)
    agent.learn(env_steps=env_steps, run_dir=run_dir)
    print(agent.evaluate(episodes=20).mean)


if __name__ == "__main__":
    typer.run(main)
