"""Actor and critic on latents: one trunk, one memory, two heads; λ-returns with the value as baseline.

The first gradient step on a rollout is REINFORCE's, those that may follow are PPO's (arXiv 1707.06347, equation 7).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int64
from torch import Tensor, nn

from jedi_sdk.config import ActorCriticConfig
from jedi_sdk.layers import Linear
from jedi_sdk.nn import ConvBlock, MaskedLSTM, conv3x3, group_norm
from jedi_sdk.returns import lambda_returns
from jedi_sdk.rng import Rng
from jedi_sdk.types import Losses, LSTMState, Rollout, Targets
from jedi_sdk.world_model import FRAME_SIZE


class ActorCritic(nn.Module):
    def __init__(self, latent_shape: tuple[int, int, int], num_actions: int, config: ActorCriticConfig) -> None:
        super().__init__()
        self.config, self.num_actions = config, num_actions
        trunk = _frame_trunk if latent_shape[1] == FRAME_SIZE else _latent_trunk
        self.trunk, pools = trunk(latent_shape[0], config.channels)
        _, h, w = latent_shape
        self.lstm = MaskedLSTM(config.channels * (h >> pools) * (w >> pools), config.lstm)
        self.actor = Linear(config.lstm, num_actions)
        self.critic = Linear(config.lstm, 1)
        for head in (self.actor, self.critic):  # a fresh policy is uniform, a fresh value zero
            nn.init.zeros_(head.weight)
            nn.init.zeros_(head.bias)

    def forward(
        self,
        z: Float[Tensor, "b t c h w"],
        state: LSTMState | None = None,
        mask: Bool[Tensor, "b s"] | None = None,
    ) -> tuple[Float[Tensor, "b t a"], Float[Tensor, "b t"], LSTMState]:
        """Action logits and values of ``t`` consecutive latents, and the memory behind them."""
        b, t = z.shape[:2]
        x = self.trunk(z.flatten(0, 1)).reshape(b, t, -1)
        y, memory = self.lstm(x, state, mask)
        return self.actor(y).float(), self.critic(y).float().squeeze(-1), memory

    @torch.no_grad()
    def burn_in(self, z: Float[Tensor, "b k c h w"], mask: Bool[Tensor, "b k"]) -> LSTMState:
        """The memory of one who has seen all but the last latent of a context."""
        if z.shape[1] == 1:
            return self.lstm.empty(len(z))
        return self(z[:, :-1], mask=mask[:, :-1])[2]

    def loss(self, rollout: Rollout, targets: Targets | None = None) -> Losses:
        """PPO's clipped objective (arXiv 1707.06347, equation 7), value, entropy; no gradient reaches the latents.

        Without ``targets`` this is the first look at ``rollout``, by the policy that dreamed it: the gradient is
        REINFORCE's, and later looks are told the ``targets`` of this one.
        """
        c = self.config
        logits, val, _ = self(rollout.z, rollout.lstm)
        log_p = F.log_softmax(logits[:, :-1], dim=-1)
        log_p_act = log_p.gather(-1, rollout.act[..., None]).squeeze(-1)
        targets = targets or self._targets(rollout, log_p_act.detach(), val.detach())
        val = val[:, :-1]
        mask = rollout.mask.float()

        def mean(x: Tensor) -> Tensor:
            return (x * mask).sum() / mask.sum()

        ratio = (log_p_act - targets.log_p).exp()
        clipped = ratio.clamp(1 - c.clip_range, 1 + c.clip_range)
        policy = -mean(torch.minimum(ratio * targets.advantage, clipped * targets.advantage))
        value = mean((val - targets.returns).square())
        entropy = -mean((log_p.exp() * log_p).sum(-1))
        terms = {
            "policy/loss": policy,
            "policy/value_loss": value,
            "policy/entropy": entropy,
            "policy/clipped": mean((ratio != clipped).float()),
            "policy/value": mean(val),
            "imagined/reward": mean(rollout.rew),
            "imagined/return": (rollout.rew * mask).sum(1).mean(),
            "imagined/ends": (rollout.end & rollout.mask).any(1).float().mean(),
        }
        total = policy + value - c.entropy * entropy
        return Losses(total, {name: term.detach() for name, term in terms.items()}, targets)

    def _targets(self, rollout: Rollout, log_p: Float[Tensor, "b t"], val: Float[Tensor, "b frames"]) -> Targets:
        c, trunc = self.config, torch.zeros_like(rollout.end)
        returns = lambda_returns(rollout.rew, rollout.end, trunc, val[:, 1:], c.gamma, c.lambda_)
        advantage = returns - val[:, :-1]
        return Targets(returns, _normal(advantage, rollout.mask) if c.normalize_advantage else advantage, log_p)


def _normal(x: Float[Tensor, "b t"], mask: Bool[Tensor, "b t"]) -> Float[Tensor, "b t"]:
    """``x`` with mean 0 and standard deviation 1 where ``mask`` is true."""
    weight = mask.float() / mask.sum()
    mean = (x * weight).sum()
    return (x - mean) / (((x - mean).square() * weight).sum().sqrt() + 1e-8)


def _latent_trunk(c: int, width: int) -> tuple[nn.Sequential, int]:
    """Convolutions, and how many times they halve the side."""
    blocks = [conv3x3(c, width), ConvBlock(width, width), nn.MaxPool2d(2), ConvBlock(width, width)]
    return nn.Sequential(*blocks, group_norm(width), nn.SiLU()), 1


def _frame_trunk(c: int, width: int) -> tuple[nn.Sequential, int]:
    """DIAMOND's: four blocks, each with a pool behind it, the first two half as wide."""
    half = max(1, width // 2)
    stages = [(half, half), (half, half), (half, width), (width, width)]
    blocks = [conv3x3(c, half), *(nn.Sequential(ConvBlock(*stage), nn.MaxPool2d(2)) for stage in stages)]
    return nn.Sequential(*blocks, group_norm(width), nn.SiLU()), len(stages)


@dataclass(frozen=True)
class Actor:
    """A ``Policy``: sees through ``encode`` (the identity in a dream), remembers, and acts.

    ``deterministic`` takes the likeliest action, otherwise actions are sampled; a share ``epsilon`` is random.
    """

    actor_critic: ActorCritic
    rng: Rng
    encode: Callable[[Tensor], Tensor] = lambda z: z
    deterministic: bool = False
    epsilon: float = 0.0

    @torch.no_grad()
    def __call__(self, x: Tensor, state: LSTMState | None, first: Bool[Tensor, "b"]) -> tuple[Tensor, Any]:
        if state is not None:
            keep = ~first[:, None]
            state = (state[0] * keep, state[1] * keep)
        logits, _, state = self.actor_critic(self.encode(x)[:, None], state)
        return self._choose(logits[:, 0]), state

    def _choose(self, logits: Float[Tensor, "b a"]) -> Int64[Tensor, "b"]:
        act = logits.argmax(-1) if self.deterministic else self.rng.categorical(logits)
        if self.epsilon == 0:
            return act
        explore = self.rng.bernoulli(self.epsilon, len(act))
        return torch.where(explore, self.rng.integers(self.actor_critic.num_actions, len(act)), act)
