"""Facts about Atari as the benchmark plays it, with the real ALE."""

import gymnasium
import numpy as np
import pytest

from jedi_sdk.envs import Game, UnknownGameError, make_envs, make_single
from jedi_sdk.envs.atari import AtariEnvs, single_atari


def play(envs, steps, seed=0):
    """Random play: one tuple of step()'s result for each step."""
    rng = np.random.default_rng(seed)
    n = int(envs.single_action_space.n)
    envs.reset(seed=seed)
    return [envs.step(rng.integers(n, size=envs.num_envs)) for _ in range(steps)]


def test_spaces_frames_and_rewards():
    envs = make_envs("breakout", 2)
    obs, info = envs.reset(seed=0)
    assert envs.metadata["autoreset_mode"] is gymnasium.vector.AutoresetMode.NEXT_STEP
    assert envs.single_action_space == gymnasium.spaces.Discrete(4)  # the minimal set: noop, fire, right, left
    assert obs in envs.observation_space
    assert obs.shape == (2, 64, 64, 3)
    assert obs.dtype == np.uint8
    assert np.ptp(obs, axis=-1).max() > 100  # in colour
    assert info["lives"].tolist() == [5, 5]


def test_one_batch_does_not_overwrite_another():
    envs = make_envs("breakout", 2)
    kept = [envs.reset(seed=0)[0], *(envs.step(np.array([1, 2]))[0] for _ in range(3))]
    copies = [obs.copy() for obs in kept]
    last = [envs.step(np.array([1, 2]))[0] for _ in range(30)][-1]
    assert not any(np.array_equal(last, copy) for copy in copies)
    assert all(np.array_equal(obs, copy) for obs, copy in zip(kept, copies, strict=True))


def test_ale_does_not_write_into_gymnasiums_metadata(monkeypatch):
    monkeypatch.setattr(gymnasium.vector.VectorEnv, "metadata", {})
    make_envs("pong", 1)
    assert gymnasium.vector.VectorEnv.metadata == {}


def test_nothing_sticks_the_same_seed_and_actions_give_the_same_frames_whatever_the_seed():
    """Without no-ops nothing is random: environments of different seeds stay together under equal actions."""
    envs = AtariEnvs("breakout", 2, noop_max=0)
    envs.reset(seed=0)
    rng = np.random.default_rng(0)
    for _ in range(150):
        obs, rew, *_ = envs.step(np.repeat(rng.integers(4), 2))
        assert np.array_equal(obs[0], obs[1])
        assert rew[0] == rew[1]


def test_a_seed_repeats_an_episode_and_another_seed_starts_elsewhere():
    one, again, other = (play(make_envs("breakout", 1), 60, seed) for seed in (0, 0, 3))
    assert all(np.array_equal(a[0], b[0]) for a, b in zip(one, again, strict=True))
    starts = {int(make_envs("breakout", 1).reset(seed=s)[1]["episode_frame_number"][0]) for s in range(8)}
    assert len(starts) > 3  # the no-ops
    assert max(starts) <= 30 * 4
    assert not all(np.array_equal(a[0], b[0]) for a, b in zip(one, other, strict=True))


def test_a_list_of_seeds_gives_each_its_own():
    envs, alone = make_envs("breakout", 3), make_envs("breakout", 1)
    obs, info = envs.reset(seed=[3, 3, 4])
    assert np.array_equal(obs[0], obs[1])
    assert np.array_equal(obs[0], alone.reset(seed=3)[0][0])
    no_ops = info["episode_frame_number"]
    assert no_ops[0] == no_ops[1] != no_ops[2]


@pytest.mark.parametrize("seed", [2**31 - 1, 2**32 - 1, 2**31 + 5])
def test_seeds_may_be_larger_than_ales(seed: int):
    envs, alone = make_envs("breakout", 2), make_envs("breakout", 1)
    obs, _ = envs.reset(seed=seed)
    assert np.array_equal(obs, envs.reset(seed=[seed, seed + 1])[0])
    assert np.array_equal(obs[1], alone.reset(seed=(seed + 1) % 2**31)[0][0])


def test_with_a_mask_each_env_has_the_seed_that_it_has_without():
    envs, mask = make_envs("breakout", 3), np.array([False, True, True])
    obs, info = envs.reset(seed=3)
    assert info["episode_frame_number"][1] != info["episode_frame_number"][0]
    envs.reset(seed=11)
    assert np.array_equal(envs.reset(seed=3, options={"reset_mask": mask})[0][1:], obs[1:])
    envs.reset(seed=11)
    assert np.array_equal(envs.reset(seed=[3, 4, 5], options={"reset_mask": mask})[0][1:], obs[1:])


def test_a_lost_life_is_told_and_does_not_end_the_episode_and_the_next_step_resets():
    steps = play(make_envs("breakout", 1), 400)
    lives = np.array([step[4]["lives"][0] for step in steps])
    term = np.array([step[2][0] for step in steps])
    lost = np.flatnonzero(np.diff(lives) < 0) + 1
    assert len(lost) >= 5
    assert np.array_equal(lives[term], np.zeros(term.sum()))
    assert not term[lost[lives[lost] > 0]].any()
    end = int(np.flatnonzero(term)[0])
    assert lives[end + 1] == 5
    assert steps[end + 1][1][0] == 0.0


def test_rewards_are_raw():
    rewards = np.concatenate([step[1] for step in play(make_envs("ms_pacman", 2), 100)])
    assert rewards.dtype == np.float64
    assert rewards.max() >= 10.0


@pytest.mark.parametrize("rom", ["breakout", "pong", "seaquest"])
def test_the_single_environment_is_pixel_exact_beside_the_vectorised_one(rom):
    envs, single = AtariEnvs(rom, 1, noop_max=0), single_atari(rom, noop_max=0)
    obs, _ = envs.reset(seed=0)
    single_obs, _ = single.reset(seed=0)
    assert np.array_equal(obs[0], single_obs)
    rng, term = np.random.default_rng(0), False
    for _ in range(330):
        act = rng.integers(single.action_space.n)  # type: ignore[attr-defined]
        obs, rew, terms, truncs, info = envs.step(np.array([act]))
        single_obs, single_rew, term, trunc, single_info = single.step(act)
        assert np.array_equal(obs[0], single_obs)
        assert (rew[0], terms[0], truncs[0]) == (single_rew, term, trunc)
        assert info["lives"][0] == single_info["lives"]
        if term:
            break
    assert term == (rom != "pong")  # Breakout and Seaquest were compared to their very end


def test_the_single_environment_renders_the_console():
    env = make_single("ALE/Pong-v5")
    obs, _ = env.reset(seed=0)
    assert obs.shape == (64, 64, 3)
    assert obs in env.observation_space
    assert env.render().shape == (210, 160, 3)  # type: ignore[union-attr]


@pytest.mark.parametrize("make", [make_single, lambda game: make_envs(game, 1)])
def test_a_rom_that_does_not_exist(make):
    with pytest.raises(UnknownGameError, match="Did you mean 'pong'"):
        make(Game("pongg", "atari"))
