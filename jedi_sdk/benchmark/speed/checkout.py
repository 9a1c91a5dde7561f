"""A local checkout of DIAMOND (github eloialonso/diamond): its modules, and its configuration made into its objects."""

from __future__ import annotations

import importlib
import importlib.util
import math
import sys
from functools import reduce
from pathlib import Path
from types import ModuleType
from typing import Any

from jedi_sdk.config import ConfigError
from jedi_sdk.load import load_yaml

NEVER_CALLED = ("wandb", "omegaconf", "hydra")  # imported by it to log and to read settings, neither of which is timed


def refuse_other_folders(path: Path) -> None:
    """Raises ``ConfigError`` where ``path`` is no checkout."""
    if not (path / "src" / "models" / "diffusion").is_dir():
        raise ConfigError(
            f"{path} holds no src/models/diffusion, so it is no checkout of DIAMOND; "
            "clone github.com/eloialonso/diamond and give that folder: --against diamond"
        )


class Checkout:
    """Its code can be imported as long as this process lives: a process of its own, please."""

    def __init__(self, path: Path) -> None:
        refuse_other_folders(path)
        self.path = path
        config = path / "config"
        self.settings = load_yaml(config / "trainer.yaml")
        self.settings["agent"] = load_yaml(config / "agent" / "default.yaml")
        self.settings["env"] = load_yaml(config / "env" / "atari.yaml")
        sys.path.insert(0, str(path / "src"))
        for name in NEVER_CALLED:
            if importlib.util.find_spec(name) is None:
                sys.modules[name] = _stand_in(name)

    def get(self, dotted: str) -> Any:
        """A module's attribute, such as ``envs.WorldModelEnv``. Raises ``ConfigError`` where a package is missing."""
        module, _, name = dotted.rpartition(".")
        try:
            return getattr(importlib.import_module(module), name)
        except ModuleNotFoundError as error:
            raise ConfigError(
                f"DIAMOND in {self.path} needs {error.name}, which is not here: pip install {error.name}"
            ) from error

    def make(self, dotted: str, **extra: Any) -> Any:
        """What stands in its configuration at ``dotted``: a value, or the object it describes."""
        return self._made(reduce(lambda node, key: node[key], dotted.split("."), self.settings), **extra)

    def _made(self, node: Any, **extra: Any) -> Any:
        if isinstance(node, str) and node.startswith("${"):
            return math.inf if "inf" in node else self.make(node[2:-1])
        if not isinstance(node, dict):
            return node
        fields = {key: self._made(value) for key, value in node.items() if key != "_target_"} | extra
        return self.get(node["_target_"])(**fields) if "_target_" in node else fields


def _stand_in(name: str) -> ModuleType:
    """An empty module from which any name can be imported."""
    module = ModuleType(name)
    module.__getattr__ = lambda attribute: None  # type: ignore[method-assign]
    module.__path__ = []  # its submodules are looked for among sys.modules
    sys.modules[f"{name}.utils"] = module
    return module
