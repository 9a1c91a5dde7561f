"""Do things move in the dream as they really do? A linear probe of displacement, in pixels.

The probe reads how far the ball (and the paddle) moved from frame ``t`` to ``t+k`` off the two latents. It
is fitted on encoded frames of some stretches of play; on others the second latent is the encoded one (the
ceiling), the dreamed one (open loop, recorded actions) or the first again (the floor). The ball is in play
all the while.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, Int64
from torch import Tensor

from jedi_sdk.fidelity.held_out import BATCH
from jedi_sdk.fidelity.open_loop import dream_along, encode_frames
from jedi_sdk.fidelity.positions import Located
from jedi_sdk.fidelity.probe import fit_probe, r_squared
from jedi_sdk.fidelity.progress import Progress, part
from jedi_sdk.fidelity.subject import Subject

STEPS = (1, 3, 10)
STRETCH = 50  # rows; five in turn are fitted on (three), validate (one) and test (one)
ENOUGH = 50  # pairs to fit, to validate and to test with; below, there is no figure
FINEST = 16  # positions a side that the probe reads; the 64 of a frame are averaged, lest it has more than pairs


@dataclass(frozen=True)
class Displacement:
    """R² of ``thing``'s displacement over ``steps`` steps, on ``pairs`` held-out pairs; NaN where these are
    too few.
    """

    thing: str
    steps: int
    pairs: int
    encoded: float
    dreamed: float
    repeated: float


def measure_displacement(subject: Subject, located: Located, progress: Progress) -> tuple[Displacement, ...]:
    """An entry for each thing and number of steps."""
    rows, envs = moments(located)
    share = torch.from_numpy(rows // STRETCH % 5)
    test = (share == 4).numpy()
    with subject.precision.autocast():
        z = _encode(located, subject, part(progress, 0.0, 0.3))
        z_hat = _dream(located, rows[test], envs[test], subject, part(progress, 0.3, 0.8))
    found = []
    for thing, where in located.where.items():
        for k in STEPS:
            moved = torch.from_numpy(where[rows + k, envs] - where[rows, envs])
            figures = probe_displacement(z[rows, envs], z[rows + k, envs], moved, share, z_hat[:, k - 1])
            found.append(Displacement(thing, k, int(test.sum()), *figures))
            progress(0.8 + 0.2 * len(found) / (len(STEPS) * len(located.where)), "probing displacement")
    return tuple(found)


def moments(located: Located) -> tuple[np.ndarray, np.ndarray]:
    """The moments (rows, envs) from which the longest displacement stays in one stretch and in one episode,
    the ball in play all the way: the same moments for every ``k``, so that its figures compare.
    """
    last = max(0, located.replay.count - STEPS[-1])
    step = located.replay.columns["step"]
    ok = (np.arange(last) % STRETCH + STEPS[-1] < STRETCH)[:, None] & ~located.replay.columns["dead"][:last]
    for k in range(STEPS[-1] + 1):
        ok &= located.in_play[k : last + k] & (step[k : last + k] == step[:last] + k)
    rows, envs = np.nonzero(ok)
    return rows, envs


def probe_displacement(
    z: Float[Tensor, "n c h w"],
    z_later: Float[Tensor, "n c h w"],
    moved: Float[Tensor, "n p"],
    share: Int64[Tensor, "n"],
    z_hat: Float[Tensor, "test c h w"],
) -> tuple[float, float, float]:
    """R² on the last share with the encoded, the dreamed and the repeated latent in second place."""
    fitted, validation, test = share <= 2, share == 3, share == 4
    if min(int(rows.sum()) for rows in (fitted, validation, test)) < ENOUGH:
        return float("nan"), float("nan"), float("nan")
    x, y = features(z, z_later), moved.double()
    probe = fit_probe(x[fitted], y[fitted], x[validation], y[validation])
    seconds = (z_later[test], z_hat, z[test])
    encoded, dreamed, repeated = (r_squared(y[test], probe(features(z[test], second))) for second in seconds)
    return encoded, dreamed, repeated


def features(z: Float[Tensor, "n c h w"], z_later: Float[Tensor, "n c h w"]) -> Float[Tensor, "n d"]:
    """What the probe reads: the difference alone, so that repeating the last latent shows it no movement.

    Given both latents instead, it guesses the ball's velocity from where the ball is: on Breakout (4,600 pairs, a
    weakly trained ``small``) R² of the ball over 1 / 3 / 10 steps was 0.38 / 0.53 / 0.69 encoded but 0.28 / 0.18 /
    -0.01 with the last latent repeated, against 0.12 / 0.44 / 0.70 and -0.01 / -0.06 / -0.06 for the difference:
    more of what the difference reads is movement, at a fifth of the time.
    """
    change = z_later - z
    return (F.adaptive_avg_pool2d(change, FINEST) if change.shape[-1] > FINEST else change).flatten(1)


@torch.no_grad()
def _encode(located: Located, subject: Subject, progress: Progress) -> Float[Tensor, "rows envs c h w"]:
    """Latents of every frame, on the CPU."""
    count = located.replay.count
    obs = torch.from_numpy(located.replay.columns["obs"][:count])
    latents = []
    for i in range(0, count, BATCH):
        latents.append(subject.world_model.encode(obs[i : i + BATCH].to(subject.precision.device)).cpu())
        progress(i / count, "encoding")
    return torch.cat(latents)


def _dream(
    located: Located, rows: np.ndarray, envs: np.ndarray, subject: Subject, progress: Progress
) -> Float[Tensor, "n k c h w"]:
    """Latents dreamed from given moments with the recorded actions, on the CPU."""
    model, dreams = subject.world_model, [torch.empty(0, STEPS[-1], *subject.world_model.latent_shape)]
    for i in range(0, len(rows), BATCH):
        segment = located.replay.window(rows[i : i + BATCH], envs[i : i + BATCH], model.context + STEPS[-1])
        segment = segment.to(subject.precision.device)
        z = encode_frames(model, segment.obs[:, : model.context])
        dreams.append(dream_along(model, segment, z, subject.rng)[0].cpu())
        progress(i / len(rows), "dreaming along")
    return torch.cat(dreams)
