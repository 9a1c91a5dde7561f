"""Loads a trained agent, and acts with it in an ordinary gymnasium loop.

python examples/01_load_and_act.py                        # the agent for catch that comes with the package
python examples/01_load_and_act.py --agent runs/first     # or one of your own
"""

import typer

from jedi_sdk import JEDI
from jedi_sdk.envs import make_single


def main(agent: str = "catch", episodes: int = 5) -> None:
    player = JEDI.from_pretrained(agent)  # a short name, owner/name on the Hub, or a path
    env = make_single(player.game)  # the agent's game, as 64x64 RGB frames

    for episode in range(episodes):
        obs, _ = env.reset(seed=episode)
        state, over, score = None, False, 0.0  # no memory at the start of an episode
        while not over:
            act, state = player.predict(obs, state)
            obs, rew, terminated, truncated, _ = env.step(int(act))
            score += float(rew)
            over = terminated or truncated
        print(f"episode {episode}: {score:g}")
    env.close()


if __name__ == "__main__":
    typer.run(main)
