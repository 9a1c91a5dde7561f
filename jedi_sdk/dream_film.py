"""Dreams on film: what the agent imagines, alone or beside what really happened."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from jedi_sdk.actor_critic import Actor
from jedi_sdk.dream import imagine
from jedi_sdk.dream.view import Probe, paint
from jedi_sdk.envs.frames import enlarge
from jedi_sdk.fidelity.held_out import BATCH, HeldOut
from jedi_sdk.fidelity.open_loop import OpenLoop, dream_along, open_loop
from jedi_sdk.fidelity.subject import Subject
from jedi_sdk.types import Segment
from jedi_sdk.video import write_video

FRAMES_PER_SECOND = 8  # slower than the game: people compare
BAR, GAP = 28, 8  # pixels: for the caption below, and between two pictures
PAUSE = 6  # frames for which the last picture of a dream stays

Picture = np.ndarray  # (H, W, 3), uint8


def film_dreams(subject: Subject, asleep: Actor, probe: Probe, held_out: HeldOut, path: Path, dreams: int) -> None:
    """The policy's own dreams from the first ``dreams`` contexts, each until it ends or the horizon is reached."""
    segment = _first(held_out, subject, dreams)
    model, k = subject.world_model, subject.world_model.context
    with subject.precision.autocast():
        state = model.start(segment[:, :k])
        memory = asleep.actor_critic.burn_in(state.z, segment.mask[:, :k])
        rollout = imagine(model, asleep, state, held_out.horizon, subject.rng, memory)
    pictures: list[Picture] = []
    for i in range(len(segment.obs)):
        steps = int(rollout.mask[i].sum())
        painted = _paint(probe, rollout.z[i, : steps + 1], subject)
        paid = 0.0
        for t, picture in enumerate(painted):
            paid += float(rollout.rew[i, t - 1]) if t else 0.0
            over = " ended" if t == steps and bool(rollout.end[i, t - 1]) else ""
            pictures.append(_captioned(picture, f"dream {i + 1}  step {t}  return {paid:+.0f}{over}"))
        pictures += pictures[-1:] * PAUSE
    write_video(path, pictures, FRAMES_PER_SECOND)


def film_side_by_side(subject: Subject, probe: Probe, held_out: HeldOut, path: Path, dreams: int) -> OpenLoop:
    """What really happened on the left, on the right the dream along the same actions; the error over repeat-last's,
    of all contexts, below. Returns the measurement behind those figures.
    """
    segment = _first(held_out, subject, dreams)
    model, k = subject.world_model, subject.world_model.context
    with subject.precision.autocast():
        loops = [open_loop(model, batch.to(subject.precision.device), subject.rng) for batch in held_out.batches()]
        with torch.no_grad():
            z_hat = dream_along(model, segment, model.encode(segment.obs), subject.rng)[0]
    loop = sum(loops[1:], loops[0])
    pictures: list[Picture] = []
    for i in range(len(segment.obs)):
        steps = int(segment.mask[i, k:].sum())
        real = enlarge(segment.obs[i, k : k + steps].cpu().numpy())
        for t, (left, right) in enumerate(zip(real, _paint(probe, z_hat[i, :steps], subject), strict=True)):
            both = np.concatenate([left, np.full((left.shape[0], GAP, 3), 90, np.uint8), right], axis=1)
            figure = f"error {float(loop.ratio[t]):.2f} of repeat-last's"
            pictures.append(_captioned(both, f"real | dream {i + 1}  step {t + 1}  {figure}"))
        pictures += pictures[-1:] * PAUSE
    write_video(path, pictures, FRAMES_PER_SECOND)
    return loop


def _first(held_out: HeldOut, subject: Subject, dreams: int) -> Segment:
    """Contexts far from each other, of those that are there."""
    places = np.linspace(0, len(held_out.rows) - 1, min(dreams, len(held_out.rows), BATCH)).astype(int)
    rows, envs = held_out.rows[places], held_out.envs[places]
    length = subject.world_model.context + held_out.horizon
    return held_out.replay.window(rows, envs, length).to(subject.precision.device)


def _paint(probe: Probe, z: torch.Tensor, subject: Subject) -> list[Picture]:
    if not len(z):
        return []
    with subject.precision.autocast():
        return list(enlarge(paint(probe, z).cpu().numpy()))


def _captioned(picture: Picture, text: str) -> Picture:
    import cv2

    bar = np.zeros((BAR, picture.shape[1], 3), np.uint8)
    cv2.putText(bar, text, (6, 19), cv2.FONT_HERSHEY_SIMPLEX, 0.42, (255, 255, 255), 1, cv2.LINE_AA)
    return np.concatenate([picture, bar])
