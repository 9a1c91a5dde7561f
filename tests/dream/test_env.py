"""The dream as a vector env: gymnasium's own semantics, on a world whose answers are known."""

from typing import Any

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from gymnasium.wrappers.vector import RecordEpisodeStatistics

from jedi_sdk.dream import Dream, DreamEnv

from .by_hand import GOAL, HORIZON, SHAPE, UNIT, ByHand, ByHandEnv, assert_same, starts

N = 6


def dreams(n: int = N, mode: AutoresetMode | str = AutoresetMode.SAME_STEP, **options: Any) -> DreamEnv:
    to_numpy = options.pop("to_numpy", True)
    core = Dream(ByHand(), n, **{"horizon": HORIZON, "starts": starts(2), **options})
    return DreamEnv(core, mode, to_numpy)


def rows(env: DreamEnv) -> list[int]:
    """Rows computed so far, call by call."""
    assert isinstance(env.core.world_model, ByHand)
    return env.core.world_model.stepped


@pytest.mark.parametrize("mode", list(AutoresetMode))
def test_it_is_what_gymnasium_makes_of_single_ones(mode: AutoresetMode) -> None:
    """Out of step, too: some are restarted in between."""
    ours, theirs = dreams(mode=mode), SyncVectorEnv([ByHandEnv] * N, autoreset_mode=mode)
    rng, ended, truncated = np.random.default_rng(0), 0, 0
    assert_same(ours.reset(seed=11), theirs.reset(seed=11))
    for t in range(120):
        acts = rng.integers(3, size=N)
        one, other = ours.step(acts), theirs.step(acts)
        assert_same(one, other)
        ended, truncated = ended + int(one[2].sum()), truncated + int(one[3].sum())
        mask = one[2] | one[3] if mode is AutoresetMode.DISABLED else np.zeros(N, bool)
        mask = mask | (rng.random(N) < 0.5) if t in (2, 30) else mask
        if mask.any():
            seed = 99 if t == 30 else None
            reset = [envs.reset(seed=seed, options={"reset_mask": mask.copy()}) for envs in (ours, theirs)]
            assert_same(reset[0], reset[1])
    assert ended > 30
    assert truncated > 30
    assert ours.observation_space == theirs.observation_space
    assert ours.action_space == theirs.action_space
    assert ours.metadata == theirs.metadata
    assert "autoreset_mode" not in gymnasium.vector.VectorEnv.metadata  # nor written into anybody else's


def test_an_episode_by_hand() -> None:
    """From place 2, four steps of 3 reach the goal, and six steps of 1 the horizon."""
    env = dreams(2)
    obs, _ = env.reset(seed=0)
    for t, act in enumerate([2, 2, 2, 2]):
        before = obs
        obs, rew, term, trunc, infos = env.step(np.array([act, 0]))
        assert rew.tolist() == [act - 1, -1]
        assert term.tolist() == [t == 3, False]
        assert not trunc.any()
        assert (before != obs).all()
    assert infos["_final_obs"].tolist() == [True, False]
    assert infos["final_obs"][1] is None
    np.testing.assert_array_equal(infos["final_obs"][0], np.full(SHAPE, GOAL / UNIT, np.float32))
    np.testing.assert_array_equal(obs[0], np.full(SHAPE, 2 / UNIT, np.float32))
    env.step(np.array([0, 0]))
    obs, _, term, trunc, infos = env.step(np.array([0, 0]))
    assert not term.any()
    assert trunc.tolist() == [False, True]
    np.testing.assert_array_equal(infos["final_obs"][1], np.full(SHAPE, 8 / UNIT, np.float32))


def test_arrays_are_never_written_to_again() -> None:
    env = dreams(3)
    kept = [env.reset(seed=0)[0]]
    copies = [kept[0].copy()]
    for act in (2, 1, 2, 2, 0, 2, 2, 2):
        obs, rew, term, trunc, info = env.step(np.array([act, 2, 0]))
        arrays = [obs, rew, term, trunc, *(x for x in info.get("final_obs", ()) if x is not None)]
        kept += arrays
        copies += [array.copy() for array in arrays]
        obs_before = env.observe()
        obs += 1  # theirs to write to: the dream does not notice
        np.testing.assert_array_equal(env.observe(), obs_before)
        obs -= 1
    for array, copy in zip(kept, copies, strict=True):
        np.testing.assert_allclose(array, copy, atol=1e-6)


def test_tensors_are_the_dreams_own_and_stay_what_they_were() -> None:
    env, arrays = dreams(3, to_numpy=False), dreams(3)
    obs, _ = env.reset(seed=0)
    assert_same(obs.numpy(), arrays.reset(seed=0)[0])
    assert obs.data_ptr() == env.core.view(env.core.moment.state).data_ptr()  # no copy
    kept, copies = [obs], [obs.clone()]
    for act in (2, 2, 2, 2, 1, 0):
        acts = torch.tensor([act, 2, 0])
        obs, rew, term, trunc, info = env.step(acts)
        other = arrays.step(acts.numpy())
        for tensor, array in zip((obs, rew.double(), term, trunc), other, strict=False):
            assert_same(tensor.numpy(), array)
        for final, array in zip(info.get("final_obs", ()), other[4].get("final_obs", ()), strict=True):
            assert (final is None) == (array is None)
            if final is not None:
                assert_same(final.numpy(), array)
        kept.append(obs)
        copies.append(obs.clone())
    assert all(torch.equal(one, other) for one, other in zip(kept, copies, strict=True))


def test_the_last_latents_on_the_channel_axis() -> None:
    env = dreams(2, stack=3)
    obs, _ = env.reset(seed=0)
    assert env.single_observation_space.shape == (12, 8, 8)
    np.testing.assert_array_equal(obs[0, ::4, 0, 0] * UNIT, [0, 1, 2])
    obs, *_ = env.step(np.array([0, 2]))
    np.testing.assert_array_equal(obs[:, ::4, 0, 0] * UNIT, [[1, 2, 3], [1, 2, 5]])


def test_features_are_the_heads_memory() -> None:
    env = dreams(2, obs="features")
    obs, _ = env.reset(seed=0)
    assert obs in env.observation_space
    assert obs.shape == (2, 16)
    assert not obs.any()
    obs, *_ = env.step(np.array([0, 2]))
    np.testing.assert_array_equal(obs * UNIT, np.ones((2, 16)))


def test_pixels_and_pictures_through_a_probe() -> None:
    def probe(z: torch.Tensor) -> torch.Tensor:
        """From -1 to 1 the further the dream has come; more than white stays white."""
        return (z.mean((1, 2, 3)) * UNIT / 5 - 1)[:, None, None, None].expand(-1, 3, 64, 64)

    core = Dream(ByHand(), 2, HORIZON, starts(2), obs="pixels", probe=probe)
    env = DreamEnv(core, render_mode="rgb_array")
    obs, _ = env.reset(seed=0)
    assert obs in env.observation_space
    assert obs.shape == (2, 64, 64, 3)
    assert np.unique(obs).tolist() == [51]  # 2/5 of 127.5
    pictures = env.render()
    assert isinstance(pictures, tuple)  # as gymnasium's RecordVideo wants them
    assert [picture.shape for picture in pictures] == [(256, 256, 3)] * 2
    assert np.unique(pictures[0]).tolist() == [51]
    for _ in range(3):
        obs, *_ = env.step(np.array([2, 0]))
    assert [int(x) for x in (obs[0].max(), obs[1].max())] == [255, 128]
    assert env.metadata["render_modes"] == ["rgb_array"]
    assert dreams().metadata["render_modes"] == []
    assert dreams(mode="NextStep").render() is None


def test_some_are_stepped_and_nothing_is_computed_or_reset_for_the_others() -> None:
    env = dreams(5)
    before, _ = env.reset(seed=0)
    obs, rew, *_, infos = env.step_some(np.array([2, 0]), [4, 1])
    assert rows(env) == [2]
    np.testing.assert_array_equal(obs[:, 0, 0, 0] * UNIT, [5, 3])
    assert rew.tolist() == [1, -1]
    assert infos == {}
    now = env.observe()
    np.testing.assert_array_equal(now[:, 0, 0, 0] * UNIT, [2, 3, 2, 2, 5])
    for _ in range(3):
        _, _, term, _, _ = env.step_some([2], np.array([4]))
    assert term.tolist() == [True]
    np.testing.assert_array_equal(env.observe()[:, 0, 0, 0] * UNIT, [2, 3, 2, 2, 14])
    env.reset(options={"reset_mask": np.array([False, False, False, False, True])})
    np.testing.assert_array_equal(env.observe()[:, 0, 0, 0] * UNIT, [2, 3, 2, 2, 2])
    np.testing.assert_array_equal(before, env.reset()[0])


def test_each_counts_its_own_steps() -> None:
    env = dreams(2, AutoresetMode.DISABLED)
    env.reset(seed=0)
    for _ in range(3):
        env.step_some([0], [1])
    truncs = [env.step(np.zeros(2, int))[3].tolist() for _ in range(3)]
    assert truncs == [[False, False], [False, False], [False, True]]


@pytest.mark.parametrize("mode", [AutoresetMode.SAME_STEP, AutoresetMode.NEXT_STEP])
def test_gymnasiums_statistics(mode: AutoresetMode) -> None:
    """Places 2, 5, 8, 11, 14 are an episode; 2 to 8 one by one another."""
    env = RecordEpisodeStatistics(dreams(2, mode))
    env.reset(seed=0)
    infos = [env.step(np.array([2, 0]))[4] for _ in range(HORIZON)]
    assert infos[3]["_episode"].tolist() == [True, False]
    assert infos[5]["_episode"].tolist() == [False, True]
    assert list(env.length_queue) == [4, HORIZON]
    assert list(env.return_queue) == [4.0, -HORIZON]


def test_a_reset_mask_is_left_where_it_was() -> None:
    """gymnasium's wrappers look at it after the env did."""
    env, options = dreams(2), {"reset_mask": np.array([True, False])}
    env.reset(seed=0)
    RecordEpisodeStatistics(env).reset(options=dict(options))
    env.reset(options=options)
    assert list(options) == ["reset_mask"]


def test_a_reset_mask_may_be_what_the_step_gave() -> None:
    env = dreams(3, mode="Disabled", to_numpy=False)
    env.reset(seed=0)
    over = torch.zeros(3, dtype=torch.bool)
    while not over.any():
        _, _, end, trunc, _ = env.step(torch.tensor([0, 2, 2]))
        over = end | trunc
    assert not over.all()
    before = env.observe()
    obs, _ = env.reset(options={"reset_mask": over})
    assert torch.equal(obs[~over], before[~over])
    assert not env.core.moment.some_over
