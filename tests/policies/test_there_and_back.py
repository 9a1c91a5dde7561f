"""Policies that another library trained in a dream: what comes back acts as what was saved, bit for bit."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from stable_baselines3 import A2C, DQN, PPO
from stable_baselines3.common.evaluation import evaluate_policy
from tianshou.algorithm.modelfree.dqn import DQN as TianshouDQN
from tianshou.algorithm.modelfree.ppo import PPO as TianshouPPO
from tianshou.algorithm.modelfree.reinforce import DiscreteActorPolicy
from tianshou.data import Batch, Collector
from torch.distributions import Categorical

from jedi_sdk import JEDI, checkpoint
from jedi_sdk.dream.sb3 import DreamVecEnv, latent_policy
from jedi_sdk.dream.tianshou import DreamEnvFactory, LatentActorFactory
from jedi_sdk.policies import LatentPolicy, load_policy, save_policy

from .conftest import FAST, net

STACKED = {"obs": "latent", "stack": 4}


def there_and_back(model: Any, folder: Path, agent: JEDI | str, view: dict[str, Any] = STACKED) -> LatentPolicy:
    return load_policy(save_policy(model, folder, agent, view), device="cpu")


def assert_same_weights(one: torch.nn.Module, other: torch.nn.Module) -> None:
    ours, theirs = one.state_dict(), other.state_dict()
    assert ours.keys() == theirs.keys()
    for name, tensor in ours.items():
        torch.testing.assert_close(tensor, theirs[name], rtol=0, atol=0)


# -- Stable-Baselines3 ------------------------------------------------------------------------------------------------


def test_sb3_ppo(sb3_ppo: PPO, latents: np.ndarray, agent: JEDI, tmp_path: Path) -> None:
    loaded = there_and_back(sb3_ppo, tmp_path / "ppo", agent)
    assert_same_weights(loaded.policy, sb3_ppo.policy)
    z = torch.from_numpy(latents)
    with torch.no_grad():
        wanted, found = sb3_ppo.policy.get_distribution(z), loaded.policy.get_distribution(z)
        assert torch.equal(wanted.distribution.logits, found.distribution.logits)  # type: ignore[union-attr]
        assert torch.equal(sb3_ppo.policy.predict_values(z), loaded.policy.predict_values(z))
    assert loaded.view == STACKED


def test_a_folder_at_home(sb3_ppo: PPO, agent: JEDI, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    assert save_policy(sb3_ppo, "~/ppo", agent, STACKED) == tmp_path / "ppo"
    assert_same_weights(load_policy("~/ppo", device="cpu").policy, sb3_ppo.policy)


def test_sb3_dqn(sb3_dqn: DQN, latents: np.ndarray, agent: JEDI, tmp_path: Path) -> None:
    loaded = there_and_back(sb3_dqn, tmp_path / "dqn", agent)
    assert_same_weights(loaded.policy, sb3_dqn.policy)
    z = torch.from_numpy(latents)
    with torch.no_grad():
        assert torch.equal(sb3_dqn.policy.q_net(z), loaded.policy.q_net(z))


def test_sb3_that_reads_features(agent: JEDI, tmp_path: Path) -> None:
    dream = DreamVecEnv(agent.dream_env(4, obs="features", **FAST))
    a2c = A2C("MlpPolicy", dream, policy_kwargs={"net_arch": [8], "activation_fn": torch.nn.ELU}, seed=0).learn(40)
    loaded = there_and_back(a2c, tmp_path / "a2c", agent, {"obs": "features"})
    assert_same_weights(loaded.policy, a2c.policy)
    seen = loaded.real_env(3).reset()
    np.testing.assert_array_equal(loaded.policy.predict(seen)[0].shape, (3,))
    z = torch.from_numpy(seen)
    assert torch.equal(a2c.policy.predict_values(z), loaded.policy.predict_values(z))


def test_sb3_plays_the_same_games(sb3_ppo: PPO, agent: JEDI, tmp_path: Path) -> None:
    loaded = there_and_back(sb3_ppo, tmp_path / "ppo", agent)
    real = loaded.real_env(num_envs=4)
    scores = []
    for policy in (sb3_ppo, loaded.policy):
        real.seed(5)
        scores.append(evaluate_policy(policy, real, n_eval_episodes=12, return_episode_rewards=True))
    assert scores[0] == scores[1]
    assert len(scores[0][0]) == 12
    dream = loaded.dream_env(num_envs=4, horizon=3, sampler={"steps": 1})
    lengths = evaluate_policy(loaded.policy, dream, 8, return_episode_rewards=True)[1]
    assert max(lengths) == 3  # type: ignore[type-var]


def test_sb3_learns_on(sb3_ppo: PPO, agent: JEDI, tmp_path: Path) -> None:
    """What comes back is a policy like any other: an algorithm can take it over."""
    loaded = there_and_back(sb3_ppo, tmp_path / "ppo", agent)
    kwargs = latent_policy(48, 16, net_arch={"pi": [24, 12], "vf": [20]})
    again = PPO("CnnPolicy", loaded.dream_env(16, **FAST), n_steps=8, batch_size=64, policy_kwargs=kwargs)
    again.policy.load_state_dict(loaded.policy.state_dict())
    assert_same_weights(again.policy, sb3_ppo.policy)
    again.policy = loaded.policy  # or as it is, its optimiser with it
    again.learn(128)
    wanted, found = dict(sb3_ppo.policy.named_parameters()), dict(loaded.policy.named_parameters())
    assert not torch.equal(wanted["action_net.weight"], found["action_net.weight"])


# -- Tianshou ---------------------------------------------------------------------------------------------------------


def acts(policy: Any, latents: np.ndarray) -> Any:
    policy.is_within_training_step = False
    with torch.no_grad():
        return policy(Batch(obs=latents, info=Batch()))


def test_tianshou_dqn(tianshou_dqn: TianshouDQN, latents: np.ndarray, agent: JEDI, tmp_path: Path) -> None:
    loaded = there_and_back(tianshou_dqn, tmp_path / "dqn", agent)
    assert_same_weights(loaded.policy, tianshou_dqn.policy)
    wanted, found = acts(tianshou_dqn.policy, latents), acts(loaded.policy, latents)
    assert torch.equal(wanted.logits, found.logits)
    np.testing.assert_array_equal(wanted.act, found.act)


def test_tianshou_ppo(tianshou_ppo: TianshouPPO, latents: np.ndarray, agent: JEDI, tmp_path: Path) -> None:
    loaded = there_and_back(tianshou_ppo, tmp_path / "ppo", agent)
    assert_same_weights(loaded.policy, tianshou_ppo.policy)
    wanted, found = acts(tianshou_ppo.policy, latents), acts(loaded.policy, latents)
    assert torch.equal(wanted.logits, found.logits)
    assert loaded.policy.deterministic_eval
    assert torch.equal(wanted.act, found.act)


def test_tianshou_with_probabilities(latents: np.ndarray, agent: JEDI, tmp_path: Path) -> None:
    actions = agent.dream_env().single_action_space
    actor = net(agent, (8,), softmax=True)
    policy = DiscreteActorPolicy(actor=actor, dist_fn=Categorical, action_space=actions)
    loaded = there_and_back(policy, tmp_path / "actor", agent)
    wanted, found = acts(policy, latents), acts(loaded.policy, latents)
    assert torch.equal(wanted.dist.probs, found.dist.probs)
    torch.testing.assert_close(found.dist.probs.sum(-1), torch.ones(len(latents)))


def test_tianshou_of_the_high_level(latents: np.ndarray, agent: JEDI, tmp_path: Path) -> None:
    envs = DreamEnvFactory(agent, horizon=8, view={"stack": 4}).create_envs(1, 1)
    factory = LatentActorFactory(24)
    policy = DiscreteActorPolicy(
        actor=factory.create_module(envs, "cpu"),
        dist_fn=factory.create_dist_fn(envs),
        action_space=agent.dream_env().single_action_space,
    )
    loaded = there_and_back(policy, tmp_path / "actor", agent)
    assert torch.equal(acts(policy, latents).logits, acts(loaded.policy, latents).logits)


def test_tianshou_plays_the_same_games(tianshou_ppo: TianshouPPO, agent: JEDI, tmp_path: Path) -> None:
    loaded = there_and_back(tianshou_ppo, tmp_path / "ppo", agent)
    real, scores = loaded.real_env(num_envs=4), []
    for policy in (tianshou_ppo.policy, loaded.policy):
        real.seed(5)
        scores.append(Collector(policy, real).collect(n_episode=12, reset_before_collect=True).returns)
    np.testing.assert_array_equal(scores[0], scores[1])
    dreamed = Collector(loaded.policy, loaded.dream_env(4, horizon=3)).collect(n_episode=8, reset_before_collect=True)
    assert dreamed.lens.max() == 3


# -- the agent it needs -----------------------------------------------------------------------------------------------


def test_embedded(sb3_ppo: PPO, agent: JEDI, tmp_path: Path) -> None:
    folder = save_policy(sb3_ppo, tmp_path / "one", agent, STACKED)
    inside = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    of_the_agent = {f"agent/{name}" for name in (*checkpoint.AGENT.needed, "starts.safetensors", "manifest.json")}
    assert inside == {"policy.json", "policy.safetensors", "manifest.json", "agent/probe.safetensors", *of_the_agent}
    moved = folder.rename(tmp_path / "elsewhere")
    assert_same_weights(load_policy(moved, device="cpu").agent.world_model, agent.world_model)


def test_by_name(folder: Path, agent: JEDI) -> None:
    assert sorted(path.name for path in folder.iterdir()) == ["manifest.json", "policy.json", "policy.safetensors"]
    said = json.loads((folder / "policy.json").read_text())["agent"]
    weights = checkpoint.sha256(agent.origin.folder / "model.safetensors")  # type: ignore[union-attr]
    assert said == {"name": "catch", "revision": None, "weights": weights}
    loaded = load_policy(folder, device="cpu")
    assert "embedded" in str(loaded.agent.origin)


def test_written_again(sb3_ppo: PPO, sb3_dqn: DQN, agent: JEDI, tmp_path: Path) -> None:
    """The later one is there as a whole: nothing is left of the agent that lay there before."""
    save_policy(sb3_ppo, tmp_path / "policy", agent, STACKED)
    save_policy(sb3_dqn, tmp_path / "policy", "catch", STACKED)
    assert not (tmp_path / "policy" / "agent").exists()
    assert load_policy(tmp_path / "policy", device="cpu").spec.kind == "DQN"
    assert [path.name for path in tmp_path.iterdir()] == ["policy"]


def test_neither_library_is_imported_for_the_other(folder: Path) -> None:
    """Nor for the door."""
    code = f"""
import sys
from jedi_sdk.policies import load_policy
assert not {{"stable_baselines3", "tianshou"}} & set(sys.modules)
load_policy({str(folder)!r}, device="cpu")
assert "stable_baselines3" in sys.modules
assert "tianshou" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("kind", ["PPO", "DQN"])
def test_loading_draws_no_random_numbers(kind: str, sb3_ppo: PPO, sb3_dqn: DQN, agent: JEDI, tmp_path: Path) -> None:
    folder = save_policy(sb3_ppo if kind == "PPO" else sb3_dqn, tmp_path / "policy", agent, STACKED)
    before = torch.get_rng_state()
    load_policy(folder, device="cpu")
    assert torch.equal(before, torch.get_rng_state())
