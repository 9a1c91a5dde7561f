"""YAML as people write it. Apart from ``load.py``, so that only those who have some wait for PyYAML's import."""

from __future__ import annotations

import re
from typing import Any

import yaml
from yaml import YAMLError

__all__ = ["YAMLError", "read", "write"]


def read(text: str) -> Any:
    """Raises ``YAMLError``."""
    return yaml.load(text, Loader=_Loader)


def write(values: dict[str, Any]) -> str:
    """In their order, each list on one line."""
    return yaml.dump(values, Dumper=_Dumper, sort_keys=False)


# YAML 1.1, which PyYAML speaks, takes 1e-4 for text because it has no dot. People mean the number.
class _Loader(yaml.SafeLoader):
    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """PyYAML keeps the last of two equal keys and says nothing."""
        keys = [key.value for key, _ in node.value]
        if twice := {key for key in keys if keys.count(key) > 1}:
            raise YAMLError(f"{min(twice)}: is there twice{node.start_mark}; write all of it in one place")
        return super().construct_mapping(node, deep)


class _Dumper(yaml.SafeDumper): ...


for _side in (_Loader, _Dumper):
    _side.add_implicit_resolver("tag:yaml.org,2002:float", re.compile(r"[-+]?\d+[eE][-+]?\d+$"), list("-+0123456789"))
_Dumper.add_representer(
    list, lambda dumper, items: dumper.represent_sequence("tag:yaml.org,2002:seq", items, flow_style=True)
)
