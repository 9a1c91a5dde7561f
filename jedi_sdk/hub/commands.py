"""The commands that make an agent, and that measure it again."""

from __future__ import annotations

import json
import shlex
from typing import TYPE_CHECKING

from jedi_sdk.checkpoint import Card
from jedi_sdk.config import Config, ConfigError
from jedi_sdk.load import build_config, config_to_dict
from jedi_sdk.settings import flatten

if TYPE_CHECKING:
    from jedi_sdk.evaluate import Evaluation


def evaluation_command(name: str, result: Evaluation) -> str:
    greedy = " --greedy" if result.deterministic else ""
    return f"jedi eval {shlex.quote(name)} --episodes {result.episodes} --seed {result.seed}{greedy}"


def training_command(card: Card) -> str | None:
    """None where Python code had a share in it: a game given as a function, or a part of one's own."""
    config = card.config
    if card.custom or config.game.startswith("callable:"):
        return None
    if card.begun_by:
        goal = ["--env-steps", str(config.schedule.env_steps)]
        return shlex.join(["jedi", "train", *card.begun_by, "--seed", str(config.seed), *goal])
    preset, objective = config.preset, config.objective_name
    try:
        plain = build_config(config.game, preset=preset, objective=objective, seed=config.seed)
    except ConfigError:  # a preset of this name is no more
        return None
    named = ["--preset", preset, "--objective", objective, "--seed", str(config.seed)]
    return shlex.join(["jedi", "train", config.game, *named, *settings(config, plain)])


def settings(config: Config, plain: Config) -> list[str]:
    """``--set`` for all that makes ``config`` of ``plain``, and that matters."""
    before, now = flatten(config_to_dict(plain)), flatten(config_to_dict(config))
    idle = "pixel." if config.space == "latent" else "-"
    changed = [f"{key}={json.dumps(v)}" for key, v in now.items() if before[key] != v and not key.startswith(idle)]
    return [word for setting in changed for word in ("--set", setting)]
