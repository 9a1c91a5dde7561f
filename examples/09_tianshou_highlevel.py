"""Trains Tianshou's PPO by its high-level API: dreams to train in, the real game to test in. Run 02_train.py first.

python examples/09_tianshou_highlevel.py --run-dir runs/first
"""

from pathlib import Path

import typer
from tianshou.data import Collector
from tianshou.highlevel.config import OnPolicyTrainingConfig
from tianshou.highlevel.experiment import ExperimentConfig, PPOExperimentBuilder
from tianshou.highlevel.params.algorithm_params import PPOParams

from jedi_sdk import JEDI
from jedi_sdk.dream.tianshou import DreamEnvFactory, LatentActorFactory


def main(run_dir: Path = Path("runs/first"), steps: int = 30_720, games: int = 200, seed: int = 0) -> None:
    agent = JEDI.from_pretrained(run_dir)
    envs = DreamEnvFactory(agent, horizon=10, sampler={"steps": 1})
    config = ExperimentConfig(persistence_enabled=False, device="cpu", seed=seed)
    training = OnPolicyTrainingConfig(
        num_training_envs=64,
        num_test_envs=20,
        test_step_num_episodes=20,
        max_epochs=1,
        epoch_num_steps=steps,
        collection_step_num_env_steps=1024,
        update_step_num_repetitions=4,
    )
    experiment = (
        PPOExperimentBuilder(envs, config, training)
        .with_actor_factory(LatentActorFactory())
        .with_critic_factory_use_actor()
        .with_ppo_params(PPOParams(lr=1e-3, gamma=0.97, ent_coef=0.01))
    )
    world = experiment.build().run().world
    player = Collector(world.algorithm, world.envs.test_envs)
    scores = player.collect(n_episode=games, reset_before_collect=True).returns
    print(f"mean score of {games} real games: {scores.mean():.2f}")


if __name__ == "__main__":
    typer.run(main)
