"""Trains Stable-Baselines3's PPO in the dream alone, then plays the real game. Run 02_train.py first.

pip install 'jedi-sdk[sb3]'
python examples/07_sb3.py --run-dir runs/first
"""

from pathlib import Path

import typer
from stable_baselines3 import PPO
from stable_baselines3.common.evaluation import evaluate_policy

from jedi_sdk import JEDI
from jedi_sdk.dream.sb3 import BatchedBootstrap, DreamVecEnv, latent_policy


def main(run_dir: Path = Path("runs/first"), steps: int = 30_000, games: int = 200, seed: int = 0) -> None:
    agent = JEDI.from_pretrained(run_dir)
    dream = DreamVecEnv(agent.dream_env(num_envs=64, horizon=8))  # a game of catch lasts 7 steps
    real = DreamVecEnv(agent.real_env(num_envs=8))
    model = PPO(
        "CnnPolicy",
        dream,
        policy_kwargs=latent_policy(),
        n_steps=16,
        batch_size=256,
        n_epochs=4,
        learning_rate=1e-3,
        gamma=0.97,
        ent_coef=0.01,
        seed=seed,
    )

    def score() -> str:
        real.seed(seed)
        mean, std = evaluate_policy(model, real, games)
        return f"{mean:.2f} ± {std / games**0.5:.2f}"

    print(f"before: {score()}")
    model.learn(steps, callback=BatchedBootstrap())
    print(f"after:  {score()}")


if __name__ == "__main__":
    typer.run(main)
