"""Catch in a batch against gymnasium's own batch of single environments."""

import numpy as np
import pytest
from gymnasium.vector import AutoresetMode, SyncVectorEnv

from jedi_sdk.envs.catch import CatchEnv, CatchVectorEnv


def assert_same(one, other):
    """Equal arrays in equal structures, object arrays entry by entry, dtypes included."""
    assert type(one) is type(other)
    if isinstance(one, dict):
        assert one.keys() == other.keys()
        for key in one:
            assert_same(one[key], other[key])
    elif isinstance(one, np.ndarray) and one.dtype == object:
        for left, right in zip(one, other, strict=True):
            assert_same(left, right)
    elif isinstance(one, np.ndarray):
        assert one.dtype == other.dtype
        assert np.array_equal(one, other)
    elif isinstance(one, tuple):
        for left, right in zip(one, other, strict=True):
            assert_same(left, right)
    else:
        assert one == other


@pytest.mark.parametrize("mode", list(AutoresetMode))
def test_the_vector_environment_is_what_gymnasium_makes_of_single_ones(mode):
    """Also out of step: after 3 steps some environments are restarted, so that they do not end together."""
    ours, theirs = CatchVectorEnv(6, mode), SyncVectorEnv([CatchEnv] * 6, autoreset_mode=mode)
    rng, ended = np.random.default_rng(0), 0
    assert_same(ours.reset(seed=11), theirs.reset(seed=11))
    for t in range(60):
        acts = rng.integers(3, size=6)
        one, other = ours.step(acts), theirs.step(acts)
        assert_same(one, other)
        ended += int(one[2].sum())
        mask = one[2] if mode is AutoresetMode.DISABLED else np.zeros(6, bool)
        mask = mask | (rng.random(6) < 0.5) if t in (2, 30) else mask
        if mask.any():
            seed = 99 if t == 30 else None
            reset = [envs.reset(seed=seed, options={"reset_mask": mask.copy()}) for envs in (ours, theirs)]
            assert_same(reset[0], reset[1])
    assert ended > 30
    assert ours.observation_space == theirs.observation_space
    assert ours.action_space == theirs.action_space
    assert ours.metadata == theirs.metadata


def test_a_list_of_seeds_gives_each_its_own():
    ours, theirs = CatchVectorEnv(4), SyncVectorEnv([CatchEnv] * 4)
    assert_same(ours.reset(seed=[5, 5, 2**64 + 5, 9]), theirs.reset(seed=[5, 5, 2**64 + 5, 9]))
    for _ in range(20):
        assert_same(ours.step(np.array([0, 0, 0, 2])), theirs.step(np.array([0, 0, 0, 2])))


def test_arrays_are_never_written_to_again():
    envs = CatchVectorEnv(3, AutoresetMode.SAME_STEP)
    kept = [envs.reset(seed=0)[0]]
    copies = [kept[0].copy()]
    for _ in range(20):
        obs, rew, term, trunc, info = envs.step(np.array([0, 1, 2]))
        arrays = [obs, rew, term, trunc, *(x for x in info.get("final_obs", ()))]
        kept += arrays
        copies += [array.copy() for array in arrays]
    assert all(np.array_equal(array, copy) for array, copy in zip(kept, copies, strict=True))


@pytest.mark.parametrize("mode", list(AutoresetMode))
def test_no_mode_begins_before_the_first_reset(mode):
    envs = CatchVectorEnv(2, mode)
    envs.reset(options={"reset_mask": np.array([True, False])})
    with pytest.raises(RuntimeError, match="call reset"):
        envs.step(np.ones(2, int))


def test_a_reset_mask_of_another_form_is_refused():
    envs = CatchVectorEnv(3)
    with pytest.raises(ValueError, match="3 booleans"):
        envs.reset(options={"reset_mask": np.array([1, 0, 1])})
