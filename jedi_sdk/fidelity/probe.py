"""A linear probe: ridge regression in closed form, its strength chosen on a validation set."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

STRENGTHS = torch.logspace(-6, 3, 19, dtype=torch.float64)  # of the penalty, in units of a feature's mean variance


@dataclass(frozen=True)
class Probe:
    """``y ≈ y_mean + (x - x_mean) weight``, in float64."""

    x_mean: Float[Tensor, "d"]
    y_mean: Float[Tensor, "p"]
    weight: Float[Tensor, "d p"]

    def __call__(self, x: Float[Tensor, "n d"]) -> Float[Tensor, "n p"]:
        return self.y_mean + (x.double() - self.x_mean) @ self.weight


def fit_probe(
    x: Float[Tensor, "n d"], y: Float[Tensor, "n p"], x_val: Float[Tensor, "m d"], y_val: Float[Tensor, "m p"]
) -> Probe:
    """Fits on ``x, y``; each column of ``y`` gets the greatest strength that serves it as well on the validation set as
    the best does, within a standard error (Hastie et al., The Elements of Statistical Learning, 7.10); rows are taken
    for independent, which moments of one stretch of play are not quite.

    Where many serve about as well, the best of them is chance. A weak one builds on small differences between features
    that go together wherever it was fitted; a dream in which they go together a little less is then misread.

    Features are centred but not scaled one by one: an element that hardly moves in real latents would be
    blown up, and any error of a dream in it as well.
    """
    x, y = x.double(), y.double()
    x_mean, y_mean = x.mean(0), y.mean(0)
    eigenvalues, basis = torch.linalg.eigh((x - x_mean).T @ (x - x_mean))
    shared = basis.T @ ((x - x_mean).T @ (y - y_mean))
    penalties = (STRENGTHS * eigenvalues.mean()).clamp(min=1e-12)[:, None, None]
    weights = basis @ (shared / (eigenvalues.clamp(min=0)[:, None] + penalties))
    errors = (y_mean + (x_val.double() - x_mean) @ weights - y_val.double()).square()
    error, spread = errors.mean(1), errors.std(1, correction=0)
    best, column = error.argmin(0), torch.arange(y.shape[1])
    bound = error[best, column] + spread[best, column] / len(errors[0]) ** 0.5
    strongest = (torch.arange(len(STRENGTHS))[:, None] * (error <= bound)).amax(0)
    return Probe(x_mean, y_mean, weights[strongest, :, column].T)


def r_squared(y: Float[Tensor, "n p"], y_hat: Float[Tensor, "n p"]) -> float:
    """The share of the variance of ``y`` that ``y_hat`` explains, columns pooled; NaN where ``y`` never
    varies.
    """
    spread = (y - y.mean(0)).square().sum()
    return float(1 - (y - y_hat).square().sum() / spread) if spread > 0 else float("nan")
