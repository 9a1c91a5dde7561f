"""What dreams and real envs refuse, and that each refusal says what to write instead."""

from collections.abc import Callable
from typing import Any

import gymnasium
import numpy as np
import pytest
import torch

from jedi_sdk import JEDI, DreamError
from jedi_sdk.config import Config
from jedi_sdk.dream import Dream, DreamEnv, LatentObservation, RealEnv, SingleDreamEnv, Starts
from jedi_sdk.envs import make_envs, make_single
from jedi_sdk.envs.catch import CatchVectorEnv
from jedi_sdk.world_model import WorldModel

from .by_hand import HORIZON, ByHand, starts

NAN = np.array([np.nan, 1.0, 0.0])
ACTIONS = {
    "float": ([0.0, 1.0, 2.0], r"integers, .* not float64; write for example np\.zeros\(3, np\.int64\)"),
    "NaN": (NAN, r"some are NaN: has the policy diverged"),
    "NaN tensor": (torch.from_numpy(NAN).float(), r"not float32; some are NaN"),
    "bool": ([True, False, True], "not bool"),
    "words": (["left", "stay", "right"], "integers, .* not <U5"),
    "None": (None, "integers, .* not object"),
    "too few": ([0, 1], r"3 envs take actions of shape \(3,\), one each, not \(2,\)"),
    "one": (1, r"not \(\)"),
    "one-hot": (np.eye(3, dtype=np.int64), r"not \(3, 3\)"),
    "too large": ([0, 1, 3], r"from 0 to 2 \(Discrete\(3\)\), not \[0, 1, 3\]"),
    "negative": (np.array([0, -1, 2], np.int8), r"not \[0, -1, 2\]"),
}


def dream(mode: str = "SameStep", **options: Any) -> DreamEnv:
    env = DreamEnv(Dream(ByHand(), 3, **{"horizon": HORIZON, "starts": starts(2), **options}), mode)
    env.reset(seed=0)
    return env


def real() -> RealEnv:
    env = RealEnv(make_envs("catch", 3), ByHand())
    env.reset(seed=0)
    return env


@pytest.mark.parametrize("case", ACTIONS)
def test_actions(case: str) -> None:
    actions, hint = ACTIONS[case]
    for env in (dream(), dream("NextStep"), real()):
        with pytest.raises(DreamError, match=hint):
            env.step(actions)
    with pytest.raises(DreamError, match=hint):
        dream().step_some(actions, [2, 0, 1])


def test_an_action_of_a_single_env() -> None:
    env, other = (
        SingleDreamEnv(Dream(ByHand(), 1, HORIZON, starts(2))),
        LatentObservation(make_single("catch"), ByHand()),
    )
    for single in (env, other):
        with pytest.raises(DreamError, match=r"call reset\(\) first"):
            single.step(0)
        single.reset()
        for action, hint in ((0.5, "not float64"), (3, "from 0 to 2"), ([1], r"not \(1, 1\)")):
            with pytest.raises(DreamError, match=hint):
                single.step(action)


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.int32, np.int64])
def test_every_integer_type_is_an_action(dtype: type) -> None:
    env = dream()
    env.step(np.array([0, 1, 2], dtype))
    env.step([0, 1, 2])
    env.step(torch.tensor([0, 1, 2], dtype=torch.int32))


OPTIONS: dict[str, tuple[dict[str, Any], str]] = {
    "horizon 0": ({"horizon": 0}, r"horizon=0: .* write a whole number from 1"),
    "horizon -3": ({"horizon": -3}, "whole number"),
    "reward": ({"reward": "median"}, "reward='median' is unknown; write one of 'sample', 'mean', 'argmax'"),
    "obs": ({"obs": "latents"}, "obs='latents' is unknown; write one of 'latent', 'features', 'pixels'"),
    "no probe": ({"obs": "pixels"}, "needs a probe, .* pass probe="),
    "stack 0": ({"stack": 0}, "stack=0"),
    "stack 5": ({"stack": 5}, "stack=1 to stack=4"),
    "stacked features": ({"obs": "features", "stack": 2}, "latents alone are stacked"),
}


@pytest.mark.parametrize("case", OPTIONS)
def test_options(case: str) -> None:
    options, hint = OPTIONS[case]
    with pytest.raises(DreamError, match=hint):
        dream(**options)
    if set(options) & {"obs", "stack"}:
        with pytest.raises(DreamError, match=hint):
            RealEnv(make_envs("catch", 1), ByHand(), **options)
        with pytest.raises(DreamError, match=hint):
            LatentObservation(make_single("catch"), ByHand(), **options)


def test_other_options() -> None:
    with pytest.raises(DreamError, match="num_envs=0"):
        Dream(ByHand(), 0, 5)
    with pytest.raises(DreamError, match="num_envs=1, or use DreamEnv"):
        SingleDreamEnv(Dream(ByHand(), 2, 5))
    with pytest.raises(DreamError, match=r"render_mode='rgb_array' needs a probe"):
        DreamEnv(Dream(ByHand(), 2, 5), render_mode="rgb_array")
    with pytest.raises(DreamError, match=r"render_mode='human' is unknown; write one of 'rgb_array'"):
        DreamEnv(Dream(ByHand(), 2, 5), render_mode="human")
    with pytest.raises(DreamError, match=r"reward='log' is unknown; write one of 'raw', 'sign'"):
        RealEnv(make_envs("catch", 1), ByHand(), reward="log")


CALLS: dict[str, Callable[[DreamEnv], Any]] = {
    "reset": lambda env: env.reset(),
    "step": lambda env: env.step([0, 0, 0]),
    "step_some": lambda env: env.step_some([0], [1]),
    "get_state": lambda env: env.get_state(),
    "fork": lambda env: env.fork(),
}


@pytest.mark.parametrize("call", CALLS)
def test_a_closed_env(call: str) -> None:
    env = dream()
    env.close()
    with pytest.raises(DreamError, match="is closed: nothing more can be asked of it; make a new one"):
        CALLS[call](env)


def test_closed_real_and_single_envs() -> None:
    envs: list[Any] = [real(), SingleDreamEnv(Dream(ByHand(), 1, HORIZON, starts(2)))]
    for env in envs:
        env.reset()
        env.close()
        with pytest.raises(DreamError, match="is closed"):
            env.reset()


def test_before_the_first_reset() -> None:
    env = DreamEnv(Dream(ByHand(), 3, HORIZON, starts(2)))
    mask = {"reset_mask": np.array([True, False, False])}
    for call in (CALLS["step"], CALLS["step_some"], CALLS["get_state"], lambda env: env.reset(options=mask)):
        with pytest.raises(DreamError, match=r"have not begun: call reset\(\) first"):
            call(env)
    games = RealEnv(make_envs("catch", 3), ByHand())
    for call in (CALLS["step"], lambda games: games.starts(), lambda games: games.reset(options=mask)):
        with pytest.raises(DreamError, match=r"have not begun: call reset\(\) first"):
            call(games)


def test_an_agent_without_starts() -> None:
    dream = JEDI("catch", preset="tiny").dream_env(2, horizon=5)
    with pytest.raises(DreamError, match=r"starts\.safetensors.*frames"):
        dream.reset()
    frames = np.zeros((64, 64, 3), np.uint8)[None]
    dream.reset(options={"frames": frames, "actions": np.zeros(1, int)})  # from one's own it can


def test_stepping_what_is_over() -> None:
    env, games = dream("Disabled"), RealEnv(make_envs("catch", 3), ByHand(), autoreset_mode="Disabled")
    games.reset(seed=0)
    for _ in range(4):
        env.step([2, 0, 2])
    with pytest.raises(DreamError, match=r"the dreams \[0, 2\] are over: .*reset_mask.*terminated \| truncated"):
        env.step([0, 0, 0])
    with pytest.raises(DreamError, match=r"the dreams \[2\] are over"):
        env.step_some([0, 0], [2, 1])
    for _ in range(7):
        games.step([1, 1, 1])
    with pytest.raises(DreamError, match=r"the games \[0, 1, 2\] are over"):
        games.step([1, 1, 1])


@pytest.mark.parametrize("mask", [[True, False, True], np.array([1, 0, 1]), np.ones(2, bool), np.zeros(3, bool)])
def test_reset_masks(mask: Any) -> None:
    for env in (dream(), real()):
        with pytest.raises(DreamError, match="a numpy array of 3 booleans, some of them True"):
            env.reset(options={"reset_mask": mask})


@pytest.mark.parametrize(
    ("ids", "hint"),
    [
        ([3], r"envs 0 to 2, not \[3\]"),
        ([-1], "envs 0 to 2"),
        ([], "a list of the envs' numbers"),
        (1, "a list of the envs' numbers"),
        ([True, False, True], "a list of the envs' numbers"),
        ([0.5], "a list of the envs' numbers"),
        ([1, 1], "each env can be meant once"),
    ],
)
def test_ids(ids: Any, hint: str) -> None:
    env = dream()
    with pytest.raises(DreamError, match=hint):
        env.step_some([0] * np.size(ids), ids)
    if ids == [1, 1]:
        assert env.fork(ids).num_envs == 2
    else:
        with pytest.raises(DreamError, match=hint):
            env.fork(ids)


def test_states() -> None:
    env = dream()
    with pytest.raises(DreamError, match="a state of 2 dreams cannot be put in the places of 3: write the ids"):
        env.set_state(env.get_state([0, 1]))


FRAMES, ACTS = np.zeros((3, 4, 64, 64, 3), np.uint8), np.zeros((3, 4), int)
CONTEXTS: dict[str, tuple[dict[str, Any], str]] = {
    "floats": ({"frames": FRAMES / 255, "actions": ACTS}, r"uint8 of shape \(n, k, 64, 64, 3\).* not float64"),
    "no time": ({"frames": FRAMES[:, 0], "actions": ACTS}, r"\(3,\).*or \(1, 2\)|integers of shape"),
    "large": ({"frames": np.zeros((3, 4, 84, 84, 3), np.uint8), "actions": ACTS}, r"not uint8 of \(3, 4, 84, 84, 3\)"),
    "too long": ({"frames": np.zeros((3, 5, 64, 64, 3), np.uint8), "actions": ACTS}, "k from 1 to 4"),
    "too many acts": ({"frames": FRAMES, "actions": np.zeros((3, 5), int)}, r"shape \(3, 4\).*or \(3, 3\)"),
    "float acts": ({"frames": FRAMES, "actions": ACTS.astype(float)}, r"integers of shape .* not float64"),
    "unknown acts": ({"frames": FRAMES, "actions": ACTS + 3}, r"options\['actions'\] go from 0 to 2"),
    "no acts": ({"frames": FRAMES}, "belong together"),
    "two of three": ({"frames": FRAMES[:2], "actions": ACTS[:2]}, "2 contexts for 3 dreams: give 3"),
    "typo": ({"frame": FRAMES}, r"options\['frame'\] is unknown; write reset_mask, frames with actions, or from"),
    "not a real env": ({"from": make_envs("catch", 3)}, r"agent\.real_env\(\)"),
}


@pytest.mark.parametrize("case", CONTEXTS)
def test_contexts(case: str) -> None:
    options, hint = CONTEXTS[case]
    env = dream()
    before = env.get_state()
    with pytest.raises(DreamError, match=hint):
        env.reset(options=options)
    assert torch.equal(env.get_state().state.z, before.state.z)  # as if it had not been asked


def test_other_peoples_latents(tiny: Config) -> None:
    other = Starts(torch.zeros(5, 4, 16, 8, 8), torch.zeros(5, 3, dtype=torch.int64), torch.ones(5, 4) > 0)
    with pytest.raises(DreamError, match=r"latents of \(4, 16, 8, 8\), but this dream goes on from \(4, 4, 8, 8\)"):
        DreamEnv(Dream(WorldModel(tiny, 3), 2, 5, other)).reset()


def test_other_peoples_envs() -> None:
    box = gymnasium.wrappers.ResizeObservation(make_single("catch"), (32, 32))
    with pytest.raises(DreamError, match=r"64x64 RGB, uint8: jedi_sdk\.envs\.make_single"):
        LatentObservation(box, ByHand())
    with pytest.raises(DreamError, match=r"Discrete\(3\): make the env from agent\.game"):
        RealEnv(make_envs("breakout", 1), ByHand())
    with pytest.raises(DreamError, match="not in NEXT_STEP mode"):
        RealEnv(CatchVectorEnv(2, "SameStep"), ByHand())
