"""Any image environment through the same door; what cannot pass is told why."""

from dataclasses import replace

import cloudpickle
import gymnasium
import numpy as np
import pytest
from gymnasium.spaces import Box, Discrete, MultiDiscrete
from gymnasium.vector import AsyncVectorEnv, AutoresetMode, SyncVectorEnv
from gymnasium.wrappers import AddRenderObservation, FlattenObservation, TransformAction

from jedi_sdk.envs import UnsupportedEnvError, make_envs, make_single, resolve_game
from jedi_sdk.envs.adapt import image_envs
from jedi_sdk.envs.catch import CatchEnv


class Painting(gymnasium.Env):
    """Shows ``image`` in one reused buffer; its reward is the action; every third step ends it."""

    def __init__(self, image, high=255, act=None):
        self.observation_space = Box(0, high, image.shape, image.dtype)
        self.action_space = act or Discrete(2)
        self.image, self.buffer = image, image.copy()

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.t = 0
        self.buffer[:] = self.image
        return self.buffer, {}

    def step(self, action):
        assert action in self.action_space
        self.t += 1
        self.buffer[:] = 0
        return self.buffer, float(np.sum(action)), self.t == 3, False, {}


RNG = np.random.default_rng(0)
COLOUR = RNG.integers(0, 256, (64, 64, 3), dtype=np.uint8)


def first_frame(image, **kwargs):
    return make_envs(lambda: Painting(image, **kwargs), 1).reset(seed=0)[0][0]


def test_a_frame_of_the_right_size_passes_unchanged():
    assert np.array_equal(first_frame(COLOUR), COLOUR)


@pytest.mark.parametrize("shape", [(64, 64), (64, 64, 1)])
def test_grey_is_repeated_into_three_channels(shape):
    frame = first_frame(COLOUR[:, :, :1].reshape(shape))
    assert np.array_equal(frame, np.repeat(COLOUR[:, :, :1], 3, axis=2))


def test_whole_multiples_are_averaged_over_areas():
    image = RNG.integers(0, 256, (128, 192, 3), dtype=np.uint8)
    means = image.reshape(64, 2, 64, 3, 3).mean((1, 3))
    assert abs(first_frame(image) - means).max() <= 0.5 + 1e-6


@pytest.mark.parametrize("shape", [(210, 160, 3), (7, 7, 3), (33, 101)])
def test_odd_sizes_keep_their_brightness(shape):
    image = RNG.integers(0, 256, shape, dtype=np.uint8)
    frame = first_frame(image)
    assert frame.shape == (64, 64, 3)
    assert frame.dtype == np.uint8
    assert abs(frame.mean() - image.mean()) < 6


def test_values_from_0_to_1_become_0_to_255():
    frame = first_frame((COLOUR / 255).astype(np.float32), high=1)
    assert np.array_equal(frame, COLOUR)
    assert first_frame(np.ones((64, 64), np.uint8), high=1).min() == 255


def test_actions_count_from_0_whatever_the_environment_counts_from():
    envs = make_envs(lambda: Painting(COLOUR, act=Discrete(3, start=-1)), 1)
    envs.reset(seed=0)
    assert envs.single_action_space == Discrete(3)
    assert [envs.step(np.array([act]))[1][0] for act in range(3)] == [-1.0, 0.0, 1.0]


@pytest.mark.parametrize(("num_envs", "kind"), [(1, SyncVectorEnv), (3, AsyncVectorEnv)])
def test_a_lambda_runs_in_workers_and_resets_on_the_next_step(num_envs, kind):
    image = COLOUR  # the closure travels too
    envs = make_envs(lambda: Painting(image), num_envs)
    try:
        assert type(envs) is kind
        assert envs.metadata["autoreset_mode"] is AutoresetMode.NEXT_STEP
        first, _ = envs.reset(seed=0)
        assert first.shape == (num_envs, 64, 64, 3)
        assert all(np.array_equal(frame, COLOUR) for frame in first)
        steps = [envs.step(np.arange(num_envs) % 2) for _ in range(4)]
        assert np.array_equal(steps[0][1], np.arange(num_envs) % 2)
        assert [bool(step[2].all()) for step in steps] == [False, False, True, False]
        assert np.array_equal(steps[3][0], first)  # the reset
        assert not np.shares_memory(steps[3][0], first)
        assert not steps[0][0].any()
    finally:
        envs.close()


def test_the_factory_survives_the_journey_to_a_process_that_knows_nothing():
    image = COLOUR
    envs = image_envs(resolve_game(lambda: Painting(image)), 1)
    make = cloudpickle.loads(cloudpickle.dumps(envs.env_fns[0]))  # type: ignore[attr-defined]
    assert np.array_equal(make().reset(seed=0)[0], COLOUR)


def test_a_registered_environment_travels_with_its_spec():
    gymnasium.register("Painting-v0", entry_point="jedi_sdk.envs.catch:CatchEnv")
    try:
        make = image_envs(resolve_game("Painting-v0"), 1).env_fns[0]  # type: ignore[attr-defined]
        assert make_single("Painting-v0").reset(seed=0)[0].shape == (64, 64, 3)
    finally:
        gymnasium.registry.pop("Painting-v0")
    assert make().reset(seed=0)[0].shape == (64, 64, 3)  # although the id is gone


def test_render_is_the_environments_own_picture_or_the_frame_enlarged():
    drawn = make_single(lambda: CatchEnv(render_mode="rgb_array"))
    drawn.reset(seed=0)
    assert np.array_equal(drawn.render(), drawn.unwrapped.render())  # type: ignore[arg-type]
    silent = make_single(lambda: Painting(COLOUR))
    silent.reset(seed=0)
    assert np.array_equal(silent.render()[::4, ::4], COLOUR)  # type: ignore[index]


def test_a_frame_that_was_handed_out_does_not_change():
    env = make_single(lambda: Painting(COLOUR))
    frame, _ = env.reset(seed=0)
    env.step(0)
    assert np.array_equal(frame, COLOUR)


@pytest.mark.parametrize(
    ("image", "high", "why"),
    [
        (np.zeros(4, np.float32), 1, r"Box.*only images can be used.*AddRenderObservation"),
        (np.zeros((3, 64, 64), np.uint8), 255, "channels last"),
        (np.zeros((64, 64, 4), np.uint8), 255, "only images can be used"),
        (np.zeros((64, 64, 3), np.float32), 2, "from 0.0 to 2.0, but black must be 0 and white 1 or 255"),
    ],
)
@pytest.mark.parametrize("num_envs", [1, 2])
def test_observations_that_are_no_images_are_refused(image, high, why, num_envs):
    with pytest.raises(UnsupportedEnvError, match=why):
        make_envs(lambda: Painting(image, high), num_envs)


def test_the_remedy_that_the_message_names_works():
    def blind():
        return FlattenObservation(CatchEnv(render_mode="rgb_array"))

    with pytest.raises(UnsupportedEnvError):
        make_envs(blind, 1)
    envs = make_envs(lambda: AddRenderObservation(blind()), 1)
    assert np.array_equal(envs.reset(seed=0)[0][0], CatchEnv().reset(seed=0)[0])


@pytest.mark.parametrize("act", [Box(-1, 1, (2,)), MultiDiscrete([2, 3])])
def test_actions_that_are_not_discrete_are_refused(act):
    with pytest.raises(UnsupportedEnvError, match=r"only Discrete actions can be used; continuous and.*not yet"):
        make_envs(lambda: Painting(COLOUR, act=act), 1)


def test_the_remedy_for_continuous_actions_works():
    def make():
        env = Painting(COLOUR, act=Box(-1, 1, (1,)))
        choices = [np.array([-0.5], np.float32), np.array([0.5], np.float32)]
        return TransformAction(env, choices.__getitem__, Discrete(len(choices)))

    envs = make_envs(make, 1)
    envs.reset(seed=0)
    assert [envs.step(np.array([act]))[1][0] for act in (0, 1)] == [-0.5, 0.5]


def test_a_function_that_returns_something_else():
    with pytest.raises(UnsupportedEnvError, match=r"must return a gymnasium\.Env; it returned 3"):
        make_envs(lambda: 3, 1)  # type: ignore[arg-type, return-value]


@pytest.mark.parametrize("make", [lambda game: make_envs(game, 1), lambda game: make_envs(game, 2), make_single])
def test_a_package_that_an_environment_lacks_is_named(make):
    def unable():
        raise gymnasium.error.DependencyNotInstalled("Box2D is not installed, you can install it by ...")

    with pytest.raises(UnsupportedEnvError, match="needs a package that is not installed: Box2D is not"):
        make(unable)


@pytest.mark.parametrize("make", [lambda game: make_envs(game, 1), lambda game: make_envs(game, 2), make_single])
def test_a_game_with_other_actions_than_its_player_knows_is_refused(make):
    catch = resolve_game("catch")
    assert make(replace(catch, num_actions=3)).reset(seed=0)[1] == {}
    with pytest.raises(UnsupportedEnvError, match=r"catch takes Discrete\(3\), but this .* takes Discrete\(5\): pass"):
        make(replace(catch, num_actions=5))


def test_no_environments_are_too_few():
    with pytest.raises(ValueError, match="at least 1, not 0"):
        make_envs("catch", 0)
