"""Catch against a tiny reference written differently, an exact expectation, and gymnasium's own rules."""

from fractions import Fraction

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from gymnasium.vector import AutoresetMode
from hypothesis import given, settings
from hypothesis import strategies as st

from jedi_sdk.envs import register
from jedi_sdk.envs.catch import BALL, PADDLE, CatchEnv, CatchVectorEnv, ball_columns


def seed_for(column: int) -> int:
    """A seed whose first ball falls in ``column``."""
    seeds = np.arange(1000, dtype=np.uint64)
    return int(np.flatnonzero(ball_columns(seeds, np.zeros_like(seeds)) == column)[0])


def picture(row: int, column: int, paddle: int) -> np.ndarray:
    """The reference picture, painted in pixels."""
    image = np.zeros((64, 64, 3), np.uint8)
    image[8 * row : 8 * row + 8, 8 * column : 8 * column + 8] = BALL
    image[56:, 8 * paddle : 8 * paddle + 8] = PADDLE
    return image


def reference(column: int, acts: list[int]):
    """The rules said once more, one step after the other: (picture, reward, over)."""
    paddle = 4
    for row, act in enumerate(acts, start=1):
        paddle = sorted((0, paddle + {0: -1, 1: 0, 2: 1}[act], 7))[1]
        caught = 1.0 if paddle == column else -1.0
        yield picture(row, column, paddle), caught if row == 7 else 0.0, row == 7


@settings(deadline=None, max_examples=100)
@given(st.integers(0, 7), st.lists(st.integers(0, 2), min_size=7, max_size=7))
def test_rules_and_pictures(column, acts):
    env = CatchEnv()
    obs, _ = env.reset(seed=seed_for(column))
    assert np.array_equal(obs, picture(0, column, 4))
    for act, (image, rew, over) in zip(acts, reference(column, acts), strict=True):
        obs, got, term, trunc, _ = env.step(act)
        assert np.array_equal(obs, image)
        assert (got, term, trunc) == (rew, over, False)


@pytest.mark.parametrize("column", range(8))
def test_every_ball_can_be_caught(column):
    env = CatchEnv()
    env.reset(seed=seed_for(column))
    acts = [0 if column < 4 else 2] * abs(column - 4)
    assert sum(env.step(act)[1] for act in acts + [1] * (7 - len(acts))) == 1.0


def random_return() -> Fraction:
    """The expected return of the uniformly random policy, exactly: where the paddle may be after 7 moves."""
    chance = {4: Fraction(1)}
    for _ in range(7):
        after = dict.fromkeys(range(8), Fraction(0))
        for paddle, p in chance.items():
            for move in (-1, 0, 1):
                after[min(max(paddle + move, 0), 7)] += p / 3
        chance = after
    caught = sum((p * Fraction(1, 8) for p in chance.values()), Fraction(0))
    return caught * 1 + (1 - caught) * -1


def test_the_random_policy_earns_what_the_rules_say():
    exact = random_return()
    assert exact == Fraction(-3, 4)  # the ball is uniform and independent of the paddle, so 1 in 8 is caught
    envs, rng = CatchVectorEnv(500, AutoresetMode.SAME_STEP), np.random.default_rng(0)
    envs.reset(seed=0)
    steps = [envs.step(rng.integers(3, size=500))[1:3] for _ in range(20 * 7)]
    returns = np.concatenate([rew[term] for rew, term in steps])
    assert len(returns) == 20 * 500
    assert abs(returns.mean() - float(exact)) < 4 * returns.std() / np.sqrt(len(returns))


def test_a_policy_that_only_stays_catches_column_4_alone():
    seeds = np.arange(80_000, dtype=np.uint64)
    columns = ball_columns(seeds, np.zeros_like(seeds))
    counts = np.bincount(columns, minlength=8)
    assert np.all(abs(counts - 10_000) < 4 * np.sqrt(80_000 * 1 / 8 * 7 / 8))
    for column in range(8):
        env = CatchEnv()
        env.reset(seed=seed_for(column))
        assert [env.step(1)[1] for _ in range(7)][-1] == (1.0 if column == 4 else -1.0)


def test_balls_of_successive_episodes_and_neighbouring_seeds_are_independent():
    episodes = np.arange(4096, dtype=np.uint64)
    columns = np.stack([ball_columns(np.full_like(episodes, seed), episodes) for seed in range(2)])
    for one, other in [(columns[0, :-1], columns[0, 1:]), (columns[0], columns[1])]:
        pairs = np.bincount(8 * one + other, minlength=64)
        expected = len(one) / 64
        assert ((pairs - expected) ** 2 / expected).sum() < 110  # chi-square with 63 degrees: p = 0.0002


@pytest.mark.parametrize("first", [CatchEnv(), CatchVectorEnv(2)])
def test_the_episodes_of_one_environment_use_every_column(first):
    starts = [first.reset(seed=0)[0], *(first.reset()[0] for _ in range(100))]
    tops = np.stack([start.reshape(-1, 64, 64, 3)[0, 0, ::8] for start in starts])  # the top row's cells
    assert np.all(tops.any((0, 2)))


def test_gymnasiums_own_checker(recwarn):
    register()
    check_env(gymnasium.make("JEDI/Catch-v0", render_mode="rgb_array").unwrapped)
    assert not [w for w in recwarn if "passing `render_mode`" not in str(w.message)]


def test_render_is_the_frame_enlarged():
    env = CatchEnv(render_mode="rgb_array")
    obs, _ = env.reset(seed=0)
    image = env.render()
    assert image is not None
    assert image.shape == (256, 256, 3)
    assert np.array_equal(image[::4, ::4], obs)
    assert np.array_equal(image[3::4, 3::4], obs)


def test_a_seed_repeats_and_no_seed_does_not():
    def columns(envs, **reset):
        return np.concatenate([envs.reset(**reset)[0], *(envs.reset()[0] for _ in range(9))])

    envs = CatchVectorEnv(5)
    first = columns(envs, seed=7)
    assert np.array_equal(first, columns(CatchVectorEnv(5), seed=7))
    assert not np.array_equal(first, columns(envs, seed=8))
    assert not np.array_equal(columns(CatchVectorEnv(5)), columns(CatchVectorEnv(5)))


@pytest.mark.parametrize(
    ("env", "act"), [(CatchEnv(), 1), (CatchVectorEnv(2, AutoresetMode.DISABLED), np.ones(2, int))]
)
def test_an_episode_that_is_over_must_be_reset(env, act):
    with pytest.raises(RuntimeError, match="call reset"):
        env.step(act)
    env.reset(seed=0)
    for _ in range(7):
        env.step(act)
    with pytest.raises(RuntimeError, match="call reset"):
        env.step(act)


@pytest.mark.parametrize("act", [-1, 3])
def test_an_action_outside_is_refused(act):
    env = CatchEnv()
    env.reset(seed=0)
    with pytest.raises(ValueError, match="0 \\(left\\), 1 \\(stay\\) and 2 \\(right\\)"):
        env.step(act)
