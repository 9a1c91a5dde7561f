"""Latents that die or drift, planted by hand, are noticed."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from jedi_sdk.config import Config, RunConfig
from jedi_sdk.health import RunError, latent_health, refuse_collapse
from jedi_sdk.types import Segment
from jedi_sdk.world_model import WorldModel

WELL = {
    "latent/std_data": 0.5,
    "latent/effective_rank": 100.0,
    "latent/repeat_last": 0.4,
    "latent/repeat_last_frames": 0.4,
}
B, K = 64, 4


class Planted(torch.nn.Module):
    """An encoder whose latents are random numbers, the same for frames with the same mark in a corner."""

    latent_shape = (2, 8, 8)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        marks = ((x[:, 0, 0, 0] + 1) * 127.5).round().long()
        table = torch.randn(256, 2, 8, 8, generator=torch.Generator().manual_seed(0))
        return table[marks]


def health(tiny: Config, marks: torch.Tensor, mask: torch.Tensor | None = None) -> dict[str, float]:
    """Of frames that differ in nothing but their marks (b k); all of the episode, without a ``mask`` (b k)."""
    objective = replace(tiny.objective, latent_scale="none", relative_to_mean=False, clamp=False)
    obs = torch.zeros(*marks.shape, 64, 64, 3, dtype=torch.uint8)
    obs[:, :, 0, 0, 0] = marks.byte()
    no = torch.zeros(marks.shape, dtype=torch.bool)
    segment = Segment(obs, no.long(), no.float(), no, no, ~no if mask is None else mask)
    return latent_health(WorldModel(replace(tiny, objective=objective), 3, encoder=Planted()), segment)


def test_latents_that_stay_repeat_themselves(tiny: Config) -> None:
    measured = health(tiny, torch.arange(B)[:, None].repeat(1, K))
    assert measured["latent/repeat_last"] == measured["latent/repeat_last_frames"] == 0
    assert measured["latent/std_data"] == pytest.approx(1, rel=0.1)
    assert measured["latent/effective_rank"] > 40  # of 63, for 64 random points in 128 dimensions


def test_latents_with_nothing_in_common_change_by_twice_their_variance(tiny: Config) -> None:
    marks = torch.randperm(256, generator=torch.Generator().manual_seed(0)).view(B, K)
    assert health(tiny, marks)["latent/repeat_last"] == pytest.approx(2, rel=0.1)


def test_without_a_frame_in_the_past_the_next_one_is_compared(tiny: Config) -> None:
    marks = torch.randperm(256, generator=torch.Generator().manual_seed(0))[: 2 * B].view(B, 2)
    assert health(replace(tiny, context=1), marks)["latent/repeat_last"] == pytest.approx(2, rel=0.2)


def test_frames_without_neighbours_say_nothing_of_change(tiny: Config, recwarn: pytest.WarningsRecorder) -> None:
    """As in a game of one step, where all that is before a frame is itself again."""
    alone = torch.arange(K) == K - 1
    measured = health(tiny, torch.arange(B)[:, None].repeat(1, K), alone.expand(B, K))
    assert set(measured) == {"latent/std_data", "latent/effective_rank"}
    assert not recwarn.list
    refuse_collapse(measured, RunConfig(min_latent_std=0.1, min_effective_rank=10))


def test_what_is_well_goes_on() -> None:
    refuse_collapse(WELL, RunConfig())
    refuse_collapse({**WELL, "latent/repeat_last": 1.9, "latent/repeat_last_frames": 1.2}, RunConfig())  # a fast game


@pytest.mark.parametrize(("ill", "said"), [
    ({"latent/std_data": 1e-4}, r"collapsed: latent/std_data is 0\.0001, under the floor of 0\.001.*encoder_lr_scale"),
    ({"latent/std_data": float("nan")}, r"no longer finite.*optim\.lr.*run\.dtype=float32"),
    ({"latent/effective_rank": 1.2}, r"collapsed: latent/effective_rank is 1\.2"),
    ({"latent/repeat_last": 1.7}, r"drifted: .* by 1\.7 of their variance.*ceiling of 1\.5.*encoder_lr_halving"),
])  # fmt: skip
def test_what_is_ill_is_refused_with_a_remedy(ill: dict[str, float], said: str) -> None:
    with pytest.raises(RunError, match=said):
        refuse_collapse({**WELL, **ill}, RunConfig())
