"""TorchRL's view of the dream: its own checks, a world whose answers are known, and PPO in a tiny dream."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from gymnasium.vector import SyncVectorEnv
from tensordict import TensorDict, TensorDictBase
from tensordict.nn import TensorDictModule
from torch import nn
from torchrl.collectors import Collector
from torchrl.envs import RewardSum, StepCounter, TransformedEnv
from torchrl.envs.utils import check_env_specs
from torchrl.modules import ProbabilisticActor, ValueOperator
from torchrl.objectives import ClipPPOLoss
from torchrl.objectives.value import GAE

from jedi_sdk import JEDI
from jedi_sdk.dream import Dream, DreamEnv, DreamError
from jedi_sdk.dream.torchrl import DreamTensorEnv
from jedi_sdk.dream.trunk import LatentTrunk
from jedi_sdk.presets import TINY
from jedi_sdk.world_model import WorldModel

from .by_hand import GOAL, HORIZON, SHAPE, UNIT, ByHand, ByHandEnv, starts

N = 5
FLAGS = ("terminated", "truncated", "done")


def dreams(n: int = N, mode: str = "Disabled", to_numpy: bool = False, **options: Any) -> DreamEnv:
    return DreamEnv(Dream(ByHand(), n, **{"horizon": HORIZON, "starts": starts(2), **options}), mode, to_numpy)


def rows(env: DreamTensorEnv) -> list[int]:
    """Rows computed so far, call by call."""
    return env.env.core.world_model.stepped  # pyright: ignore


def places(tensordict: TensorDictBase) -> list[int]:
    return (tensordict["observation"][..., 0, 0, 0] * UNIT).round().int().tolist()


def acting(*actions: int) -> Any:
    return lambda tensordict: tensordict.set("action", torch.tensor(actions))


# -- their own checks ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("obs", ["latent", "features", "pixels"])
@pytest.mark.parametrize("kind", ["dream_env", "real_env"])
def test_their_own_check(agent: JEDI, kind: str, obs: str) -> None:
    probe = (lambda z: z.new_zeros(len(z), 3, 64, 64)) if obs == "pixels" else None
    env = DreamTensorEnv(getattr(agent, kind)(3, autoreset_mode="Disabled", to_numpy=False, obs=obs, probe=probe))
    check_env_specs(env, seed=0, break_when_any_done="both")
    assert env.batch_size == (3,)
    assert env.device == agent.precision.device
    inner = env.env.single_observation_space
    assert (env.observation_spec["observation"].shape, env.action_spec.n) == ((3, *(inner.shape or ())), 3)


def test_latents_that_nothing_clamps_have_no_bounds() -> None:
    config = replace(TINY, objective=replace(TINY.objective, clamp=False))
    core = Dream(WorldModel(config, 3), 2, HORIZON, starts(2))
    env = DreamTensorEnv(DreamEnv(core, "Disabled", to_numpy=False))
    check_env_specs(env)
    assert env.observation_spec["observation"].is_in(torch.full((2, *SHAPE), 1e9))


# -- a world whose answers are known ------------------------------------------------------------------------------


def test_an_episode_by_hand() -> None:
    """From place 2, four steps of 3 reach the goal, and six steps of 1 the horizon; both begin anew."""
    env = DreamTensorEnv(dreams(2))
    told = env.rollout(8, acting(2, 0), break_when_any_done=False)
    assert told.batch_size == (2, 8)
    assert places(told[0]) == [2, 5, 8, 11, 2, 5, 8, 11]
    assert places(told[0]["next"]) == [5, 8, 11, GOAL, 5, 8, 11, GOAL]
    assert places(told[1]) == [2, 3, 4, 5, 6, 7, 2, 3]
    assert places(told[1]["next"]) == [3, 4, 5, 6, 7, 8, 3, 4]
    assert told["next", "reward"].squeeze(-1).tolist() == [[1.0] * 8, [-1.0] * 8]
    ends, cuts = [[t in (3, 7) for t in range(8)], [False] * 8], [[False] * 8, [t == 5 for t in range(8)]]
    assert told["next", "terminated"].squeeze(-1).tolist() == ends
    assert told["next", "truncated"].squeeze(-1).tolist() == cuts
    assert torch.equal(told["next", "done"], told["next", "terminated"] | told["next", "truncated"])
    assert not any(told[flag].any() for flag in FLAGS)
    assert rows(env) == [2] * 8


def test_it_is_what_single_ones_would_be() -> None:
    """Random actions, and some are begun anew in between, against gymnasium's own vector env."""
    ours, theirs = DreamTensorEnv(dreams()), SyncVectorEnv([ByHandEnv] * N, autoreset_mode="Disabled")  # pyright: ignore
    rng, now, ended = np.random.default_rng(0), ours.reset(), 0
    theirs.reset()
    for _ in range(100):
        act = rng.integers(3, size=N)
        now = ours.step(now.set("action", torch.from_numpy(act)))["next"]
        obs, rew, term, trunc, _ = theirs.step(act)
        np.testing.assert_array_equal(now["observation"], obs)
        np.testing.assert_array_equal(now["reward"][:, 0], rew)
        for flag, expected in zip(FLAGS, (term, trunc, term | trunc), strict=True):
            np.testing.assert_array_equal(now[flag][:, 0], expected)
        ended += int((term | trunc).sum())
        mask = term | trunc | (rng.random(N) < 0.1)
        if mask.any():
            obs, _ = theirs.reset(options={"reset_mask": mask.copy()})
            now = ours.reset(now.exclude("reward").set("_reset", torch.from_numpy(mask)[:, None]))
            np.testing.assert_array_equal(now["observation"], obs)
            assert not now["done"].any()
    assert ended > 50


def test_a_partial_reset_keeps_the_others() -> None:
    env = DreamTensorEnv(dreams(3))
    now = env.reset()
    for _ in range(2):
        now = env.step(now.set("action", torch.tensor([2, 1, 0])))["next"]
    now = env.reset(TensorDict({"_reset": torch.tensor([[False], [True], [False]])}, [3]).update(now))
    assert places(now) == [8, 2, 4]
    now = env.step(now.set("action", torch.tensor([2, 2, 2])))["next"]
    assert places(now) == [11, 5, 7]


def test_what_was_given_stays() -> None:
    """A dream is never written to, and neither is what it showed."""
    env = DreamTensorEnv(dreams(2))
    now = env.reset()
    first = now["observation"]
    for _ in range(HORIZON + 1):
        _, now = env.step_and_maybe_reset(now.set("action", torch.tensor([2, 0])))
    assert (first == 2 / UNIT).all()
    assert places(now) == [11, 3]


def test_those_that_are_over_are_left_out() -> None:
    """Each dreams one episode: of those behind their end nothing is computed, and they stand still."""
    env = DreamTensorEnv(dreams(2))
    told = env.rollout(20, acting(2, 0), break_when_all_done=True, break_when_any_done=False)
    assert told.batch_size == (2, 6)
    assert places(told[0]["next"]) == [5, 8, 11, GOAL, GOAL, GOAL]
    assert places(told[1]["next"]) == [3, 4, 5, 6, 7, 8]
    assert rows(env) == [2, 2, 2, 2, 1, 1]


def test_of_real_games_each_plays_its_own(agent: JEDI) -> None:
    """Of catch it is known that each lasts seven steps. Those left out move on, and are reset before they go on."""
    real = DreamTensorEnv(agent.real_env(3, autoreset_mode="Disabled", to_numpy=False))
    told = real.rollout(20, acting(0, 1, 2), break_when_all_done=True, break_when_any_done=False)
    assert told.batch_size == (3, 7)
    assert told["next", "terminated"][:, -1].all()
    assert set(told["next", "reward"][:, -1].flatten().tolist()) <= {-1.0, 1.0}
    now = real.reset()
    alone = torch.tensor([True, False, True])
    now = real.step(now.set("action", torch.zeros(3, dtype=torch.int64)).set("_step", alone))["next"]
    assert now["reward"].tolist() == [[0.0]] * 3
    with pytest.raises(DreamError, match=r"the games \[1\] were left out"):
        real.step(now.set("action", torch.zeros(3, dtype=torch.int64)))


def test_the_same_seed_is_the_same_dream(agent: JEDI) -> None:
    def dreamed(seed: int) -> torch.Tensor:
        env = DreamTensorEnv(agent.dream_env(4, horizon=5, autoreset_mode="Disabled", to_numpy=False))
        env.set_seed(seed)
        return env.rollout(7, acting(0, 1, 2, 0), break_when_any_done=False)["next", "observation"]

    assert torch.equal(dreamed(3), dreamed(3))
    assert not torch.equal(dreamed(3), dreamed(4))


def test_dreams_go_on_from_real_games(agent: JEDI) -> None:
    real = agent.real_env(2, autoreset_mode="Disabled", to_numpy=False)
    seen, _ = real.reset(seed=0)
    dream = DreamTensorEnv(agent.dream_env(2, horizon=3, autoreset_mode="Disabled", to_numpy=False))
    assert torch.equal(dream.reset(options={"from": real})["observation"], seen)


def test_their_transforms_count() -> None:
    env = TransformedEnv(DreamTensorEnv(dreams(2)), RewardSum()).append_transform(StepCounter())
    told = env.rollout(7, acting(2, 0), break_when_any_done=False)
    assert told["next", "episode_reward"][:, :, 0].tolist() == [[1, 2, 3, 4, 1, 2, 3], [-1, -2, -3, -4, -5, -6, -1]]
    assert told["next", "step_count"][:, :, 0].tolist() == [[1, 2, 3, 4, 1, 2, 3], [1, 2, 3, 4, 5, 6, 1]]


# -- what is refused ----------------------------------------------------------------------------------------------


def test_what_gives_arrays_or_resets_by_itself() -> None:
    for other in (dreams(to_numpy=True), SyncVectorEnv([ByHandEnv])):  # pyright: ignore
        with pytest.raises(DreamError, match=r"that give tensors.*autoreset_mode='Disabled', to_numpy=False"):
            DreamTensorEnv(other)  # pyright: ignore
    with pytest.raises(DreamError, match=r"resets what is over by itself .*, but TorchRL does that"):
        DreamTensorEnv(dreams(mode="SameStep"))


def test_wrong_actions_a_dream_that_is_over_and_a_closed_env() -> None:
    env = DreamTensorEnv(dreams(2))
    now = env.reset()
    for wrong, message in ((torch.tensor([0, 3]), "from 0 to 2"), (torch.zeros(2), "actions are integers")):
        with pytest.raises(DreamError, match=message):
            env.step(now.set("action", wrong))
    for _ in range(HORIZON):
        now = env.step(now.set("action", torch.zeros(2, dtype=torch.int64)))["next"]
    with pytest.raises(DreamError, match=r"the dreams \[0, 1\] are over"):
        env.step(now.set("action", torch.zeros(2, dtype=torch.int64)))
    env.close()
    with pytest.raises(DreamError, match="is closed"):
        env.reset()


def test_only_the_adaptor_imports_torchrl_and_says_what_to_install() -> None:
    script = """
import sys
import jedi_sdk.agent, jedi_sdk.dream
assert not {"torchrl", "tensordict"} & {name.partition(".")[0] for name in sys.modules}
sys.modules["torchrl"] = None
try:
    import jedi_sdk.dream.torchrl
except ImportError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert "pip install 'jedi-sdk[torchrl]'" in done.stdout, done.stderr


# -- their PPO ----------------------------------------------------------------------------------------------------


def test_ppo_in_a_tiny_dream_plays_the_real_game(agent: JEDI) -> None:
    dream, real = (
        DreamTensorEnv(env(8, autoreset_mode="Disabled", to_numpy=False, stack=2))
        for env in (agent.dream_env, agent.real_env)
    )
    torch.manual_seed(0)
    trunk = LatentTrunk(dream.observation_spec["observation"].shape[1:], features=16, channels=8)
    logits = TensorDictModule(nn.Sequential(trunk, nn.Linear(16, 3)), ["observation"], ["logits"])
    actor = ProbabilisticActor(
        logits, in_keys=["logits"], distribution_class=torch.distributions.Categorical, return_log_prob=True
    )
    critic = ValueOperator(nn.Sequential(trunk, nn.Linear(16, 1)), in_keys=["observation"])
    loss = ClipPPOLoss(actor, critic)
    optimizer = torch.optim.Adam(loss.parameters(), lr=1e-3)
    before = [parameter.clone() for parameter in actor.parameters()]
    collected = 0
    for batch in Collector(dream, actor, frames_per_batch=160, total_frames=320):
        GAE(gamma=0.9, lmbda=0.9, value_network=critic)(batch)
        terms = loss(batch.flatten())
        optimizer.zero_grad()
        sum(terms[name] for name in ("loss_objective", "loss_critic", "loss_entropy")).backward()
        optimizer.step()
        collected += batch.numel()
    assert collected == 320
    assert any(not torch.equal(old, new) for old, new in zip(before, actor.parameters(), strict=True))
    scores = real.rollout(7, actor)["next", "reward"].sum(1)
    assert set(scores.flatten().tolist()) <= {-1.0, 1.0}


def test_reset_takes_a_seed_as_gymnasiums_does() -> None:
    one, other = (DreamTensorEnv(dreams()) for _ in range(2))
    other.set_seed(3)
    assert torch.equal(one.reset(seed=3)["observation"], other.reset()["observation"])
