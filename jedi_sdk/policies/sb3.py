"""Policies of Stable-Baselines3 in words and numbers, and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import torch
from gymnasium.spaces import Box, Discrete
from gymnasium.vector import VectorEnv
from torch import nn

from jedi_sdk.checkpoint import CheckpointError, checked
from jedi_sdk.dream.sb3 import DreamVecEnv, LatentFeatures
from jedi_sdk.policies.spec import Spec, Widths

try:
    from stable_baselines3 import A2C, DQN, PPO
    from stable_baselines3.common.policies import ActorCriticCnnPolicy, ActorCriticPolicy, BasePolicy
    from stable_baselines3.common.torch_layers import FlattenExtractor
    from stable_baselines3.dqn.policies import CnnPolicy, DQNPolicy
except ImportError as error:  # jedi_sdk.dream.sb3 has told what to install, unless the library has changed
    raise ImportError(f"this jedi-sdk does not know the Stable-Baselines3 that is installed ({error})") from error

RESETS = "SameStep"
META = torch.device("meta")
ALGORITHMS = {"PPO": PPO, "A2C": A2C, "DQN": DQN}
POLICIES: dict[str, type[BasePolicy]] = {"PPO": ActorCriticPolicy, "A2C": ActorCriticPolicy, "DQN": DQNPolicy}
HEADS = {"PPO": ("pi", "vf"), "A2C": ("pi", "vf"), "DQN": ("q",)}
EXTRACTORS = {"latent": LatentFeatures, "features": FlattenExtractor}
ACTIVATIONS = {kind.__name__: kind for kind in (nn.Tanh, nn.ReLU, nn.ELU, nn.SiLU, nn.GELU, nn.LeakyReLU)}
SAID = {"features_extractor_class", "features_extractor_kwargs", "normalize_images", "net_arch", "activation_fn"}
FOR_TRAINING = {"ortho_init", "optimizer_class", "optimizer_kwargs"}  # what acts is the same without them


@dataclass(frozen=True)
class Arguments:
    """``net_arch`` has the widths of layers behind the features: of ``pi`` and ``vf``, or of ``q``."""

    net_arch: dict[str, Widths]
    activation: Literal["Tanh", "ReLU", "ELU", "SiLU", "GELU", "LeakyReLU"]


def policy_of(model: Any) -> nn.Module:
    return model.policy


def describe(model: Any, obs: str) -> dict[str, Any]:
    _refuse_other_kinds(model, obs)
    policy, kind = model.policy, type(model).__name__
    activation = policy.activation_fn.__name__
    if ACTIVATIONS.get(activation) is not policy.activation_fn:
        raise CheckpointError(f"activation_fn={activation} cannot be saved: take one of {', '.join(ACTIVATIONS)}")
    arch = policy.net_arch
    widths = {head: list(arch.get(head, ()) if isinstance(arch, Mapping) else arch) for head in HEADS[kind]}
    return {"kind": kind, "trunk": _trunk(policy), "arguments": {"net_arch": widths, "activation": activation}}


def build(spec: Spec, space: Box, num_actions: int) -> BasePolicy:
    said: Arguments = checked(Arguments, spec.arguments, "its arguments'")
    heads = HEADS.get(spec.kind)
    if heads is None or set(said.net_arch) != set(heads) or (spec.trunk is None) != (spec.view.obs == "features"):
        known = ", ".join(f"{kind} with {' and '.join(heads)}" for kind, heads in HEADS.items())
        raise CheckpointError(
            f"it asks for {spec.kind!r} with layers of {', '.join(said.net_arch)!r:.80} and {spec.trunk} for "
            f"obs={spec.view.obs!r}; known are {known}"
        )
    trunk = {"features_dim": spec.trunk.features, "channels": spec.trunk.channels} if spec.trunk else {}
    layers = {head: list(widths) for head, widths in said.net_arch.items()}
    policy: Any = POLICIES[spec.kind]
    if torch.get_default_device() == META:  # DQN's would bring its networks to the CPU
        policy = type(policy.__name__, (policy,), {"device": META})
    return policy(
        space,
        Discrete(num_actions),
        lr_schedule=lambda _: 0.0,  # an algorithm sets its own
        net_arch=layers["q"] if spec.kind == "DQN" else layers,
        activation_fn=ACTIVATIONS[said.activation],
        features_extractor_class=EXTRACTORS[spec.view.obs],
        features_extractor_kwargs=trunk,
        **({} if spec.kind == "DQN" else {"ortho_init": False}),
    )


def adapted(envs: VectorEnv) -> DreamVecEnv:
    return DreamVecEnv(envs)


def _trunk(policy: Any) -> dict[str, int] | None:
    extractor = policy.q_net.features_extractor if isinstance(policy, DQNPolicy) else policy.features_extractor
    if isinstance(extractor, LatentFeatures):
        return {"features": extractor.layers.features, "channels": extractor.layers.channels}
    return None


def _refuse_other_kinds(model: Any, obs: str) -> None:
    kind = type(model)
    if ALGORITHMS.get(kind.__name__) is not kind:
        raise CheckpointError(f"{kind.__name__} cannot be saved as a policy: train with one of {', '.join(ALGORITHMS)}")
    if type(model.policy) not in (ActorCriticPolicy, ActorCriticCnnPolicy, DQNPolicy, CnnPolicy):
        raise CheckpointError(
            f"{type(model.policy).__name__} is a policy of your own, which others do not have: train with 'CnnPolicy' "
            "and latent_policy(), or with 'MlpPolicy' and obs='features'"
        )
    if other := sorted(model.policy_kwargs.keys() - SAID - FOR_TRAINING):
        raise CheckpointError(f"policy_kwargs has {other[0]}, which policy.json cannot say: train without it")
    normalised = model.get_vec_normalize_env()
    if normalised is not None and normalised.norm_obs:
        raise CheckpointError(
            "VecNormalize changed what this policy was shown, and policy.json cannot say how: train without it, or "
            "with norm_obs=False"
        )
    extractor = model.policy.features_extractor_class
    if extractor is not EXTRACTORS[obs]:
        raise CheckpointError(
            f"{extractor.__name__} does not read obs={obs!r} there: policies that travel read it by "
            f"{EXTRACTORS[obs].__name__}, so train with latent_policy() for 'latent', 'MlpPolicy' for 'features'"
        )
