"""The probe on signals planted by hand, and on Breakout, whose memory shows where things are."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from jedi_sdk.envs import resolve_game
from jedi_sdk.fidelity.displacement import STEPS, STRETCH, measure_displacement, moments, probe_displacement
from jedi_sdk.fidelity.positions import Located, has_positions, play_located
from jedi_sdk.fidelity.probe import fit_probe, r_squared
from jedi_sdk.fidelity.progress import silent
from jedi_sdk.fidelity.subject import Player, Subject
from jedi_sdk.precision import Precision
from jedi_sdk.presets import TINY
from jedi_sdk.rng import Rng
from jedi_sdk.world_model import WorldModel

BREAKOUT = resolve_game("breakout")
N = 1_500


CPU = Precision(torch.device("cpu"), torch.float32)


def play(steps: int) -> Located:
    torch.manual_seed(0)
    generator = torch.Generator().manual_seed(0)

    def policy(x, state, first):
        return torch.randint(4, (len(x),), generator=generator), None

    return play_located(Player(BREAKOUT, policy, TINY, CPU, seed=0), steps, silent)


@pytest.fixture(scope="module")
def located() -> Located:
    return play(1_600)


def planted() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """Latents in which a thing's position is written linearly, under noise in other directions."""
    g = torch.Generator().manual_seed(0)
    where, later = torch.rand(N, 2, generator=g) * 100, torch.rand(N, 2, generator=g) * 100
    directions = torch.randn(2, 64, generator=g)
    z, z_later = (x @ directions + torch.randn(N, 64, generator=g) for x in (where, later))
    return z.reshape(N, 4, 4, 4), z_later.reshape(N, 4, 4, 4), later - where, torch.arange(N) % 5


def test_the_probe_finds_a_planted_displacement():
    z, z_later, moved, share = planted()
    encoded, dreamed, repeated = probe_displacement(z, z_later, moved, share, z_later[share == 4])
    assert encoded == dreamed > 0.99
    assert repeated == pytest.approx(0, abs=0.02)


def test_play_that_is_too_short_for_any_moment():
    rows, envs = moments(play(40))
    assert len(rows) == len(envs) == 0


def test_a_dream_that_moves_wrongly_is_told():
    z, z_later, moved, share = planted()
    halfway = z + (z_later - z) / 2  # half the displacement leaves a quarter of its variance unexplained
    away = z - (z_later - z)
    assert probe_displacement(z, z_later, moved, share, halfway[share == 4])[1] == pytest.approx(0.75, abs=0.02)
    assert probe_displacement(z, z_later, moved, share, away[share == 4])[1] == pytest.approx(-3, abs=0.1)


def test_the_probe_finds_nothing_in_noise():
    z, _, moved, share = planted()
    noise = torch.randn(z.shape, generator=torch.Generator().manual_seed(1))
    assert probe_displacement(z, noise, moved.flip(0), share, noise[share == 4])[0] == pytest.approx(0, abs=0.1)


def test_too_few_pairs_give_no_figure():
    z, z_later, moved, share = (x[:100] for x in planted())
    figures = probe_displacement(z, z_later, moved, share, z_later[share == 4])
    assert all(math.isnan(figure) for figure in figures)


def test_ridge_agrees_with_its_normal_equations():
    g = torch.Generator().manual_seed(0)
    x, x_val = torch.randn(200, 5, generator=g).double(), torch.randn(100, 5, generator=g).double()
    weight = torch.randn(5, 1, generator=g).double()
    probe = fit_probe(x, x @ weight + 3, x_val, x_val @ weight + 3)  # no noise: the weakest penalty is best
    torch.testing.assert_close(probe.weight, weight, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(probe(x_val), x_val @ weight + 3, rtol=1e-4, atol=1e-4)
    unrelated = torch.randn(100, 1, generator=g).double()
    shrunk = fit_probe(x, torch.randn(200, 1, generator=g).double(), x_val, unrelated)
    assert shrunk.weight.norm() < 0.3 * weight.norm()  # where nothing is to be learned, the strongest


def test_of_penalties_that_serve_as_well_the_strongest() -> None:
    """Two features that say the same: read together, as what each says, not off the small difference between them."""
    g = torch.Generator().manual_seed(0)

    def pairs(n: int) -> tuple[torch.Tensor, torch.Tensor]:
        x = torch.randn(n, 1, generator=g).double()
        both = torch.cat([x, x + 1e-3 * torch.randn(n, 1, generator=g)], dim=1)
        return both, x + 0.3 * torch.randn(n, 1, generator=g)

    probe = fit_probe(*pairs(300), *pairs(300))
    torch.testing.assert_close(probe.weight, torch.full((2, 1), 0.5).double(), atol=0.05, rtol=0)


def test_r_squared_of_known_answers():
    y = torch.tensor([[0.0], [1.0], [2.0]])
    assert r_squared(y, y) == 1
    assert r_squared(y, torch.ones(3, 1)) == 0
    assert math.isnan(r_squared(torch.ones(3, 1), y))


def test_positions_belong_to_their_frames(located: Located):
    """The paddle's middle, read from RAM, is where the frame shows red in the paddle's row: within a pixel or two,
    since a frame shows two moments at once, and nearer than in the frame before or behind."""
    obs = located.replay.columns["obs"][: located.replay.count].astype(float)
    paddle = obs[:, :, 57:59, 4:60, 0].sum(2)  # between the walls
    paddle -= paddle.min(-1, keepdims=True)
    seen = (paddle * np.arange(4, 60)).sum(-1) / paddle.sum(-1)
    told = (located.where["paddle"][..., 0] + 8) / 160 * 64
    inside = (told > 10) & (told < 54)
    assert inside.sum() > 300
    error = np.median(np.abs(seen - told)[inside])
    assert error < 1
    assert error < 0.5 * np.median(np.abs(seen[1:] - told[:-1])[inside[:-1]])
    assert error < 0.5 * np.median(np.abs(seen[:-1] - told[1:])[inside[1:]])


def test_moments_keep_to_one_stretch_one_life_and_one_ball(located: Located):
    rows, envs = moments(located)
    assert len(rows) > 100
    k = STEPS[-1]
    assert ((rows + k) // STRETCH == rows // STRETCH).all()
    step = located.replay.columns["step"]
    assert (step[rows + k, envs] - step[rows, envs] == k).all()
    assert not np.isnan(located.where["ball"][rows[:, None] + np.arange(k + 1), envs[:, None]]).any()
    assert not located.replay.columns["end"][rows[:, None] + np.arange(k), envs[:, None]].any()


def test_breakout_end_to_end(located: Located):
    """Even an untrained encoder shows the paddle; repeating shows no movement."""
    entries = measure_displacement(Subject(WorldModel(TINY, 4), CPU, Rng(0)), located, silent)
    assert [(entry.thing, entry.steps) for entry in entries] == [(t, k) for t in ("ball", "paddle") for k in STEPS]
    far = entries[-1]
    assert far.pairs > 50
    assert far.encoded > 0.5
    assert far.encoded > far.repeated
    assert far.repeated == pytest.approx(0, abs=0.1)
    assert all(math.isfinite(entry.dreamed) for entry in entries)


def test_which_games_show_positions():
    assert has_positions(BREAKOUT)
    assert has_positions(resolve_game("pong"))
    assert has_positions(resolve_game("boxing"))
    assert not has_positions(resolve_game("seaquest"))
    assert not has_positions(resolve_game("catch"))
