"""What the heads read of a transition, and what learning leaves out of it."""

from dataclasses import replace

import pytest
import torch

from jedi_sdk.rng import Rng
from jedi_sdk.world_model import Heads, WorldModel

from .table import SHAPE, build, segment

B, T = 3, 5


def heads(tiny, wake, **settings) -> Heads:
    torch.manual_seed(0)
    return wake(Heads(SHAPE, 3, replace(tiny.heads, **settings)))


def said(heads: Heads, z: torch.Tensor, drop: Rng | None = None) -> torch.Tensor:
    """All logits, of rewards and ends, for the same actions."""
    with torch.no_grad():
        rew, end, _ = heads(z, torch.arange(T).expand(B, T) % 3, drop=drop)
    return torch.cat([rew, end], dim=-1)


def latents() -> torch.Tensor:
    return torch.randn(B, T + 1, *SHAPE, generator=torch.Generator().manual_seed(0))


def test_who_reads_changes_sees_what_moves_and_not_what_it_moves_on(tiny, wake) -> None:
    """The same everywhere added to all frames changes nothing; to the later frames alone, it does."""
    z, still = latents(), torch.randn(1, 1, *SHAPE)
    change, pair = heads(tiny, wake, reads="change"), heads(tiny, wake)
    torch.testing.assert_close(said(change, z + still), said(change, z), rtol=1e-3, atol=1e-4)
    assert not torch.allclose(said(pair, z + still), said(pair, z), atol=1e-2)
    later = torch.cat([z[:, :3], z[:, 3:] + still], dim=1)
    assert not torch.allclose(said(change, later), said(change, z), atol=1e-2)


def test_changes_are_what_came_less_what_was(tiny, wake) -> None:
    """Heads that read changes say of z and z' what heads of pairs do that weigh z' as those and z the other way."""
    change, pair = heads(tiny, wake, reads="change"), heads(tiny, wake)
    c = SHAPE[0]
    with torch.no_grad():
        pair.load_state_dict({**change.state_dict(), "conv_in.weight": pair.conv_in.weight})
        pair.conv_in.weight[:, :c] = -change.conv_in.weight
        pair.conv_in.weight[:, c:] = change.conv_in.weight
    torch.testing.assert_close(said(change, latents()), said(pair, latents()), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("share", [0.25, 0.5])
def test_learning_leaves_a_share_of_what_the_memory_is_told_out(tiny, wake, share) -> None:
    full, part = heads(tiny, wake), heads(tiny, wake, dropout=share)
    told = []
    for some in (full, part):
        some.lstm.register_forward_pre_hook(lambda _, given: told.append(given[0]))
        said(some, latents(), drop=Rng(0))
    whole, left = told
    kept = left != 0
    assert float(kept.float().mean()) == pytest.approx(1 - share, abs=0.05)
    torch.testing.assert_close(left[kept], whole[kept] / (1 - share))
    assert not torch.equal(kept[:, 0], kept[:, 1])  # another one at every step


def test_dreams_and_measurements_leave_nothing_out(tiny, wake) -> None:
    full, part = heads(tiny, wake), heads(tiny, wake, dropout=0.5)
    assert torch.equal(said(full, latents()), said(part, latents()))
    config = replace(tiny, heads=replace(tiny.heads, dropout=0.5))
    models = [build(tiny, wake=wake), build(config, wake=wake)]
    models[1].load_state_dict(models[0].state_dict())
    steps = [model.step(model.start(segment(t=4)), torch.tensor([0, 1, 2]), Rng(0)) for model in models]
    assert torch.equal(steps[0][0].lstm[0], steps[1][0].lstm[0])
    assert torch.equal(steps[0][1], steps[1][1])


def test_what_is_left_out_is_repeatable_and_costs_no_draw_where_nothing_is(tiny, wake) -> None:
    encoded = replace(tiny, objective=replace(tiny.objective, heads_latents="encoded"))  # nothing else is drawn
    models = {}
    for share in (0.0, 0.5):
        torch.manual_seed(0)
        models[share] = WorldModel(replace(encoded, heads=replace(tiny.heads, dropout=share)), 3)
        wake(models[share].heads)
    frames = torch.randint(256, (3, 6, 64, 64, 3), dtype=torch.uint8)

    def loss(share: float, rng: Rng) -> float:
        return models[share].heads_loss(segment(obs=frames), rng).total.item()

    assert loss(0.5, Rng(0)) == loss(0.5, Rng(0)) != loss(0.5, Rng(1))
    assert loss(0.0, Rng(0)) == loss(0.0, Rng(1))
    rng = Rng(0)
    loss(0.0, rng)
    assert torch.equal(rng.state(), Rng(0).state())
