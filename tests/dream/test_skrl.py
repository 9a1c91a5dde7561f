"""skrl takes the dream as it is: its own wrapper for gymnasium's vector envs, and its PPO, need nothing of ours."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from jedi_sdk import JEDI
from jedi_sdk.dream import Dream, DreamEnv

from .by_hand import GOAL, HORIZON, SHAPE, UNIT, ByHand, starts

pytest.importorskip("skrl")

from skrl.agents.torch.ppo import PPO
from skrl.envs.wrappers.torch import wrap_env
from skrl.memories.torch import RandomMemory
from skrl.models.torch import CategoricalMixin, DeterministicMixin, Model
from skrl.trainers.torch import SequentialTrainer


def test_an_episode_by_hand() -> None:
    """From place 2, four steps of 3 reach the goal, and six steps of 1 the horizon; both begin anew at once."""
    dream = wrap_env(DreamEnv(Dream(ByHand(), 2, HORIZON, starts(2))), verbose=False)
    assert (dream.num_envs, dream.observation_space.shape, dream.action_space.n) == (2, SHAPE, 3)
    obs, _ = dream.reset()
    assert (obs == 2 / UNIT).all()
    for t in range(HORIZON):
        obs, rew, term, trunc, infos = dream.step(torch.tensor([[2], [0]]))
        assert rew.tolist() == [[1], [-1]]
        assert term.tolist() == [[t == 3], [False]]
        assert trunc.tolist() == [[False], [t == 5]]
        if t == 3:
            assert (infos["final_obs"][0] == np.float32(GOAL / UNIT)).all()
    np.testing.assert_allclose(obs[:, 0] * UNIT, [2 + 2 * 3, 2], atol=1e-5)


class Net(nn.Sequential):
    def __init__(self, shape: Any, out: int) -> None:
        super().__init__(nn.Unflatten(1, shape), nn.Conv2d(shape[0], 4, 3), nn.SiLU(), nn.Flatten(), nn.LazyLinear(out))


class Policy(CategoricalMixin, Model):
    def __init__(self, **spaces: Any) -> None:
        Model.__init__(self, **spaces)
        CategoricalMixin.__init__(self)
        self.net = Net(self.observation_space.shape, 3)

    def compute(self, inputs: Any, role: str = "") -> Any:
        return self.net(inputs["observations"]), {}


class Value(DeterministicMixin, Model):
    def __init__(self, **spaces: Any) -> None:
        Model.__init__(self, **spaces)
        DeterministicMixin.__init__(self)
        self.net = Net(self.observation_space.shape, 1)

    def compute(self, inputs: Any, role: str = "") -> Any:
        return self.net(inputs["observations"]), {}


def test_ppo_in_a_tiny_dream_plays_the_real_game(agent: JEDI) -> None:
    dream, real = (wrap_env(env, verbose=False) for env in (agent.dream_env(4, horizon=5), agent.real_env(2)))
    torch.manual_seed(0)
    spaces = {"observation_space": dream.observation_space, "action_space": dream.action_space, "device": "cpu"}
    models = {"policy": Policy(**spaces), "value": Value(**spaces)}
    seen = dream.reset()[0]
    for model in models.values():
        model.net(seen)  # lazy layers take their size
    before = [parameter.clone() for parameter in models["policy"].parameters()]
    settings = {
        "rollouts": 8,
        "time_limit_bootstrap": True,
        "experiment": {"write_interval": 0, "checkpoint_interval": 0},
    }
    ppo = PPO(models=models, memory=RandomMemory(memory_size=8, num_envs=4, device="cpu"), cfg=settings, **spaces)
    trainer = {"timesteps": 32, "headless": True, "disable_progressbar": True, "close_environment_at_exit": False}
    SequentialTrainer(env=dream, agents=ppo, cfg=trainer).train()
    assert any(not torch.equal(old, new) for old, new in zip(before, models["policy"].parameters(), strict=True))
    obs, scores = real.reset()[0], torch.zeros(2, 1)
    for _ in range(7):  # a game of catch
        obs, rew, term, _, _ = real.step(ppo.act(obs, None, timestep=0, timesteps=1)[0])
        scores += rew
    assert term.all()
    assert set(scores.flatten().tolist()) <= {-1.0, 1.0}
