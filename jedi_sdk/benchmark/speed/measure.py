"""Ours beside pixel diffusion, and beside DIAMOND itself where a checkout is given: one run, one machine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from jedi_sdk.benchmark.speed.ceilings import Machine
from jedi_sdk.benchmark.speed.race import Job, Race
from jedi_sdk.benchmark.speed.result import Speed
from jedi_sdk.benchmark.speed.rows import Rows, Sampling, Training, updates_take
from jedi_sdk.benchmark.speed.sides import Spec, all_sides, started
from jedi_sdk.config import Config
from jedi_sdk.fidelity.progress import Progress, part, silent
from jedi_sdk.learner import PARTS
from jedi_sdk.load import build_config
from jedi_sdk.precision import choose_device, choose_precision
from jedi_sdk.process_env import SETTINGS, process_env

DREAMS = (1, 32, 256)
LONG = 60.0  # seconds; an epoch that would take longer is extrapolated


def measure_speed(
    game: str = "breakout",
    preset: str = "atari100k",
    device: str = "auto",
    dtype: str = "auto",
    compiled: bool = False,
    dreams: Sequence[int] = DREAMS,
    repeats: int = 5,
    budget: float = 60.0,
    against: Path | None = None,
    progress: Progress = silent,
) -> Speed:
    """Times sampling and training of all sides in turns, each in processes of its own, on random frames.

    ``repeats`` rounds; of what is slow only as many as fit into ``budget`` seconds a row and side. Raises
    ``SpeedError`` when a side cannot be timed, ``ConfigError`` and ``DeviceError`` for what cannot be asked.
    """
    config = build_config(game, preset=preset)
    precision = choose_precision(choose_device(device), dtype)
    sides = all_sides(game, preset, precision, compiled, against)
    sampling = _sample(sides, dreams, repeats, budget, part(progress, 0.0, 0.4))
    training = _train(sides, config, repeats, budget, part(progress, 0.4, 1.0))
    return Speed(
        game=game,
        preset=preset,
        batch_size=config.optim.batch_size,
        horizon=config.actor_critic.horizon,
        compiled=compiled,
        environment={name: process_env().get(name, "default") for name in (*SETTINGS, "OMP_WAIT_POLICY")},
        machine=sampling.machine,
        parameters=sampling.parameters,
        rows=Rows(config, sampling, training).all(),
    )


def _sample(
    sides: Mapping[str, Spec], dreams: Sequence[int], repeats: int, budget: float, progress: Progress
) -> Sampling:
    with started(sides) as children:
        race = Race(children, [Job("sample", n) for n in dreams], repeats, budget)
        race.run(progress)
        memory = {side: child.ask("memory") for side, child in children.items()}
        parameters = {side: child.ask("parameters") for side, child in children.items()}
        machine = Machine(**next(iter(children.values())).ask("machine"))
    return Sampling(race, memory, parameters, machine)


def _train(sides: Mapping[str, Spec], config: Config, repeats: int, budget: float, progress: Progress) -> Training:
    n, epoch = config.optim.batch_size, config.schedule.epoch
    updates = {name: getattr(epoch, name) for name in PARTS}
    with started(sides) as children:
        race = Race(children, [Job(name, n) for name in PARTS], repeats, budget)
        race.run(progress)
        memory = {side: child.ask("memory") for side, child in children.items()}
        short = [side for side in sides if updates_take(race, side, epoch) <= LONG]
        epochs = {side: children[side].ask("epoch", n=n, updates=updates) for side in short}
    return Training(race, memory, epochs)
