"""The card: what ``config.json`` says of an agent, and all that must be known before its networks can be built."""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any

from msgspec import Meta

from jedi_sdk.checkpoint.manifest import verify
from jedi_sdk.checkpoint.names import CONFIG, CheckpointError
from jedi_sdk.checkpoint.own_file import read_json
from jedi_sdk.checkpoint.schema import SCHEMA, refuse_other_keys, to_newest
from jedi_sdk.checkpoint.typed import checked
from jedi_sdk.config import Config, ConfigError
from jedi_sdk.load import config_from_dict, config_to_dict

Word = Annotated[str, Meta(max_length=100)]
Line = Annotated[str, Meta(max_length=1000)]  # a folder's name, a setting with its value
Part = Annotated[str, Meta(pattern=r"^(encoder|denoiser|heads|actor_critic)\Z")]
Count = Annotated[int, Meta(ge=0)]
LABELS = {"game": "game", "preset": "preset", "objective": "objective_name"}  # said beside the config too, for people


@dataclass(frozen=True)
class Card:
    """``custom`` names parts passed by argument, with their class; ``action_meanings`` has a word for each action,
    where the game says them; ``parameters`` counts each part's; ``library_version`` is the one that wrote it.
    ``begun_with``: another agent, whose weights the run began with, after so many real steps and updates;
    ``begun_by``: the options of ``jedi train`` that did so.
    """

    config: Config
    num_actions: Annotated[int, Meta(ge=1, le=4096)]
    device: Annotated[str, Meta(pattern=r"^[a-z]{2,16}\Z")]
    dtype: Annotated[str, Meta(pattern=r"^(float32|bfloat16)\Z")]
    custom: dict[Part, Word] = field(default_factory=dict)
    action_meanings: tuple[Word, ...] | None = None
    parameters: dict[Part, Count] = field(default_factory=dict)
    library_version: Word = field(default_factory=lambda: version("jedi-sdk"))
    begun_with: Line | None = None
    env_steps_before: Count = 0
    updates_before: Count = 0
    begun_by: tuple[Line, ...] = ()

    def to_json(self) -> dict[str, Any]:
        config = config_to_dict(self.config)
        labels = {label: config[key] for label, key in LABELS.items()}
        said = {name: value for name, value in vars(self).items() if name != "config"}
        return {"schema_version": SCHEMA, **labels, **said, "config": config}

    @staticmethod
    def from_json(values: dict[str, Any]) -> Card:
        """Of any schema. Raises ``CheckpointError`` or ``ConfigError``."""
        values = to_newest(values)
        refuse_other_keys(values, EXAMPLE)
        config = config_from_dict(values["config"])
        for label, key in LABELS.items():
            if checked(Word, values[label], "its", label) != getattr(config, key):
                raise CheckpointError(f"its {label} is {values[label]!r}, but not so the {key} in its config")
        said = {name: value for name, value in values.items() if name not in ("schema_version", *LABELS)}
        card: Card = checked(Card, {**said, "config": config}, "its")
        if card.action_meanings is not None and len(card.action_meanings) != card.num_actions:
            raise CheckpointError(f"it has {len(card.action_meanings)} action_meanings for {card.num_actions} actions")
        return card


EXAMPLE = Card(Config(), 1, "cpu", "float32", library_version="").to_json()


def read_card(folder: Path) -> Card:
    """What ``folder`` holds, each of its files whole. Raises ``CheckpointError``."""
    verify(folder)
    values = read_json(folder / CONFIG)
    try:
        return Card.from_json(values)
    except (CheckpointError, ConfigError) as error:
        raise CheckpointError(f"{folder / CONFIG} cannot be used: {error}") from error
