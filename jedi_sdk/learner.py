"""The three updates: denoiser, heads, actor-critic. Each samples a batch, descends a loss, says what it saw."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Iterable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.autograd.graph import increment_version

from jedi_sdk.actor_critic import Actor, ActorCritic
from jedi_sdk.averaging import follow, warmed_up
from jedi_sdk.config import Config, ConfigError
from jedi_sdk.dream import imagine
from jedi_sdk.precision import Precision
from jedi_sdk.replay import Replay
from jedi_sdk.rng import Rng
from jedi_sdk.types import Losses, Rollout, Segment
from jedi_sdk.world_model import WorldModel

ONE_STEP = "write actor_critic.gradient_steps=1, or see Losses.targets"
PARTS = ("denoiser", "heads", "actor_critic")
DREAMING = ("denoiser", "heads")  # averaged with ``optim.weights_ema``; the policy with ``optim.policy_ema``
TRAINED = {
    "denoiser": ["denoiser", "encoder", "decoder"],
    "heads": ["heads", "encoder"],
    "actor_critic": ["actor_critic"],
}


class Learner:
    """Networks with their optimisers. The encoder has one optimiser, fed by the denoiser's and the heads' updates.

    With ``optim.weights_ema`` the ``world_model``, which dreams and is saved, has averages of the weights that the
    optimisers move; those are the learner's own, and ``taught`` is the world model that has one of them in place. With
    ``optim.policy_ema`` the ``actor_critic``, which plays and is saved, has averages, and ``taught_policy`` dreams.
    """

    def __init__(
        self, config: Config, world_model: WorldModel, actor_critic: ActorCritic, precision: Precision
    ) -> None:
        if config.actor_critic.gradient_steps > 1:
            _refuse_forgetful(actor_critic)
        self.config, self.precision = config, precision
        self.world_model, self.actor_critic = world_model, actor_critic
        self.rng = Rng(config.seed, precision.device)
        self.sampling = np.random.default_rng(config.seed)
        o = config.optim
        self.decay = {**dict.fromkeys(DREAMING, o.weights_ema), "actor_critic": o.policy_ema}
        saved = {name: getattr(world_model, name) for name in DREAMING} | {"actor_critic": actor_critic}
        self.averages = {name: module for name, module in saved.items() if self.decay[name]}
        moved = {name: copy.deepcopy(average) for name, average in self.averages.items()}
        self.taught = {
            name: world_model.beside(**{name: moved[name]}) if name in moved else world_model for name in DREAMING
        }
        self.taught_policy: ActorCritic = moved.get("actor_critic", actor_critic)
        self.actor = Actor(self.taught_policy, self.rng)
        self.modules: dict[str, nn.Module] = {
            "encoder": world_model.encoder,
            "denoiser": world_model.denoiser,
            "heads": world_model.heads,
            "actor_critic": actor_critic,
            **moved,
        }
        if world_model.decoder is not None:
            self.modules["decoder"] = world_model.decoder
        self.lr = {
            "encoder": o.lr * config.objective.encoder_lr_scale,
            "denoiser": o.lr,
            "heads": o.lr,
            "decoder": o.lr,
            "actor_critic": o.actor_critic_lr,
        }
        self.clip = {"denoiser": o.clip_denoiser, "heads": o.clip_heads, "actor_critic": o.clip_actor_critic}
        self.optimizers = {
            name: _adamw(module, 0.0 if name == "actor_critic" else o.weight_decay)
            for name, module in self.modules.items()
            if any(True for _ in module.parameters())  # an identity encoder has none
        }

    def update(self, part: str, updates_so_far: int, replay: Replay) -> dict[str, Tensor]:
        """One update of ``part``; what to log, as scalar tensors still on their device."""
        if part == "actor_critic":
            return self.improve(self.dream(self._sample(replay, self.config.context)), updates_so_far)
        terms = self.descend(part, getattr(self, f"_{part}_loss")(replay), updates_so_far)
        self._average(part, updates_so_far)
        return terms

    def improve(self, rollout: Rollout, updates_so_far: int) -> dict[str, Tensor]:
        """One update of the policy: ``actor_critic.gradient_steps`` on one rollout; the terms of the last.

        Raises ``ConfigError`` where there are several and the loss of an own actor-critic returns no targets.
        """
        losses = self._policy_loss(rollout)
        terms = self.descend("actor_critic", losses, updates_so_far)
        for _ in range(self.config.actor_critic.gradient_steps - 1):
            if losses.targets is None:
                raise ConfigError(
                    f"{type(self.actor_critic).__name__}.loss returns no targets for a second gradient step: {ONE_STEP}"
                )
            terms = self.descend("actor_critic", self._policy_loss(rollout, targets=losses.targets), updates_so_far)
        self._average("actor_critic", updates_so_far)
        return terms

    def descend(self, part: str, losses: Losses, updates_so_far: int) -> dict[str, Tensor]:
        """One step of the optimisers of ``part`` down ``losses``; its terms, and the gradients' norms."""
        trained = [name for name in TRAINED[part] if name in self.optimizers]
        for name in trained:
            self.optimizers[name].zero_grad(set_to_none=True)
        losses.total.backward()
        norms = {"grad_norm/encoder": _grad_norm(self.world_model.encoder)} if "encoder" in trained else {}
        norms[f"grad_norm/{part}"] = self._step(trained, self.clip[part], updates_so_far)
        return {**losses.terms, **norms}

    def _denoiser_loss(self, replay: Replay) -> Losses:
        segment = self._sample(replay, self.config.context + self.config.objective.predicted_steps)
        with self.precision.autocast():
            return self.taught["denoiser"].denoise_loss(segment, self.rng)

    def _heads_loss(self, replay: Replay) -> Losses:
        segment = self._sample(replay, self.config.context + self.config.actor_critic.horizon)
        with self.precision.autocast():
            return self.taught["heads"].heads_loss(segment, self.rng)

    def _policy_loss(self, rollout: Rollout, **targets: Any) -> Losses:
        with self.precision.autocast():
            return self.taught_policy.loss(rollout, **targets)

    def dream(self, segment: Segment) -> Rollout:
        """The current policy's dreams from the contexts of ``segment``.

        Under an autocast of its own: weights cast without gradient must not be reused by the loss.
        """
        with self.precision.autocast():
            state = self.world_model.start(segment)
            memory = self.taught_policy.burn_in(state.z, segment.mask)
            c = self.config.actor_critic
            return imagine(self.world_model, self.actor, state, c.horizon, self.rng, memory, reward=c.reward)

    def _sample(self, replay: Replay, length: int) -> Segment:
        return replay.sample(self.config.optim.batch_size, length, self.sampling).to(self.precision.device)

    def _step(self, trained: list[str], max_norm: float, updates_so_far: int) -> Tensor:
        """Clips the joint gradient of ``trained`` and moves them; its norm before clipping."""
        parameters = _parameters(self.modules[name] for name in trained)
        norm = nn.utils.clip_grad_norm_(parameters, max_norm)
        warmth = min(1.0, (updates_so_far + 1) / max(self.config.optim.warmup, 1))
        for name in trained:
            for group in self.optimizers[name].param_groups:
                group["lr"] = self.lr[name] * warmth * (self._slowing(updates_so_far) if name == "encoder" else 1.0)
            self.optimizers[name].step()
        increment_version(parameters)  # a fused step writes to them without saying so
        if "encoder" in trained:
            self.world_model.update_target()
        return norm

    def _average(self, part: str, updates_so_far: int) -> None:
        """Once an update, however many gradient steps it took."""
        if part in self.averages:
            follow(self.averages[part], self.modules[part], warmed_up(self.decay[part], updates_so_far))

    def _slowing(self, updates_so_far: int) -> float:
        """How much slower than at first the encoder learns: without end, so that a run can always be extended."""
        halving = self.config.objective.encoder_lr_halving
        return 1 / (1 + updates_so_far / halving) if halving else 1.0

    def state_dict(self) -> dict[str, Any]:
        """Optimisers, generators, weights behind an average: tensors and plain values, so ``weights_only`` loads it."""
        return {
            "moved": {name: self.modules[name].state_dict() for name in self.averages},
            "optimizers": {name: optimizer.state_dict() for name, optimizer in self.optimizers.items()},
            "rng": self.rng.state(),
            "sampling": self.sampling.bit_generator.state,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        for name in self.averages:
            self.modules[name].load_state_dict(state["moved"][name])
        for name, optimizer in self.optimizers.items():
            optimizer.load_state_dict(state["optimizers"][name])
        self.rng.restore(state["rng"])
        self.sampling.bit_generator.state = state["sampling"]


def _refuse_forgetful(actor_critic: ActorCritic) -> None:
    """One of your own whose ``loss`` takes no ``targets`` cannot learn from the same dreams again: ``ConfigError``."""
    taken = inspect.signature(actor_critic.loss).parameters.values()
    if not any(p.name == "targets" or p.kind is p.VAR_KEYWORD for p in taken):
        raise ConfigError(f"{type(actor_critic).__name__}.loss takes no targets of a first gradient step: {ONE_STEP}")


def _parameters(modules: Iterable[nn.Module]) -> list[nn.Parameter]:
    return [parameter for module in modules for parameter in module.parameters()]


def _grad_norm(module: nn.Module) -> Tensor:
    return nn.utils.get_total_norm([p.grad for p in module.parameters() if p.grad is not None])


def _adamw(module: nn.Module, weight_decay: float) -> torch.optim.Optimizer:
    """Weight decay for matrices and kernels; none for biases, norms and embeddings."""
    embeddings = {id(m.weight) for m in module.modules() if isinstance(m, nn.Embedding)}
    decayed, free = [], []
    for parameter in module.parameters():
        (decayed if parameter.ndim >= 2 and id(parameter) not in embeddings else free).append(parameter)
    groups = [{"params": decayed, "weight_decay": weight_decay}, {"params": free, "weight_decay": 0.0}]
    return torch.optim.AdamW([group for group in groups if group["params"]], lr=0.0, fused=True)
