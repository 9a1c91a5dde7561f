"""What ``config.json`` must hold, and how what was written by older versions becomes that.

A setting that is added to ``config.py`` needs a new schema: what older checkpoints lack must keep the meaning that
it had when they were made, whatever the default is by then. So each schema has a function here that brings its files
to the next one, on plain dicts, and a file of the newest schema must name every setting.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from jedi_sdk.checkpoint.names import CheckpointError
from jedi_sdk.settings import flatten, nest

SCHEMA = 10
Values = dict[str, Any]

ABSENT_IN_1 = {  # what settings mean that schema 1, or its older files, did not have
    "run.probe": True,
    "space": "latent",
    "pixel.channels": 64,
    "pixel.heads_channels": 32,
    "pixel.depths": [2, 2, 2, 2],
}


def _from_1(old: Values) -> Values:
    """Schema 1 said ``format`` for the version, and little that the config does not say."""
    said = {name: value for name, value in old.items() if name not in ("format", "config")}
    if unknown := sorted(said.keys() - {"num_actions", "device", "dtype", "custom"}):
        raise KeyError(unknown[0])
    config = nest(ABSENT_IN_1 | flatten(old["config"]))
    return {
        "schema_version": 2,
        "library_version": "0.1.0",
        "game": config["game"],
        "preset": config["preset"],
        "objective": config["objective_name"],
        "action_meanings": None,
        "parameters": {},
        "custom": {},
        **said,
        "config": config,
    }


def _from_2(old: Values) -> Values:
    """Runs of schema 2 began with fresh networks, or did not say with whose; and nobody explored."""
    settings = flatten(old["config"])
    before = {"begun_with": None, "env_steps_before": 0, "updates_before": 0, "begun_by": []}
    if early := sorted((old.keys() & before.keys()) | (settings.keys() & {"env.explorers"})):
        raise KeyError(early[0])
    config = nest({"env.explorers": 0} | settings)
    return {**old, "schema_version": 3, **before, "config": config}


def _lacking(meant: Values, newer: int) -> Callable[[Values], Values]:
    """To schema ``newer``, which has more settings: these, with what they ``meant`` before."""

    def migrate(old: Values) -> Values:
        settings = flatten(old["config"])
        if early := sorted(settings.keys() & meant.keys()):
            raise KeyError(early[0])
        return {**old, "schema_version": newer, "config": nest(meant | settings)}

    return migrate


# from each schema to the next
MIGRATIONS: dict[int, Callable[[Values], Values]] = {
    1: _from_1,
    2: _from_2,
    3: _lacking({"optim.weights_ema": 0.0}, newer=4),  # dreamed with the weights as they were trained
    4: _lacking({"run.compile": False}, newer=5),  # compiled nothing
    5: _lacking({"actor_critic.reward": "sample"}, newer=6),
    6: _lacking({"encoder.start": "random"}, newer=7),
    7: _lacking({"heads.reads": "pair", "heads.dropout": 0.0}, newer=8),
    8: _lacking(
        {
            "env.explore_steps": 0,
            "actor_critic.gradient_steps": 1,
            "actor_critic.clip_range": 0.2,
            "actor_critic.normalize_advantage": False,
        },
        newer=9,
    ),
    9: _lacking({"optim.policy_ema": 0.0}, newer=10),  # played with the weights as they were trained
}


def to_newest(values: Values) -> Values:
    """``values`` of any schema as the newest one has them. Raises ``CheckpointError``."""
    version = values.get("schema_version", values.get("format"))
    if type(version) is not int or version < (1 if "format" in values else 2):
        raise CheckpointError(f"its schema_version is {_short(version)}; it must be a number from 2 to {SCHEMA}")
    if version > SCHEMA:
        raise CheckpointError(f"made by a newer jedi-sdk (schema {version}, this one reads {SCHEMA}): upgrade it")
    for older in range(version, SCHEMA):
        try:
            values = MIGRATIONS[older](values)
        except (KeyError, TypeError, AttributeError) as error:
            raise CheckpointError(f"it is not what schema {older} has ({type(error).__name__}: {error})") from error
    return values


def refuse_other_keys(given: Any, known: Mapping[str, Any], group: str = "") -> None:
    """``given`` must have the keys of ``known``, no more and no less, in all groups. An empty group may hold any."""
    if not isinstance(given, dict):
        raise CheckpointError(f"its {group.rstrip('.')} is {_short(given)}, and must be a group")
    if unknown := sorted(given.keys() - known.keys()):
        raise CheckpointError(f"it says {group}{_short(unknown[0])}, which schema {SCHEMA} does not have")
    if missing := sorted(known.keys() - given.keys()):
        raise CheckpointError(f"it does not say {group}{missing[0]}, which schema {SCHEMA} has")
    for name, inner in known.items():
        if isinstance(inner, Mapping) and inner:
            refuse_other_keys(given[name], inner, f"{group}{name}.")
        elif isinstance(given[name], dict) and inner != {}:
            raise CheckpointError(f"its {group}{name} is a group, and must be a value")


def _short(value: Any) -> str:
    return repr(value)[:80]
