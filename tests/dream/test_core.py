"""The dream of a real world model: what it draws, how it branches, how its sampler is changed."""

from dataclasses import asdict, replace
from typing import Any

import numpy as np
import pytest
import torch

from jedi_sdk.config import Config, ConfigError, SamplerConfig
from jedi_sdk.dream import Dream, DreamEnv, Starts
from jedi_sdk.precision import Precision
from jedi_sdk.rng import Rng
from jedi_sdk.types import DreamState
from jedi_sdk.world_model import WorldModel
from jedi_sdk.world_model.heads import read_reward

N, SHAPE = 5, (4, 8, 8)


@pytest.fixture
def world_model(tiny: Config, wake) -> WorldModel:
    model = wake(WorldModel(tiny, 3))
    model.target_scale.mean_square.fill_(0.1)
    return model


@pytest.fixture
def starts() -> Starts:
    n = 20
    act = torch.randint(3, (n, 3), generator=torch.Generator().manual_seed(0))
    mask = torch.ones(n, 4, dtype=torch.bool)
    mask[::2, :2] = False
    return Starts(torch.randn(n, 4, *SHAPE).clamp(-3, 3), act, mask)


@pytest.fixture
def make(world_model: WorldModel, starts: Starts):
    def make(n: int = N, mode: str = "Disabled", **options: Any) -> DreamEnv:
        return DreamEnv(Dream(world_model, n, **{"horizon": 1000, "starts": starts, **options}), mode)

    return make


ACTS = np.random.default_rng(0).integers(3, size=(6, N))


def play(env: DreamEnv, acts: np.ndarray = ACTS) -> list[np.ndarray]:
    """Everything seen; what ends is begun anew."""
    seen = []
    for act in acts:
        obs, rew, term, trunc, _ = env.step(act)
        seen += [obs, rew, term, trunc]
        if env.autoreset_mode.value == "Disabled" and term.any():
            seen.append(env.reset(options={"reset_mask": term})[0])
    return seen


def same(one: list[np.ndarray], other: list[np.ndarray]) -> bool:
    return len(one) == len(other) and all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize("mode", ["Disabled", "SameStep", "NextStep"])
def test_the_same_seed_is_the_same_dream_bit_for_bit(make, mode: str) -> None:
    def dream(seed: int) -> list[np.ndarray]:
        env = make(mode=mode)
        return [env.reset(seed=seed)[0], *play(env)]

    assert same(dream(1), dream(1))
    assert not same(dream(1), dream(2))
    env = make(mode=mode)
    env.reset(seed=7)
    play(env)
    assert same([env.reset(seed=1)[0], *play(env)], dream(1))  # whatever was before


def test_without_a_seed_dreams_differ(make) -> None:
    assert not np.array_equal(make().reset()[0], make().reset()[0])


def test_it_is_the_world_models_steps_with_noise_for_the_whole_batch(make, world_model, starts) -> None:
    endless(world_model)
    env, rng = make(), Rng(3)
    obs, _ = env.reset(seed=3)
    state = world_model.start_from(starts.z, starts.act, starts.mask)[rng.integers(len(starts), N)]
    assert np.array_equal(obs, state.z[:, -1].numpy())
    for act in ACTS:
        state, rew, end = world_model.step(state, torch.from_numpy(act), rng)
        obs, ours, term, _, _ = env.step(act)
        assert np.array_equal(obs, state.z[:, -1].numpy())
        assert np.array_equal(ours, rew.numpy())
        assert np.array_equal(term, end.numpy())
    assert obs in env.observation_space
    assert len(np.unique(obs[:, 0, 0, 0])) == N


def test_a_subset_is_the_world_models_step_of_these_rows(make, world_model) -> None:
    env, again = make(), make()
    env.reset(seed=3)
    again.reset(seed=3)
    before, ids = env.get_state(), [3, 0]
    expected, rew, end = world_model.step(before.state[torch.tensor(ids)], torch.tensor([1, 2]), again.core.rng)
    obs, ours, term, _, _ = env.step_some([1, 2], ids)
    assert np.array_equal(obs, expected.z[:, -1].numpy())
    assert np.array_equal(ours, rew.numpy())
    assert np.array_equal(term, end.numpy())
    others = torch.tensor([1, 2, 4])
    assert torch.equal(env.get_state().state.z[others], before.state.z[others])
    assert torch.equal(env.get_state().state.lstm[0][others], before.state.lstm[0][others])


def test_all_of_them_one_by_one_in_order_is_a_step(make) -> None:
    one, other = make(), make()
    one.reset(seed=3)
    other.reset(seed=3)
    for left, right in zip(one.step(ACTS[0]), other.step_some(ACTS[0], range(N)), strict=True):
        np.testing.assert_array_equal(left, right)


# -- branching ----------------------------------------------------------------------------------------------------


def endless(world_model: WorldModel) -> None:
    """No dream ends, so that several steps can be compared."""
    torch.nn.init.zeros_(world_model.heads.out[-1].weight)
    world_model.heads.out[-1].bias = torch.nn.Parameter(torch.tensor([0.0, 0.0, 0.0, 50.0, -50.0]))


def test_forks_start_where_the_dream_stands_and_do_not_touch_it(make, world_model) -> None:
    endless(world_model)
    env, twin = make(), make()
    for each in (env, twin):
        each.reset(seed=3)
        play(each, ACTS[:2])
    fork = env.fork([4, 4, 1])
    assert fork.num_envs == 3
    assert np.array_equal(fork.observe(), env.observe()[[4, 4, 1]])
    obs, *_ = fork.step([0, 0, 0])
    assert not np.array_equal(obs[0], obs[1])  # the same moment and action, two futures
    assert same(play(env, ACTS[2:]), play(twin, ACTS[2:]))


def test_forks_reproduce(make, world_model) -> None:
    endless(world_model)
    env = make()
    env.reset(seed=3)
    one, again, other = (play(env.fork(seed=seed)) for seed in (5, 5, 6))
    assert same(one, again)
    assert not same(one, other)
    assert not same(play(env.fork()), play(env.fork()))
    one, again = (play(env.fork(seed=5).fork()) for _ in range(2))
    assert same(one, again)


def test_a_state_is_kept_put_back_and_reproduced(make, world_model) -> None:
    endless(world_model)
    env = make(horizon=4)
    env.reset(seed=3)
    play(env, ACTS[:1])
    state, shown = env.get_state(), env.observe()
    first = play(env, ACTS[1:3])
    env.set_state(state)
    assert np.array_equal(env.observe(), shown)
    assert not same(first, play(env, ACTS[1:3]))  # other noise
    futures = []
    for _ in range(2):
        env.set_state(state, seed=9)
        futures.append(play(env, ACTS[1:4]))
    assert same(*futures)
    assert futures[0][-1].all()  # the steps of the state count: this is the fourth


def test_envs_that_were_never_reset_go_on_differently(make, world_model) -> None:
    endless(world_model)
    env = make()
    env.reset(seed=3)
    state, others = env.get_state(), [make() for _ in range(2)]
    for other in others:
        other.set_state(state)
    assert not same(*(play(other, ACTS[:2]) for other in others))
    for other in others:
        other.set_state(state, seed=5)
    assert same(*(play(other, ACTS[:2]) for other in others))


def test_a_state_of_some_is_put_elsewhere(make) -> None:
    env = make()
    before, _ = env.reset(seed=3)
    env.set_state(env.get_state([1, 1]), [0, 4])
    assert np.array_equal(env.observe(), before[[1, 1, 2, 3, 1]])
    other = make(2)
    other.set_state(env.get_state([2, 3]))  # never reset
    assert np.array_equal(other.observe(), before[[2, 3]])
    other.step([0, 1])


# -- rewards and samplers -----------------------------------------------------------------------------------------


def test_three_ways_to_read_a_reward() -> None:
    logits = torch.tensor([[0.0, 1.0, 3.0]]).repeat(4000, 1)
    p = logits[0].softmax(-1)
    mean = float(p[2] - p[0])
    assert read_reward(logits, "mean", Rng(0)).tolist() == pytest.approx([mean] * 4000)
    assert read_reward(logits, "argmax", Rng(0)).tolist() == [1.0] * 4000
    drawn = read_reward(logits, "sample", Rng(0))
    assert sorted(drawn.unique().tolist()) == [-1, 0, 1]
    assert float(drawn.mean()) == pytest.approx(mean, abs=4 * float(drawn.std()) / 4000**0.5)


def test_rewards_of_a_dream(make, world_model) -> None:
    rewards = {}
    for reading in ("sample", "mean", "argmax"):
        env = make(reward=reading)
        env.reset(seed=3)
        rewards[reading] = env.step(ACTS[0])[1]
        assert rewards[reading].dtype == np.float64
    assert set(rewards["sample"]) | set(rewards["argmax"]) <= {-1.0, 0.0, 1.0}
    assert (np.abs(rewards["mean"]) < 1).all()
    assert len(np.unique(rewards["mean"])) == N


@pytest.mark.parametrize("changes", [{"steps": 1}, {"s_churn": 2.0}, {"steps": 4, "method": "heun", "sigma_min": 0.4}])
def test_the_sampler_is_an_argument_and_changes_live(make, world_model, changes: dict[str, Any]) -> None:
    def step(env: DreamEnv) -> np.ndarray:
        env.reset(seed=3)
        return env.step(ACTS[0])[0]

    plain = step(make())
    given, live = make(sampler=changes), make()
    live.set_sampler(**changes)
    assert given.sampler == live.sampler == replace(world_model.sampler, **changes)
    world_model.sampler = SamplerConfig(**{**asdict(world_model.sampler), **changes})
    model = step(make())
    assert np.array_equal(step(given), model)
    assert np.array_equal(step(live), model)
    assert not np.array_equal(plain, model)


@pytest.mark.parametrize(
    ("changes", "hint"),
    [
        ({"stps": 1}, r"did you mean sampler\.steps"),
        ({"steps": 0}, r"sampler\.steps=0 must be above 0"),
        ({"steps": "two"}, r"sampler\.steps must be a whole number"),
        ({"method": "rk4"}, r"'euler' or 'heun'"),
        ({"method": "heun"}, "offset noise"),
    ],
)
def test_a_sampler_is_checked_like_a_configuration(make, changes: dict[str, Any], hint: str) -> None:
    env = make()
    with pytest.raises(ConfigError, match=hint):
        env.set_sampler(**changes)
    with pytest.raises(ConfigError, match=hint):
        make(sampler=changes)


# -- precision ----------------------------------------------------------------------------------------------------


def test_observations_are_float32_whatever_is_computed_in(make) -> None:
    env = make(precision=Precision(torch.device("cpu"), torch.bfloat16))
    obs, _ = env.reset(seed=3)
    assert obs in env.observation_space
    obs, rew, *_ = env.step(ACTS[0])
    assert obs in env.observation_space
    assert rew.dtype == np.float64


def test_without_the_clamp_there_are_no_bounds(tiny: Config, starts: Starts) -> None:
    free = WorldModel(replace(tiny, objective=replace(tiny.objective, clamp=False)), 3)
    space = Dream(free, 1, 5, starts).view.space
    assert not space.is_bounded()
    assert space.dtype == np.float32


def test_nothing_of_a_moment_is_ever_written_to(make) -> None:
    env = make(mode="SameStep")
    env.reset(seed=3)
    moment = env.get_state()
    state: DreamState = moment.state
    parts = (state.z, state.act, *state.lstm, *map(torch.from_numpy, (moment.elapsed, moment.over)))
    copies = [x.clone() for x in parts]
    play(env)
    env.step_some([0], [2])
    env.reset(options={"reset_mask": np.arange(N) < 2})
    env.set_state(env.get_state([0]), [3])
    for kept, copy in zip(parts, copies, strict=True):
        assert torch.equal(kept, copy)


def test_what_was_set_or_handed_out_as_a_tensor_is_not_written_to(make) -> None:
    env = make(mode="Disabled")
    env.reset(seed=3)
    state = env.get_state()
    before = state.state.z.clone()
    env.set_state(state)
    env.reset(options={"reset_mask": np.arange(N) < 2})
    assert torch.equal(state.state.z, before)

    tensors = DreamEnv(env.core, "Disabled", to_numpy=False)
    tensors.reset(seed=3)
    obs = tensors.step(np.zeros(N, int))[0]
    before = obs.clone()
    tensors.reset(options={"reset_mask": np.ones(N, bool)})
    assert torch.equal(obs, before)


@pytest.mark.gpu
def test_tensors_stay_on_the_device(world_model, starts) -> None:
    device = torch.device("cuda")
    precision = Precision(device, torch.bfloat16)
    there = Starts(starts.z.to(device), starts.act.to(device), starts.mask.to(device))
    core = Dream(precision.place(world_model), N, 3, there, precision=precision)
    env, arrays = DreamEnv(core, to_numpy=False), DreamEnv(core)
    obs, _ = env.reset(seed=0)
    assert obs.device.type == "cuda"
    for _ in range(6):
        obs, rew, end, trunc, _ = env.step(torch.zeros(N, dtype=torch.int64, device=device))
        assert {x.device.type for x in (obs, rew, end, trunc)} == {"cuda"}
    fork = arrays.fork([0, 0])
    assert isinstance(fork.step(np.zeros(2, int))[0], np.ndarray)
