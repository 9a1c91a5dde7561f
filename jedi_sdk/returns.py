"""λ-returns (Sutton & Barto, section 12.1), the target of the value and the measure of an action."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor


def lambda_returns(
    rew: Float[Tensor, "b t"],
    end: Bool[Tensor, "b t"],
    trunc: Bool[Tensor, "b t"],
    val_next: Float[Tensor, "b t"],
    gamma: float,
    lambda_: float,
) -> Float[Tensor, "b t"]:
    """``R[t] = rew[t] + γ·(1-end[t])·((1-λ)·val_next[t] + λ·R[t+1])``; the last step bootstraps.

    ``val_next[t]`` is the value of the state that action ``t`` led to. A truncated step bootstraps from it alone,
    so nothing flows back over a cut; an ended step keeps only its reward. λ = 0 is one-step TD, λ = 1 Monte Carlo.
    """
    returns = torch.empty_like(rew)
    following = val_next[:, -1]
    for t in reversed(range(rew.shape[1])):
        following = torch.where(trunc[:, t], val_next[:, t], following)
        future = (1 - lambda_) * val_next[:, t] + lambda_ * following
        returns[:, t] = following = rew[:, t] + gamma * future * ~end[:, t]
    return returns
