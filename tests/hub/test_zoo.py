"""The agents that come with the package: they are what was registered, and play as their cards say."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from jedi_sdk import JEDI
from jedi_sdk.checkpoint import PUBLIC_FILES, read_card
from jedi_sdk.hub import Entry, entries, read_results
from jedi_sdk.hub.commands import training_command
from jedi_sdk.hub.machine import machine
from jedi_sdk.hub.register import entry_of, page

ROOT = Path(__file__).parents[2]
MOST_BYTES = 16_000_000
ZOO = list(entries().values())
NOT_TO_LOAD = (
    *("ale_py", "av", "cv2", "huggingface_hub", "imageio", "matplotlib", "rich", "tensorboard", "yaml"),
    *("jedi_sdk.dream_film", "jedi_sdk.evaluate", "jedi_sdk.fidelity", "jedi_sdk.fit_probe"),
    *("jedi_sdk.learner", "jedi_sdk.monitor", "jedi_sdk.train"),
)


def named(entry: Entry) -> str:
    return entry.name


@pytest.mark.parametrize("entry", ZOO, ids=named)
def test_what_is_embedded_is_what_was_registered(entry: Entry) -> None:
    assert entry.embedded is not None
    assert entry_of(entry.name, entry.embedded) == entry
    assert {path.name for path in entry.folder.iterdir()} == set(PUBLIC_FILES)


def test_the_zoo_is_small() -> None:
    assert sum(entry.size for entry in ZOO) <= MOST_BYTES


def test_the_page_is_made_from_the_cards() -> None:
    written = (ROOT / "docs" / "zoo.md").read_text(encoding="utf-8")
    assert written == page(), "python -m jedi_sdk.hub.register NAME REVISION docs/zoo.md writes it anew"


@pytest.mark.parametrize("entry", ZOO, ids=named)
def test_a_card_says_what_the_results_say(entry: Entry) -> None:
    card, results = (entry.folder / "README.md").read_text(encoding="utf-8"), read_results(entry.folder)
    assert f"{results['mean']:.2f} ± {results['stderr']:.2f}" in card
    assert f'JEDI.from_pretrained("{entry.name}")' in card
    assert results["command"] in card
    assert f"jedi eval {entry.name} " in results["command"]


@pytest.mark.parametrize("entry", ZOO, ids=named)
def test_a_cards_command_still_means_what_the_agent_was_trained_with(entry: Entry) -> None:
    """A default that has changed since belongs into the command."""
    made_by = read_results(entry.folder)["training_command"]
    assert made_by == training_command(read_card(entry.folder))
    assert made_by in (entry.folder / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("entry", [entry for entry in ZOO if entry.game == "catch"], ids=named)
def test_the_score_of_a_quick_game_is_reproduced(entry: Entry) -> None:
    reproduce(entry)


@pytest.mark.slow
@pytest.mark.parametrize("entry", ZOO, ids=named)
def test_every_score_is_reproduced(entry: Entry) -> None:
    reproduce(entry)


@pytest.mark.parametrize("entry", [entry for entry in ZOO if entry.game != "catch"], ids=named)
def test_a_few_games_agree_with_the_score(entry: Entry) -> None:
    """Eight games cannot contradict a mean by more than their own spread allows."""
    few = JEDI.from_pretrained(entry.name, device="cpu").evaluate(8, seed=12345, progress=False)
    spread = read_results(entry.folder)["std"] / 8**0.5
    assert abs(few.mean - entry.mean) <= 4 * spread


def reproduce(entry: Entry) -> None:
    """Game for game where the same machine measured it; elsewhere arithmetic differs in its last digits."""
    card = read_results(entry.folder)
    agent = JEDI.from_pretrained(entry.name, device="cpu")
    again = agent.evaluate(card["episodes"], card["deterministic"], card["seed"], progress=False)
    here = machine("cpu")
    if all(card[name] == here[name] for name in ("hardware", "torch")):
        assert again.scores == card["scores"]
    one_game = (card["max"] - card["min"] or 1.0) / card["episodes"]
    assert abs(again.mean - card["mean"]) <= 4 * (again.stderr**2 + card["stderr"] ** 2) ** 0.5 + 2 * one_game


@pytest.mark.parametrize("entry", ZOO, ids=named)
def test_loading_brings_nothing_that_is_not_needed(entry: Entry) -> None:
    """Half a second is soon gone with imports."""
    ask = (
        f"import sys\nfrom jedi_sdk import JEDI\nJEDI.from_pretrained({entry.name!r}, device='cpu')\n"
        f"print([name for name in {NOT_TO_LOAD!r} if name in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", ask], text=True, capture_output=True, check=True)
    assert run.stdout == "[]\n"
