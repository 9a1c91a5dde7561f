"""One explicit source of randomness: a torch generator whose state a checkpoint can carry."""

from __future__ import annotations

import zlib

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor


class Rng:
    """Draws on its own device and from its own generator; nothing here touches torch's global state."""

    def __init__(self, seed: int, device: torch.device | str = "cpu") -> None:
        self.device = torch.device(device)
        self.generator = torch.Generator(self.device).manual_seed(seed)

    def state(self) -> Tensor:
        """Bytes on the CPU that ``restore`` goes on from."""
        return self.generator.get_state()

    def restore(self, state: Tensor) -> None:
        """Goes on from a saved ``state``. That of a generator on another kind of device says nothing here and becomes a
        seed: a run that moves draws otherwise than it would have, and the same each time it moves from there.
        """
        if state.shape == self.generator.get_state().shape:
            self.generator.set_state(state)
        else:
            self.generator.manual_seed(_as_seed(state))

    def apart(self) -> Rng:
        """Another one, seeded by where this one stands: what it draws is not missing here."""
        return Rng(_as_seed(self.state()), self.device)

    def normal(self, *shape: int) -> Tensor:
        return torch.randn(shape, generator=self.generator, device=self.device)

    def uniform(self, *shape: int) -> Tensor:
        return torch.rand(shape, generator=self.generator, device=self.device)

    def bernoulli(self, p: float, n: int) -> Bool[Tensor, "n"]:
        return self.uniform(n) < p

    def integers(self, high: int, n: int) -> Int64[Tensor, "n"]:
        return torch.randint(high, (n,), generator=self.generator, device=self.device)

    def categorical(self, logits: Float[Tensor, "n k"]) -> Int64[Tensor, "n"]:
        """By the Gumbel trick: one uniform a class, no normalisation, no synchronisation."""
        u = self.uniform(*logits.shape).clamp(1e-20, 1 - 1e-7)
        return (logits.float() - (-u.log()).log()).argmax(-1)


def _as_seed(state: Tensor) -> int:
    return zlib.crc32(state.numpy().tobytes())
