"""For maintainers: enters an embedded agent into ``zoo.json``, and writes the zoo's page from the agents' cards.

``python -m jedi_sdk.hub.register catch v1 docs/zoo.md``, when ``jedi_sdk/zoo/catch`` holds what was exported.
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path

from jedi_sdk import checkpoint

from .card import scores
from .results import read_results
from .zoo import EMBEDDED, LIST, ORG, Entry, entries


def entry_of(name: str, revision: str) -> Entry:
    """What ``zoo.json`` is to say of the embedded ``name``, which the Hub has as the tag ``revision``."""
    folder = EMBEDDED / name
    checkpoint.verify(folder)
    results = read_results(folder)
    files = {file: folder / file for file in checkpoint.PUBLIC_FILES if (folder / file).exists()}
    return Entry(
        name=name,
        repo=f"{ORG}/{name}",
        revision=revision,
        embedded=revision,
        game=results["game"],
        mean=results["mean"],
        stderr=results["stderr"],
        episodes=results["episodes"],
        size=sum(path.stat().st_size for path in files.values()),
        files={file: checkpoint.sha256(path) for file, path in files.items()},
    )


def register(entry: Entry) -> None:
    listed = {name: asdict(known) for name, known in {**entries(), entry.name: entry}.items()}
    without_names = {name: {k: v for k, v in values.items() if k != "name"} for name, values in listed.items()}
    LIST.write_text(json.dumps(without_names, indent=2) + "\n", encoding="utf-8")


def page() -> str:
    """``docs/zoo.md``: the zoo as its own files describe it."""
    rows = [
        "| " + " | ".join([f"[`{entry.name}`](#{entry.name})", *entry.row()[1:]]) + " |" for entry in entries().values()
    ]
    table = ["| name | game | mean return ± s.e. (games) | size |", "|---|---|---|---|", *rows, ""]
    return "\n".join([_HEAD, *table, *(_section(entry) for entry in entries().values())])


def _section(entry: Entry) -> str:
    results = read_results(entry.folder)
    measured = scores(results).replace("## Score\n\n", "")
    made = f"Made by\n\n```bash\n{results['training_command']}\n```\n" if results["training_command"] else ""
    return f"## {entry.name}\n\nOn the Hub: `{entry.repo}`, revision `{entry.revision}`.\n\n{measured}\n{made}"


_HEAD = """# The zoo

Agents with a short name. `jedi models` lists them with the place where each of them is now; `jedi eval NAME` plays
one, and in Python `JEDI.from_pretrained(NAME)` loads it. This page is generated from the agents' own `results.json`.
"""

if __name__ == "__main__":
    name, revision, where = sys.argv[1:]
    register(entry_of(name, revision))
    Path(where).write_text(page(), encoding="utf-8")
