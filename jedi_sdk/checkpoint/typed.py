"""A stranger's JSON as our types: no key more, no key less, and no value made to fit.

msgspec judges single values and lists. Groups are opened here, because it takes unknown keys of a dataclass, and does
not say which key of a mapping it refused.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import is_dataclass
from typing import Any, Literal, NoReturn, get_args, get_origin, get_type_hints
from unicodedata import category

import msgspec

from jedi_sdk.checkpoint.names import CheckpointError


def checked(kind: Any, value: Any, begin: str, key: str = "") -> Any:
    """``value`` as a ``kind``, which is a dataclass or what its fields may be. Raises ``CheckpointError``: ``begin``,
    the dotted key (``key`` is where ``value`` lies), what is there and what is expected."""
    group = next(filter(is_dataclass, (kind, *get_args(kind))), None)  # itself, or that of `Group | None`
    if group is not None and isinstance(value, dict):
        return _group(group, value, begin, key)
    if get_origin(kind) is dict and isinstance(value, dict):
        return _mapping(kind, value, begin, key)
    return _single(kind, value, begin, key)


def _group(kind: Any, values: Mapping[str, Any], begin: str, key: str) -> Any:
    kinds = get_type_hints(kind, include_extras=True)
    for name in values:
        if name not in kinds:
            _refuse(begin, _within(key, name), values[name], "there is no such key")
    for name in kinds:
        if name not in values:
            raise CheckpointError(f"{begin} {_within(key, name)!r:.80} is missing")
    return kind(**{name: checked(kinds[name], value, begin, _within(key, name)) for name, value in values.items()})


def _mapping(kind: Any, values: Mapping[str, Any], begin: str, key: str) -> dict[str, Any]:
    names, items = get_args(kind)
    return {
        _single(names, name, begin, _within(key, name)): checked(items, value, begin, _within(key, name))
        for name, value in values.items()
    }


def _single(kind: Any, value: Any, begin: str, key: str) -> Any:
    try:
        made = msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        if get_origin(kind) is Literal:
            _refuse(begin, key, value, f"expected {' or '.join(map(repr, get_args(kind)))}")
        why, _, place = str(error).partition(" - at `$")  # `$[2]` in a list
        for index in map(int, re.findall(r"\d+", place)):
            key, value = _within(key, index), value[index]
        _refuse(begin, key, value, why[0].lower() + why[1:])
    if any(category(letter).startswith("C") for text in _texts(made) for letter in text):
        _refuse(begin, key, value, "it has characters that a terminal would act on, or cannot show")
    return made


def _texts(value: Any) -> list[str]:
    return [item for item in (value if isinstance(value, tuple) else (value,)) if isinstance(item, str)]


def _within(key: str, name: object) -> str:
    return f"{key}.{name}" if key else str(name)


def _refuse(begin: str, key: str, value: Any, why: str) -> NoReturn:
    raise CheckpointError(f"{begin} {key!r:.80} is {value!r:.80}: {why}")
