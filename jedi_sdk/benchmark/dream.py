"""What a dream costs: the share of denoiser, heads and adaptor in a step, and one batch against single dreams."""

from __future__ import annotations

import importlib.util
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, cast

import numpy as np
import torch
from torch import nn

from jedi_sdk.agent import JEDI
from jedi_sdk.benchmark.speed.clock import wait_for
from jedi_sdk.dream import SingleDreamEnv, Starts
from jedi_sdk.progress import Report
from jedi_sdk.world_model.heads import NUM_REWARDS

WARM_UP = 5


class Stopwatch:
    """Wraps a function and notes how long each call took; waits for the device on both sides."""

    def __init__(self, function: Callable[..., Any], device: torch.device) -> None:
        self.function, self.device = function, device
        self.seconds: list[float] = []

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        start = self._now()
        result = self.function(*args, **kwargs)
        self.seconds.append(self._now() - start)
        return result

    def take(self) -> float:
        """The time noted since the last taking."""
        total, self.seconds = sum(self.seconds), []
        return total

    def _now(self) -> float:
        wait_for(self.device)
        return time.perf_counter()


@dataclass(frozen=True)
class DreamCost:
    """Medians over steps, in seconds for a batched step of ``num_envs`` dreams; ``single`` steps as many dreams one by
    one. An adaptor's time is what a step takes outside ``WorldModel.step``, entering the agent's precision included.
    """

    game: str
    preset: str
    device: str
    dtype: str
    threads: int
    num_envs: int
    steps: int
    denoiser: float
    heads: float
    world_model: float
    adaptors: dict[str, float]
    single: float
    steps_per_second: float

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def fresh_agent(game: str, preset: str, **settings: Any) -> JEDI:
    """Networks that have learned nothing, but that their dreams do not end, as few of a trained agent's do. Fresh heads
    end every second one, and what is timed would be beginnings.
    """
    agent = JEDI(game, preset=preset, **settings)
    first, _, last = cast(Sequence[nn.Linear], agent.world_model.heads.out)
    with torch.no_grad():
        first.bias.fill_(10.0)
        last.weight[NUM_REWARDS] = 1.0  # goes on
    return agent


def measure_dream(agent: JEDI, num_envs: int, steps: int, horizon: int, report: Report) -> DreamCost:
    """Random actions in dreams that begin at the agent's starts, or anywhere if it has none."""
    model, device = agent.world_model, agent.precision.device
    options = {"starts": agent.starts or _anywhere(agent)}
    inside = Stopwatch(model.step, device)
    denoiser, heads = Stopwatch(model.imagine_next, device), Stopwatch(model.heads.forward, device)
    timed: dict[str, Timing] = {}
    adaptors = _adaptors()
    model.step, model.imagine_next, model.heads.forward = inside, denoiser, heads  # type: ignore[method-assign]
    try:
        for i, (name, make) in enumerate(adaptors.items()):
            report(i / (len(adaptors) + 1), f"through {name}")
            timed[name] = _time(make(agent, num_envs, horizon, options), inside, denoiser, heads, steps)
    finally:
        del model.step, model.imagine_next, model.heads.forward  # what the classes define shows again
    step = timed["gymnasium"]
    report(len(adaptors) / (len(adaptors) + 1), "one by one")
    single = _singles(agent, min(num_envs, 64), options, max(3, steps // 20)) * num_envs / min(num_envs, 64)
    return DreamCost(
        game=agent.game.name,
        preset=agent.config.preset,
        device=str(device),
        dtype=agent.precision.name,
        threads=torch.get_num_threads(),
        num_envs=num_envs,
        steps=steps,
        denoiser=step.denoiser,
        heads=step.heads,
        world_model=step.inside,
        adaptors={name: timing.outside for name, timing in timed.items()},
        single=single,
        steps_per_second=num_envs / step.whole,
    )


def _anywhere(agent: JEDI) -> Starts:
    """Contexts of an agent that has seen nothing yet: a step costs the same everywhere."""
    model, device = agent.world_model, agent.precision.device
    z = torch.zeros(8, model.context, *model.latent_shape, device=device)
    act = torch.zeros(8, model.context - 1, dtype=torch.int64, device=device)
    return Starts(z, act, torch.ones(8, model.context, dtype=torch.bool, device=device))


@dataclass(frozen=True)
class Timing:
    """Medians of a step: all of it, and its parts inside and outside the world model."""

    whole: float
    inside: float
    denoiser: float
    heads: float
    outside: float


def _time(step: Callable[[], object], inside: Stopwatch, denoiser: Stopwatch, heads: Stopwatch, steps: int) -> Timing:
    rows = []
    for i in range(WARM_UP + steps):
        start = time.perf_counter()
        step()
        whole, model = time.perf_counter() - start, inside.take()
        row = (whole, model, denoiser.take(), heads.take(), whole - model)
        if i >= WARM_UP:
            rows.append(row)
    return Timing(*(float(x) for x in np.median(np.array(rows), axis=0)))


Make = Callable[[JEDI, int, int, dict[str, Any]], Callable[[], object]]


def _adaptors() -> dict[str, Make]:
    """Those whose library is installed."""
    made: dict[str, Make] = {"gymnasium": _gymnasium}
    if importlib.util.find_spec("stable_baselines3"):
        made["stable-baselines3"] = _sb3
    if importlib.util.find_spec("tianshou"):
        made["tianshou"] = _tianshou
    if importlib.util.find_spec("torchrl"):
        made["torchrl"] = _torchrl
    return made


def _gymnasium(agent: JEDI, n: int, horizon: int, options: dict[str, Any]) -> Callable[[], object]:
    envs = agent.dream_env(n, horizon, **options)
    envs.reset(seed=0)
    act = _actions(agent, n)
    return lambda: envs.step(act())


def _sb3(agent: JEDI, n: int, horizon: int, options: dict[str, Any]) -> Callable[[], object]:
    from jedi_sdk.dream.sb3 import DreamVecEnv

    envs = DreamVecEnv(agent.dream_env(n, horizon, **options))
    envs.reset()
    act = _actions(agent, n)
    return lambda: envs.step(act())


def _tianshou(agent: JEDI, n: int, horizon: int, options: dict[str, Any]) -> Callable[[], object]:
    from jedi_sdk.dream.tianshou import DreamVectorEnv

    envs = DreamVectorEnv(agent.dream_env(n, horizon, autoreset_mode="Disabled", **options))
    envs.reset()
    act = _actions(agent, n)

    def step() -> None:
        _, _, term, trunc, _ = envs.step(act())
        done = np.flatnonzero(term | trunc)
        if len(done):
            envs.reset(done)

    return step


def _torchrl(agent: JEDI, n: int, horizon: int, options: dict[str, Any]) -> Callable[[], object]:
    from jedi_sdk.dream.torchrl import DreamTensorEnv

    envs = DreamTensorEnv(agent.dream_env(n, horizon, autoreset_mode="Disabled", to_numpy=False, **options))
    now = envs.reset()
    act = _actions(agent, n)

    def step() -> None:
        nonlocal now
        _, now = envs.step_and_maybe_reset(now.set("action", torch.from_numpy(act())))

    return step


def _actions(agent: JEDI, n: int) -> Callable[[], np.ndarray]:
    rng = np.random.default_rng(0)
    return lambda: rng.integers(agent.world_model.num_actions, size=n)


def _singles(agent: JEDI, n: int, options: dict[str, Any], steps: int) -> float:
    """Seconds for one step of each of ``n`` single dreams."""
    envs = [SingleDreamEnv(agent.dream(1, 10**6, **options)) for _ in range(n)]
    for env in envs:
        env.reset(seed=0)
    rng, times = np.random.default_rng(0), []
    for _ in range(steps):
        start = time.perf_counter()
        for env in envs:
            _, _, term, _, _ = env.step(int(rng.integers(agent.world_model.num_actions)))
            if term:
                env.reset()
        times.append(time.perf_counter() - start)
    return float(np.median(times))
