"""What cannot be saved, and what a stranger's folder may not do: each is one clear sentence, and nothing is written."""

from __future__ import annotations

import json
import resource
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from stable_baselines3 import DQN, PPO
from stable_baselines3.common.policies import ActorCriticCnnPolicy
from stable_baselines3.common.vec_env import VecNormalize
from tianshou.algorithm.modelfree.c51 import C51Policy
from tianshou.algorithm.modelfree.reinforce import DiscreteActorPolicy
from tianshou.utils.net.common import Net
from tianshou.utils.net.discrete import DiscreteActor

from jedi_sdk import JEDI, CheckpointError, HubError
from jedi_sdk.dream.sb3 import DreamVecEnv, LatentFeatures, latent_policy
from jedi_sdk.policies import load_policy, save_policy

from .conftest import net, sign

Edit = Callable[[dict[str, Any]], None]
ACTION = "action_net.bias"


def refused(match: str, folder: Path) -> None:
    with pytest.raises(CheckpointError, match=match):
        load_policy(folder, device="cpu")


# -- what cannot be saved ---------------------------------------------------------------------------------------------


class MyFeatures(LatentFeatures):
    pass


class MyPolicy(ActorCriticCnnPolicy):
    pass


class MyPPO(PPO):
    pass


@pytest.mark.parametrize(
    ("kwargs", "match"),
    [
        ({"features_extractor_class": MyFeatures}, "MyFeatures does not read obs='latent' there.*latent_policy"),
        ({"share_features_extractor": False}, "share_features_extractor, which policy.json cannot say: train without"),
        ({"log_std_init": -1.0}, "log_std_init, which policy.json cannot say"),
        ({"activation_fn": torch.nn.Hardtanh}, "activation_fn=Hardtanh cannot be saved: take one of Tanh, ReLU"),
    ],
)
def test_arguments_that_json_cannot_say(agent: JEDI, tmp_path: Path, kwargs: dict[str, Any], match: str) -> None:
    model = PPO("CnnPolicy", DreamVecEnv(agent.dream_env(2)), policy_kwargs=latent_policy(**kwargs))
    with pytest.raises(CheckpointError, match=match):
        save_policy(model, tmp_path / "policy", agent)
    assert list(tmp_path.iterdir()) == []


def test_a_normaliser_that_would_be_left_behind(agent: JEDI, tmp_path: Path) -> None:
    for norm_obs in (True, False):
        dream = VecNormalize(DreamVecEnv(agent.dream_env(2, obs="features")), norm_obs=norm_obs)
        model = PPO("MlpPolicy", dream)
        if norm_obs:
            with pytest.raises(CheckpointError, match=r"VecNormalize changed what .*norm_obs=False"):
                save_policy(model, tmp_path / "policy", agent, {"obs": "features"})
            assert list(tmp_path.iterdir()) == []
    assert (save_policy(model, tmp_path / "policy", agent, {"obs": "features"}) / "policy.json").exists()


def test_classes_of_ones_own(agent: JEDI, tmp_path: Path) -> None:
    dream = DreamVecEnv(agent.dream_env(2))
    with pytest.raises(CheckpointError, match=r"MyPPO cannot be saved as a policy: train with one of PPO, A2C, DQN"):
        save_policy(MyPPO("CnnPolicy", dream, policy_kwargs=latent_policy()), tmp_path / "policy", agent)
    with pytest.raises(CheckpointError, match=r"MyPolicy is a policy of your own.*CnnPolicy"):
        save_policy(PPO(MyPolicy, dream, policy_kwargs=latent_policy()), tmp_path / "policy", agent)
    with pytest.raises(CheckpointError, match=r"a Linear is of no library.*Stable-Baselines3.*Tianshou"):
        save_policy(torch.nn.Linear(1, 1), tmp_path / "policy", agent)
    assert list(tmp_path.iterdir()) == []


def test_of_tianshou(agent: JEDI, tmp_path: Path) -> None:
    actions, good = agent.dream_env().single_action_space, net(agent)
    vectors = Net(state_shape=4, hidden_sizes=[8])
    bad: dict[str, Any] = {
        "C51Policy cannot be saved: train with": C51Policy(model=good, action_space=actions),
        "dist_fn=<lambda> is of your own": DiscreteActorPolicy(
            actor=good, dist_fn=lambda x: torch.distributions.Categorical(logits=x), action_space=actions
        ),
        "Net on obs='latent' cannot be saved": DiscreteActorPolicy(
            actor=DiscreteActor(preprocess_net=vectors, action_shape=3), action_space=actions
        ),
        "Net cannot be saved: take Tianshou's DiscreteActor": DiscreteActorPolicy(actor=vectors, action_space=actions),
    }
    for match, policy in bad.items():
        with pytest.raises(CheckpointError, match=match):
            save_policy(policy, tmp_path / "policy", agent)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("view", "match"),
    [
        (None, r"layers.*weight is of \[16, 64, 3, 3\].* it is of \[16, 16, 3, 3\].*view=\{'stack': 4\}"),
        ({"stack": 2}, r"is of \[16, 64, 3, 3\].* it is of \[16, 32, 3, 3\]"),
        ({"stack": 99}, r"cannot be built: stack=99"),
        ({"stack": 0}, r"view cannot be saved: its 'stack' is 0"),
        ({"obs": "pixels"}, r"view cannot be saved: its 'obs' is 'pixels'.*'latent' or 'features'"),
        ({"probe": 1}, r"view cannot be saved: its 'probe' is 1"),
        ({"obs": "features"}, r"LatentFeatures does not read obs='features'"),
    ],
)
def test_another_view(sb3_ppo: PPO, agent: JEDI, tmp_path: Path, view: dict[str, Any] | None, match: str) -> None:
    with pytest.raises(CheckpointError, match=match):
        save_policy(sb3_ppo, tmp_path / "policy", agent, view)
    assert list(tmp_path.iterdir()) == []


def test_agents_that_nobody_else_has(sb3_ppo: PPO, agent: JEDI, tmp_path: Path) -> None:
    mine = agent.save_pretrained(tmp_path / "agent")
    with pytest.raises(CheckpointError, match=r"is a folder on this machine.*pass the agent itself"):
        save_policy(sb3_ppo, tmp_path / "policy", str(mine), {"stack": 4})
    with pytest.raises(HubError, match="no agent is called 'cath'"):
        save_policy(sb3_ppo, tmp_path / "policy", "cath", {"stack": 4})
    with pytest.raises(CheckpointError, match="revision= chooses a version"):
        save_policy(sb3_ppo, tmp_path / "policy", agent, {"stack": 4}, revision="v1")
    assert not (tmp_path / "policy").exists()


def test_what_stands_there_is_not_replaced(sb3_ppo: PPO, agent: JEDI, folder: Path, tmp_path: Path) -> None:
    mine = agent.save_pretrained(tmp_path / "mine")
    with pytest.raises(CheckpointError, match="holds other files"):
        save_policy(sb3_ppo, mine, "catch", {"stack": 4})
    with pytest.raises(CheckpointError, match="holds other files"):
        agent.save_pretrained(folder)
    (folder / "README.md").write_text("my own words")
    with pytest.raises(CheckpointError, match=r"holds README\.md"):
        save_policy(sb3_ppo, folder, "catch", {"stack": 4})
    assert (folder / "README.md").read_text() == "my own words"
    assert load_policy(folder, device="cpu").spec.kind == "PPO"


# -- the other kind of folder -----------------------------------------------------------------------------------------


def test_an_agent_is_no_policy_and_the_other_way_round(folder: Path, agent: JEDI, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"holds a policy of another library, not an agent: load .*load_policy"):
        JEDI.from_pretrained(folder)
    refused(
        r"holds an agent, not a policy of another library: load it with JEDI", agent.save_pretrained(tmp_path / "a")
    )
    refused("neither a checkpoint nor a run", tmp_path)


# -- a stranger's policy.json -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"schema_version": 2}, "schema_version 2, this jedi-sdk reads 1: upgrade"),
        ({"schema_version": True}, "schema_version True"),
        ({"schema_version": ...}, "schema_version None"),
        ({"library": "os"}, "its 'library' is 'os'.*'stable_baselines3' or 'tianshou'"),
        ({"library": "tianshou"}, "it asks for 'PPO'.*known are DiscreteActorPolicy"),
        ({"kind": "MaskablePPO"}, "asks for 'MaskablePPO'.*known are PPO"),
        ({"kind": "DQN"}, "asks for 'DQN' with layers of 'pi, vf'.*DQN with q$"),
        ({"kind": "builtins.eval"}, "asks for 'builtins.eval'"),
        ({"kind": ...}, "its 'kind' is"),
        ({"extra": 1}, "its 'extra' is 1"),
        ({"trunk": None}, "asks for 'PPO'.*and None for obs='latent'"),
        ({"trunk.channels": 65}, "cannot be used: this policy cannot be built"),
        ({"trunk.channels": 32}, r"does not fit these networks: .* is float32 of \[16"),
        ({"trunk.features": 2**40}, r"its 'trunk.features' is 1099511627776"),
        ({"trunk.features": True}, r"its 'trunk.features' is True"),
        ({"trunk.kernel": 3}, r"its 'trunk.kernel' is 3"),
        ({"arguments.activation": "Softplus"}, "its arguments' 'activation' is 'Softplus'"),
        ({"arguments.activation": "ReLU", "arguments.net_arch.pi": [24]}, "does not fit these networks"),
        ({"arguments.net_arch.pi": [0]}, r"arguments' 'net_arch.pi.0' is 0"),
        ({"arguments.net_arch.pi": [8] * 100}, r"arguments' 'net_arch.pi'"),
        ({"arguments.net_arch": [24]}, r"arguments' 'net_arch' is \[24\]"),
        ({"arguments.optimizer_class": "torch.optim.Adam"}, r"arguments' 'optimizer_class' is"),
        ({"view.stack": 2}, r"does not fit these networks"),
        ({"view.stack": 500}, r"cannot be used: this policy cannot be built: stack=500"),
        ({"view.obs": ...}, "its 'view.obs' is"),
        ({"view.obs": "pixels"}, "its 'view.obs' is 'pixels'"),
        ({"agent.weights": "0" * 64}, "when that had other weights"),
        ({"agent.name": "../agent"}, r"its 'agent.name' is '../agent'"),
        ({"agent.name": "./agent"}, r"its 'agent.name' is './agent'"),
        ({"agent.name": "/etc"}, r"its 'agent.name' is '/etc'"),
        ({"agent": None}, "agent/manifest.json is missing"),
    ],
)
def test_words_that_are_none(folder: Path, edit: Edit, changes: dict[str, Any], match: str) -> None:
    edit(changes)
    refused(match, folder)


def test_sizes_take_no_memory(folder: Path, edit: Edit) -> None:
    """Networks of a terabyte are compared with the file, and refused, in less than 50 MB."""
    edit({"arguments.net_arch.pi": [2**16] * 16, "arguments.net_arch.vf": [2**16] * 16})
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    refused("does not fit these networks", folder)
    unit = 1024 if sys.platform == "linux" else 1
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * unit < 50e6


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 2.0, "0", None])
def test_odd_numbers(tianshou_dqn: Any, tmp_path: Path, agent: JEDI, value: Any) -> None:
    folder = save_policy(tianshou_dqn, tmp_path / "policy", "catch", {"stack": 4})
    values = json.loads((folder / "policy.json").read_text())
    values["arguments"]["eps_inference"] = value
    (folder / "policy.json").write_text(json.dumps(values))
    sign(folder)
    refused("its arguments' .*eps_inference", folder)


# -- a stranger's weights ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (lambda t: t.pop(ACTION), f"{ACTION} is missing in it"),
        (lambda t: t.update(stowaway=torch.zeros(1)), "they have no 'stowaway'"),
        (lambda t: t.update({ACTION: torch.zeros(4)}), rf"{ACTION} is float32 of \[4\].*float32 of \[3\]"),
        (lambda t: t.update({ACTION: torch.zeros(3, dtype=torch.int64)}), f"{ACTION} is int64"),
        (lambda t: t[ACTION].fill_(torch.nan), f"{ACTION} has values that are NaN or infinite"),
        (lambda t: t[ACTION].fill_(-torch.inf), f"{ACTION} has values that are NaN or infinite"),
    ],
)
def test_weights_that_do_not_fit(
    folder: Path, retouch: Callable[[Any], None], change: Callable[[Any], object], match: str
) -> None:
    retouch(change)
    refused(rf"policy\.safetensors.*{match}", folder)


# -- a stranger's folder ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["policy.json", "policy.safetensors", "agent/manifest.json", "agent/config.json"])
@pytest.mark.parametrize("what", ["flipped", "gone"])
def test_damage(sb3_dqn: DQN, agent: JEDI, tmp_path: Path, name: str, what: str) -> None:
    folder = save_policy(sb3_dqn, tmp_path / "policy", agent, {"stack": 4})
    data = bytearray((folder / name).read_bytes())
    data[-2] ^= 1
    (folder / name).write_bytes(data)
    if what == "gone":
        (folder / name).unlink()
    refused("is damaged|is missing|neither a checkpoint nor", folder)


def test_what_is_not_in_the_manifest(folder: Path, agent: JEDI) -> None:
    agent.save_pretrained(folder / "agent")
    refused(r"agent/manifest\.json is not in manifest\.json", folder)


def test_names_that_lead_elsewhere(folder: Path) -> None:
    manifest = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps({**manifest, "../other.json": "0" * 64}))
    refused(r"lists '\.\./other\.json'; of a checkpoint are only policy\.json", folder)


@pytest.mark.parametrize("name", ["policy.safetensors", "agent", "agent/model.safetensors"])
def test_links_that_lead_elsewhere(sb3_ppo: PPO, agent: JEDI, tmp_path: Path, name: str) -> None:
    folder = save_policy(sb3_ppo, tmp_path / "policy", agent, {"stack": 4})
    (folder / name).rename(tmp_path / "outside")
    (folder / name).symlink_to(tmp_path / "outside")
    refused("is a link", folder)


def test_a_half_written_folder_is_none(sb3_ppo: PPO, agent: JEDI, tmp_path: Path, monkeypatch: Any) -> None:
    """What stood there stands there, when the agent's part cannot be written."""
    save_policy(sb3_ppo, tmp_path / "policy", "catch", {"stack": 4})

    def fail(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(JEDI, "save_pretrained", fail)
    with pytest.raises(CheckpointError, match="No space left on device"):
        save_policy(sb3_ppo, tmp_path / "policy", agent, {"stack": 4})
    assert [path.name for path in tmp_path.iterdir()] == ["policy"]
    assert load_policy(tmp_path / "policy", device="cpu").spec.agent is not None
