"""The model card: what people and the Hub read about an agent. Generated from the files beside it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from jedi_sdk import checkpoint
from jedi_sdk.checkpoint import CURVE, Card

PAPER = "2605.13013"
TASK = "reinforcement-learning"


def write_card(folder: Path, name: str, card: Card, results: dict[str, Any] | None) -> None:
    """``README.md`` in ``folder``; ``name`` is what others will load it by, ``results`` those of ``results.json``."""
    text = f"---\n{_metadata(name, card, results)}\n---\n\n{_body(folder, name, card, results)}"
    (folder / checkpoint.README).write_text(text, encoding="utf-8")


def _metadata(name: str, card: Card, results: dict[str, Any] | None) -> str:
    from huggingface_hub import EvalResult, ModelCardData

    measured = None
    if results is not None:
        error = f" +/- {results['stderr']:.2f}" if results["episodes"] > 1 else ""
        measured = [
            EvalResult(
                task_type=TASK,
                task_name=TASK.replace("-", " "),
                dataset_type=results["game"],
                dataset_name=results["game"],
                metric_type="mean_reward",
                metric_name="mean return",
                metric_value=f"{results['mean']:.2f}{error}",
            )
        ]
    return ModelCardData(
        license="mit",
        library_name="jedi-sdk",
        pipeline_tag=TASK,
        tags=["jedi", "world-model", card.config.game.removeprefix("callable:"), f"arxiv:{PAPER}"],
        model_name=name,
        eval_results=measured,
    ).to_yaml()


def _body(folder: Path, name: str, card: Card, results: dict[str, Any] | None) -> str:
    game = card.config.game.removeprefix("callable:")
    parts = [f"# JEDI plays {game}\n", _WHAT.format(game=game, paper=PAPER), _USE.format(name=name)]
    if results is not None:
        parts += [scores(results), *_training(folder, card, results)]
    if (folder / checkpoint.VIDEO).exists():
        parts.append(f"## Film\n\n[{checkpoint.VIDEO}]({checkpoint.VIDEO}) shows it playing.\n")
    return "\n".join([*parts, "## Licence\n\nMIT.\n"])


_WHAT = """An agent of [JEDI](https://arxiv.org/abs/{paper}) (arXiv {paper}) for the game `{game}`: an encoder, a
diffusion model of the next latent, and a policy that was trained in imagined latents alone. Made with `jedi-sdk`.
"""

_USE = """```python
from jedi_sdk import JEDI

agent = JEDI.from_pretrained("{name}")
act, state = agent.predict(obs)  # obs: uint8 (64, 64, 3); pass state back in at the next step
```
"""


def scores(results: dict[str, Any]) -> str:
    """The table of what was measured, and the command that measures it again."""
    error = f"± {results['stderr']:.2f} (standard error)" if results["episodes"] > 1 else "(one game: error unknown)"
    rows = {"mean return": f"{results['mean']:.2f} {error}"}
    if results["human"] is not None:
        rows |= {"random player": f"{results['random']:g}", "human": f"{results['human']:g}"}
        rows["human-normalised"] = f"{results['hns']:.3f}"
    rows["real games"] = f"{results['episodes']}, whole, seed {results['seed']}"
    rows["cut by the game's step limit"] = str(results["cut"])
    rows["actions"] = "the likeliest" if results["deterministic"] else "drawn from the policy"
    rows["measured on"] = _hardware(results["hardware"])
    lines = [f"| {name} | {value} |" for name, value in rows.items()]
    return "\n".join(["## Score\n", "| | |", "|---|---|", *lines, "", _command(results["command"])])


def _training(folder: Path, card: Card, results: dict[str, Any]) -> list[str]:
    said = []
    if None not in (results["env_steps"], results["updates"], results["training_seconds"]):
        said.append(
            f"{results['env_steps']:,} real steps, {results['updates']:,} updates, "
            f"{results['training_seconds'] / 60:,.0f} minutes.\n"
        )
        if card.begun_with:
            said.append(
                f"It began with the weights of `{card.begun_with}`, behind which there were {card.env_steps_before:,} "
                f"real steps and {card.updates_before:,} updates.\n"
            )
        if results["env_steps"] < card.config.schedule.env_steps:
            said.append(f"Taken from a run that goes on to {card.config.schedule.env_steps:,} real steps:\n")
    if results["training_command"] is not None:
        said.append(_command(results["training_command"]))
    if (folder / CURVE).exists():
        said.append(f"![How it learned]({CURVE})\n")
    return ["## Training\n", *said] if said else []


def _command(text: str) -> str:
    return f"```bash\n{text}\n```\n"


def _hardware(hardware: dict[str, Any]) -> str:
    return f"{hardware['gpu'] or hardware['cpu']}, {hardware['cores']} CPU cores"
