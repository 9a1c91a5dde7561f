"""Trains Tianshou's DQN in the dream alone, and plays the real game with it. Run 02_train.py first.

python examples/08_tianshou.py --run-dir runs/first
"""

from pathlib import Path

import numpy as np
import torch
import typer
from tianshou.algorithm.modelfree.dqn import DQN, DiscreteQLearningPolicy
from tianshou.algorithm.optim import AdamOptimizerFactory
from tianshou.data import Collector, VectorReplayBuffer
from tianshou.trainer import OffPolicyTrainerParams
from tianshou.utils.net.discrete import DiscreteActor

from jedi_sdk import JEDI
from jedi_sdk.dream.tianshou import DreamVectorEnv, LatentNet


def main(run_dir: Path = Path("runs/first"), steps: int = 12_800, games: int = 200, seed: int = 0) -> None:
    agent = JEDI.from_pretrained(run_dir)
    dream = DreamVectorEnv(agent.dream_env(64, horizon=10, autoreset_mode="Disabled", sampler={"steps": 1}))
    real = DreamVectorEnv(agent.real_env(20, autoreset_mode="Disabled"))
    for seeded in (dream.seed, real.seed, torch.manual_seed, np.random.seed):  # Tianshou explores by numpy's
        seeded(seed)
    obs, act = dream.observation_space[0], dream.action_space[0]
    q = DiscreteActor(preprocess_net=LatentNet(obs.shape), action_shape=act.n, softmax_output=False)
    policy = DiscreteQLearningPolicy(model=q, action_space=act, eps_training=0.3)
    dqn = DQN(policy=policy, optim=AdamOptimizerFactory(lr=1e-3), gamma=0.95, target_update_freq=100)
    collector = Collector(dqn, dream, VectorReplayBuffer(50_000, 64), exploration_noise=True)
    params = OffPolicyTrainerParams(
        training_collector=collector,
        max_epochs=1,
        epoch_num_steps=steps,
        collection_step_num_env_steps=64,
        update_step_num_gradient_steps_per_sample=1 / 16,  # 4 for each step of all 64 dreams
    )
    dqn.run_training(params)
    scores = Collector(dqn, real).collect(n_episode=games, reset_before_collect=True).returns
    print(f"mean score of {games} real games: {scores.mean():.2f}")


if __name__ == "__main__":
    typer.run(main)
