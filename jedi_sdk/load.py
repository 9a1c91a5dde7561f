"""From names, files and ``--set a.b=c`` to one checked ``Config``, and back to YAML.

Later sources win: preset < objective < file < single settings.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, is_dataclass, replace
from pathlib import Path
from typing import Any, get_type_hints

import msgspec

from jedi_sdk.check import check, check_name, unknown_key, wrong_type
from jedi_sdk.config import Config, ConfigError
from jedi_sdk.presets import OBJECTIVES, PRESETS, default_objective, default_preset, in_pixels
from jedi_sdk.settings import Settings, flatten, nest


def build_config(
    game: str,
    *,
    preset: str | None = None,
    objective: str | None = None,
    file: Path | None = None,
    overrides: Sequence[str] = (),
    seed: int | None = None,
    device: str = "cpu",
) -> Config:
    """The configuration of a run: preset < objective < ``file`` < ``overrides`` (``"a.b=c"`` each).

    The file may name its own ``preset:`` and ``objective_name:``; ``device`` decides only which preset is
    taken when none is named. Raises ``ConfigError`` with every problem found, one a line.
    """
    in_call = {"game": game, "preset": preset, "objective_name": objective, "seed": seed}
    in_call = {key: value for key, value in in_call.items() if value is not None}
    in_file = flatten(load_yaml(file)) if file else {}
    _refuse_second_name(in_call, in_file, file)
    own = _parse(overrides)
    if "game" in own:
        raise ConfigError(f"the game is no setting: name it in its place, as in jedi train {own['game']}")
    settings = in_file | in_call | own
    return _overlay(_base(settings, device), settings)


def changed_settings(config: Config, overrides: Sequence[str]) -> Config:
    """The settings of an agent that is there, with ``overrides`` (``"a.b=c"`` each) on top. Raises ``ConfigError``."""
    settings = _parse(overrides)
    if fixed := settings.keys() & {"game", "space", "preset", "objective_name"}:
        raise ConfigError(
            f"an agent that was trained keeps its {min(fixed)}: leave it out, or start a new agent, jedi train GAME"
        )
    return _overlay(config, settings) if settings else config


def config_to_dict(config: Config) -> dict[str, Any]:
    """Nested dicts of what JSON and YAML know (tuples become lists)."""
    return json.loads(json.dumps(asdict(config)))


def config_from_dict(data: Mapping[str, Any]) -> Config:
    """The inverse of ``config_to_dict``; a key that is absent keeps its default. Raises ``ConfigError``."""
    return _overlay(Config(), flatten(data))


def dump_yaml(config: Config) -> str:
    """All settings as YAML; ``load_yaml`` and ``build_config(file=…)`` read it back unchanged."""
    from jedi_sdk import yaml_text

    return yaml_text.write(config_to_dict(config))


def load_yaml(path: Path | str) -> dict[str, Any]:
    """The settings in a YAML file, as written. Raises ``ConfigError`` if it is no such file."""
    from jedi_sdk import yaml_text

    try:
        data = yaml_text.read(Path(path).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot read the configuration {path} ({error}); give a YAML file") from error
    except yaml_text.YAMLError as error:
        raise ConfigError(f"{path} is not YAML: {error}") from error
    if not isinstance(data, dict | None):
        raise ConfigError(f"{path} holds no settings; write lines such as `seed: 1`")
    return data or {}


def _parse(overrides: Iterable[str]) -> Settings:
    settings: Settings = {}
    for text in overrides:
        key, equals, value = (part.strip() for part in text.partition("="))
        if not (key and equals and value):
            raise ConfigError(f"{text!r} is not key=value; write for example denoiser.channels=96")
        settings |= flatten({key: _value(key, value)})
    return settings


def _value(key: str, text: str) -> Any:
    from jedi_sdk import yaml_text

    try:
        return yaml_text.read(text)
    except yaml_text.YAMLError as error:
        raise ConfigError(f"{key}: {text!r} is not YAML; write a list as {key}=[1, 2]") from error


def _base(settings: Settings, device: str) -> Config:
    """The preset and the objective that ``settings`` name, before any single setting."""
    preset = settings.get("preset", default_preset(settings["game"], device))
    space = settings.get("space", "latent")
    objective = settings.get("objective_name", default_objective(space))
    check_name("preset", preset, PRESETS)
    check_name("objective", objective, OBJECTIVES)
    if objective == "pixel" and space != "pixel":
        raise ConfigError("the objective pixel is for frames without an encoder: write space=pixel, which brings it")
    taken = in_pixels(PRESETS[preset]) if space == "pixel" else PRESETS[preset]
    return (
        taken if objective == "default" else replace(taken, objective=OBJECTIVES[objective], objective_name=objective)
    )


def _refuse_second_name(in_call: Settings, in_file: Settings, file: Path | None) -> None:
    """A file's values win over a preset's, so a second name would change the label and little else."""
    for key in in_call.keys() & in_file.keys() & {"preset", "objective_name"}:
        if in_call[key] != in_file[key]:
            raise ConfigError(
                f"{file} says {key}: {in_file[key]}, and {in_call[key]} was asked for beside it; "
                f"drop one, or write the single settings to change, as in --set objective.predict=latent"
            )


def _overlay(base: Config, settings: Settings) -> Config:
    """``base`` with ``settings`` on top, types checked strictly: 1.5 is no int, 1 no bool, "1" no number."""
    known = flatten(config_to_dict(base))
    merged = _plain(known | {key: value for key, value in settings.items() if key in known})
    unknown = [unknown_key(key, value, known) for key, value in settings.items() if key not in known]
    try:
        config = msgspec.convert(nest(merged), Config)
    except msgspec.ValidationError:
        raise ConfigError("\n".join(unknown + _wrong_types(merged, known))) from None
    if unknown:
        raise ConfigError("\n".join(unknown))
    check(config)
    return config


def _wrong_types(merged: Settings, known: Settings) -> list[str]:
    """msgspec stops at the first that is wrong, so each setting is tried on its own."""
    kinds = _kinds(Config)
    return [wrong_type(key, merged[key], kinds[key], known) for key in merged if not _fits(merged[key], kinds[key])]


def _fits(value: object, kind: Any) -> bool:
    try:
        msgspec.convert(value, kind)
    except msgspec.ValidationError:
        return False
    return True


def _kinds(group: Any, prefix: str = "") -> dict[str, Any]:
    """The type of each dotted key in the dataclass ``group``."""
    kinds: dict[str, Any] = {}
    for name, kind in get_type_hints(group).items():
        kinds |= _kinds(kind, f"{prefix}{name}.") if is_dataclass(kind) else {f"{prefix}{name}": kind}
    return kinds


def _plain(settings: Settings) -> Settings:
    """As JSON would have them: what YAML knows beyond that, such as dates and sets, is text and fits no setting."""
    return json.loads(json.dumps(settings, default=str))
