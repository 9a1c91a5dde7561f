"""Policies of Tianshou in words and numbers, and back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal

from gymnasium.spaces import Box, Discrete
from gymnasium.vector import VectorEnv
from msgspec import Meta
from torch import nn
from torch.distributions import Categorical

from jedi_sdk.checkpoint import CheckpointError, checked
from jedi_sdk.dream.tianshou import DreamVectorEnv, LatentNet
from jedi_sdk.policies.spec import Spec, Widths

try:
    from tianshou.algorithm.algorithm_base import Algorithm
    from tianshou.algorithm.modelfree.dqn import DiscreteQLearningPolicy
    from tianshou.algorithm.modelfree.reinforce import DiscreteActorPolicy, ProbabilisticActorPolicy
    from tianshou.highlevel.params.dist_fn import DistributionFunctionFactoryCategorical as HighLevel
    from tianshou.utils.net.discrete import DiscreteActor, dist_fn_categorical_from_logits
except ImportError as error:  # jedi_sdk.dream.tianshou has told what to install, unless the library has changed
    raise ImportError(f"this jedi-sdk does not know the Tianshou that is installed ({error})") from error

RESETS = "Disabled"
ACTOR, Q = "DiscreteActorPolicy", "DiscreteQLearningPolicy"
KINDS = {DiscreteActorPolicy: ACTOR, ProbabilisticActorPolicy: ACTOR, DiscreteQLearningPolicy: Q}
MEANINGS = {  # what the network's numbers are, by the function that draws from them
    dist_fn_categorical_from_logits: "logits",
    HighLevel._dist_fn: "logits",
    HighLevel._dist_fn_probs: "probs",
    Categorical: "probs",
}
DRAWN: dict[str, Any] = {"logits": dist_fn_categorical_from_logits, "probs": Categorical}


@dataclass(frozen=True)
class Network:
    """The arguments of ``DiscreteActor``."""

    hidden_sizes: Widths
    softmax_output: bool


@dataclass(frozen=True)
class Actor:
    """The arguments of ``DiscreteActorPolicy``."""

    network: Network
    numbers: Literal["logits", "probs"]
    deterministic_eval: bool


@dataclass(frozen=True)
class Valuer:
    """The arguments of ``DiscreteQLearningPolicy``."""

    network: Network
    eps_inference: Annotated[float, Meta(ge=0, le=1)]


def policy_of(model: Any) -> nn.Module:
    return model.policy if isinstance(model, Algorithm) else model


def describe(model: Any, obs: str) -> dict[str, Any]:
    policy: Any = policy_of(model)
    kind = KINDS.get(type(policy))
    if kind is None:
        known = ", ".join(known.__name__ for known in KINDS)
        raise CheckpointError(f"{type(policy).__name__} cannot be saved: train with one of {known}")
    net = policy.model if kind == Q else policy.actor
    _refuse_other_networks(net, obs)
    widths = [layer.out_features for layer in net.last.model if isinstance(layer, nn.Linear)][:-1]
    said: dict[str, Any] = {"network": {"hidden_sizes": widths, "softmax_output": net.softmax_output}}
    if kind == Q:
        said["eps_inference"] = float(policy.eps_inference)
    else:
        said |= {"numbers": _meaning(policy.dist_fn), "deterministic_eval": policy.deterministic_eval}
    trunk = {"features": net.preprocess.trunk.features, "channels": net.preprocess.trunk.channels}
    return {"kind": kind, "trunk": trunk, "arguments": said}


def build(spec: Spec, space: Box, num_actions: int) -> nn.Module:
    if spec.kind not in (ACTOR, Q) or spec.trunk is None:
        raise CheckpointError(f"it asks for {spec.kind!r} with {spec.trunk}; known are {ACTOR} and {Q}, with a trunk")
    said: Actor | Valuer = checked(Valuer if spec.kind == Q else Actor, spec.arguments, "its arguments'")
    net = DiscreteActor(
        preprocess_net=LatentNet(space.shape, spec.trunk.features, spec.trunk.channels),
        action_shape=num_actions,
        hidden_sizes=said.network.hidden_sizes,
        softmax_output=said.network.softmax_output,
    )
    actions = Discrete(num_actions)
    if isinstance(said, Valuer):
        return DiscreteQLearningPolicy(model=net, action_space=actions, eps_inference=said.eps_inference)
    drawn, deterministic = DRAWN[said.numbers], said.deterministic_eval
    return DiscreteActorPolicy(actor=net, dist_fn=drawn, action_space=actions, deterministic_eval=deterministic)


def adapted(envs: VectorEnv) -> DreamVectorEnv:
    return DreamVectorEnv(envs)


def _meaning(dist_fn: Any) -> str:
    meaning = MEANINGS.get(dist_fn)
    if meaning is None:
        name = getattr(dist_fn, "__name__", repr(dist_fn))
        raise CheckpointError(f"dist_fn={name} is of your own: take Tianshou's dist_fn_categorical_from_logits")
    return meaning


def _refuse_other_networks(net: Any, obs: str) -> None:
    if type(net) is not DiscreteActor:
        raise CheckpointError(f"{type(net).__name__} cannot be saved: take Tianshou's DiscreteActor on a LatentNet")
    if type(net.preprocess) is not LatentNet or obs != "latent":
        raise CheckpointError(
            f"{type(net.preprocess).__name__} on obs={obs!r} cannot be saved: of Tianshou's, policies on a LatentNet "
            "travel, which reads obs='latent'"
        )
