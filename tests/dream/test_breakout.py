"""Policies of other libraries, learned in the dream of the zoo's Breakout agent alone. Slow; `-s` shows the scores."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from stable_baselines3 import PPO
from stable_baselines3.common.evaluation import evaluate_policy
from tianshou.algorithm.modelfree.dqn import DQN, DiscreteQLearningPolicy
from tianshou.algorithm.optim import AdamOptimizerFactory
from tianshou.data import Collector, VectorReplayBuffer
from tianshou.trainer import OffPolicyTrainerParams
from tianshou.utils.net.discrete import DiscreteActor

from jedi_sdk import JEDI
from jedi_sdk.benchmark.baselines import Always
from jedi_sdk.dream.sb3 import BatchedBootstrap, DreamVecEnv, latent_policy
from jedi_sdk.dream.tianshou import DreamVectorEnv, LatentNet
from jedi_sdk.evaluate import evaluate
from jedi_sdk.rng import Rng

GAMES, STEPS, HORIZON, STACK, SEED = 50, 200_000, 50, 4, 0
FIRE = 1  # of the constant actions the only one that starts a game, so the best


@pytest.fixture(scope="module")
def agent() -> JEDI:
    return JEDI.from_pretrained("breakout", device="cpu")


@pytest.fixture(scope="module")
def to_beat(agent: JEDI) -> dict[str, np.ndarray]:
    """Scores of random play, of the best constant action and of the agent's own policy."""
    rng, cpu = Rng(SEED), torch.device("cpu")
    played = {
        name: evaluate(Always(4, act, rng), agent.game, GAMES, SEED, False, cpu).scores
        for name, act in (("random", None), ("always FIRE", FIRE))
    }
    played["JEDI's own"] = agent.evaluate(GAMES, seed=SEED, progress=False).scores
    return {name: np.array(scores) for name, scores in played.items()}


def report(name: str, scores: np.ndarray, to_beat: dict[str, np.ndarray]) -> None:
    for who, played in {name: scores, **to_beat}.items():
        print(f"{who}: {_mean(played):.2f} ± {_error(played):.2f} over {len(played)} games")


def refuse_no_better(scores: np.ndarray, to_beat: dict[str, np.ndarray]) -> None:
    """Two standard errors above random and above the best constant action."""
    for who in ("random", "always FIRE"):
        apart = (_error(scores) ** 2 + _error(to_beat[who]) ** 2) ** 0.5
        assert _mean(scores) - _mean(to_beat[who]) >= 2 * apart, f"no better than {who}"


def _mean(scores: np.ndarray) -> float:
    return float(scores.mean())


def _error(scores: np.ndarray) -> float:
    return float(scores.std(ddof=1) / len(scores) ** 0.5)


@pytest.mark.slow
def test_ppo(agent: JEDI, to_beat: dict[str, np.ndarray]) -> None:
    dream = DreamVecEnv(agent.dream_env(num_envs=64, horizon=HORIZON, stack=STACK))
    model = PPO(
        "CnnPolicy",
        dream,
        policy_kwargs=latent_policy(),
        n_steps=32,
        batch_size=256,
        n_epochs=4,
        learning_rate=5e-4,
        gamma=0.985,
        ent_coef=0.005,
        seed=SEED,
    )
    model.learn(STEPS, callback=BatchedBootstrap())
    real = DreamVecEnv(agent.real_env(num_envs=10, stack=STACK))
    real.seed(SEED)
    scores, _ = evaluate_policy(model, real, GAMES, deterministic=False, return_episode_rewards=True)
    report("Stable-Baselines3's PPO", np.array(scores), to_beat)
    refuse_no_better(np.array(scores), to_beat)


@pytest.mark.slow
def test_dqn(agent: JEDI, to_beat: dict[str, np.ndarray]) -> None:
    view = {"stack": STACK, "autoreset_mode": "Disabled"}
    dream = DreamVectorEnv(agent.dream_env(64, HORIZON, **view))
    real = DreamVectorEnv(agent.real_env(10, **view))
    for seeded in (dream.seed, real.seed, torch.manual_seed, np.random.seed):  # Tianshou explores by numpy's
        seeded(SEED)
    obs, act = dream.observation_space[0], dream.action_space[0]
    q = DiscreteActor(preprocess_net=LatentNet(obs.shape), action_shape=act.n, softmax_output=False)
    # Few dreams begin before the first shot: it is left to chance, for which Tianshou's collectors must be asked.
    policy = DiscreteQLearningPolicy(model=q, action_space=act, eps_training=0.2, eps_inference=0.05)
    dqn = DQN(policy=policy, optim=AdamOptimizerFactory(lr=3e-4), gamma=0.985, target_update_freq=500)
    collector = Collector(dqn, dream, VectorReplayBuffer(50_000, 64), exploration_noise=True)
    params = OffPolicyTrainerParams(
        training_collector=collector,
        max_epochs=1,
        epoch_num_steps=STEPS,
        collection_step_num_env_steps=1024,  # after each, Tianshou searches the whole buffer for NaN
        update_step_num_gradient_steps_per_sample=1 / 32,  # 2 for each step of all 64 dreams
    )
    dqn.run_training(params)
    scores = Collector(dqn, real, exploration_noise=True).collect(n_episode=GAMES, reset_before_collect=True).returns
    report("Tianshou's DQN", scores, to_beat)
    refuse_no_better(scores, to_beat)
