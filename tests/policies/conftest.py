"""The zoo's catch agent, policies that other libraries trained in its dreams for a moment, and a folder to tamper."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.torch import load_file, save_file
from stable_baselines3 import DQN, PPO
from tianshou.algorithm.modelfree.dqn import DQN as TianshouDQN
from tianshou.algorithm.modelfree.dqn import DiscreteQLearningPolicy
from tianshou.algorithm.modelfree.ppo import PPO as TianshouPPO
from tianshou.algorithm.modelfree.reinforce import ProbabilisticActorPolicy
from tianshou.algorithm.optim import AdamOptimizerFactory
from tianshou.data import Collector, VectorReplayBuffer
from tianshou.trainer import OffPolicyTrainerParams, OnPolicyTrainerParams
from tianshou.utils.net.discrete import DiscreteActor, DiscreteCritic, dist_fn_categorical_from_logits

from jedi_sdk import JEDI
from jedi_sdk.dream.sb3 import DreamVecEnv, latent_policy
from jedi_sdk.dream.tianshou import DreamVectorEnv, LatentNet
from jedi_sdk.policies import save_policy

FAST: dict[str, Any] = {"horizon": 8, "sampler": {"steps": 1}}


@pytest.fixture(scope="session")
def agent() -> JEDI:
    return JEDI.from_pretrained("catch", device="cpu")


@pytest.fixture(scope="session")
def latents(agent: JEDI) -> np.ndarray:
    """Of 16 real games, four of each: what a policy with ``stack=4`` sees."""
    return agent.real_env(16, stack=4).reset(seed=3)[0]


@pytest.fixture(scope="session")
def sb3_ppo(agent: JEDI) -> PPO:
    dream = DreamVecEnv(agent.dream_env(16, stack=4, **FAST))
    kwargs = latent_policy(48, 16, net_arch={"pi": [24, 12], "vf": [20]})
    return PPO("CnnPolicy", dream, n_steps=8, batch_size=64, policy_kwargs=kwargs, seed=0).learn(256)


@pytest.fixture(scope="session")
def sb3_dqn(agent: JEDI) -> DQN:
    dream = DreamVecEnv(agent.dream_env(16, stack=4, **FAST))
    kwargs = latent_policy(48, 16, net_arch=[24])
    return DQN("CnnPolicy", dream, learning_starts=64, buffer_size=512, policy_kwargs=kwargs, seed=0).learn(256)


def net(agent: JEDI, hidden: tuple[int, ...] = (), softmax: bool = False) -> DiscreteActor:
    c, h, w = agent.world_model.latent_shape
    latent = LatentNet((4 * c, h, w), 48, 16)
    return DiscreteActor(
        preprocess_net=latent,
        action_shape=agent.world_model.num_actions,
        hidden_sizes=hidden,
        softmax_output=softmax,
    )


@pytest.fixture(scope="session")
def tianshou_dqn(agent: JEDI) -> TianshouDQN:
    dream = DreamVectorEnv(agent.dream_env(16, stack=4, autoreset_mode="Disabled", **FAST))
    dream.seed(0)
    policy = DiscreteQLearningPolicy(model=net(agent, (24, 12)), action_space=dream.action_space[0], eps_training=0.3)
    dqn = TianshouDQN(policy=policy, optim=AdamOptimizerFactory(lr=1e-3), target_update_freq=4)
    collector = Collector(dqn, dream, VectorReplayBuffer(512, 16), exploration_noise=True)
    dqn.run_training(
        OffPolicyTrainerParams(
            training_collector=collector, max_epochs=1, epoch_num_steps=256, collection_step_num_env_steps=64
        )
    )
    return dqn


@pytest.fixture(scope="session")
def tianshou_ppo(agent: JEDI) -> TianshouPPO:
    dream = DreamVectorEnv(agent.dream_env(16, stack=4, autoreset_mode="Disabled", **FAST))
    dream.seed(0)
    actor = net(agent)
    policy = ProbabilisticActorPolicy(
        actor=actor,
        dist_fn=dist_fn_categorical_from_logits,
        action_space=dream.action_space[0],
        action_scaling=False,
        action_bound_method=None,
        deterministic_eval=True,
    )
    critic = DiscreteCritic(preprocess_net=actor.preprocess)
    ppo = TianshouPPO(policy=policy, critic=critic, optim=AdamOptimizerFactory(lr=1e-3))
    collector = Collector(ppo, dream, VectorReplayBuffer(512, 16))
    ppo.run_training(
        OnPolicyTrainerParams(
            training_collector=collector,
            max_epochs=1,
            epoch_num_steps=256,
            collection_step_num_env_steps=128,
            update_step_num_repetitions=1,
        )
    )
    return ppo


# -- a folder, and what a stranger may do to it -----------------------------------------------------------------------


@pytest.fixture
def folder(sb3_ppo: PPO, tmp_path: Path) -> Path:
    """A policy that names its agent."""
    return save_policy(sb3_ppo, tmp_path / "policy", "catch", view={"stack": 4})


def sign(folder: Path) -> None:
    """The manifest that fits what is there."""
    names = [name for name in json.loads((folder / "manifest.json").read_text()) if (folder / name).exists()]
    digests = {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in names}
    (folder / "manifest.json").write_text(json.dumps(digests))


@pytest.fixture
def edit(folder: Path) -> Callable[[dict[str, Any]], None]:
    """Sets keys of ``policy.json``, given with dots; the value ``...`` removes one."""

    def edit(changes: dict[str, Any]) -> None:
        path = folder / "policy.json"
        values = json.loads(path.read_text())
        for key, value in changes.items():
            *groups, name = key.split(".")
            group = values
            for inner in groups:
                group = group[inner]
            group[name] = value
            if value is ...:
                del group[name]
        path.write_text(json.dumps(values))
        sign(folder)

    return edit


@pytest.fixture
def retouch(folder: Path) -> Callable[[Callable[[dict[str, Any]], object]], None]:
    """Changes the tensors."""

    def retouch(change: Callable[[dict[str, Any]], object]) -> None:
        tensors = load_file(folder / "policy.safetensors")
        change(tensors)
        save_file(tensors, folder / "policy.safetensors")
        sign(folder)

    return retouch
