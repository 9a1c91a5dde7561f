"""``jedi train``: start a run, fresh or with the weights of another agent, or go on with one."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

from jedi_cli.errors import CommandError
from jedi_cli.options import LAST_SEED

Game = Annotated[str | None, typer.Argument(metavar="GAME", help="The game to learn.", show_default=False)]
Preset = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="Sizes and schedule; `jedi presets` lists them. Without it: catch for catch, "
        "else small on a CPU and atari100k on a GPU.",
        rich_help_panel="What to learn",
        show_default=False,
    ),
]
Objective = Annotated[
    str | None,
    typer.Option(help="What is learned: default or paper.", rich_help_panel="What to learn", show_default=False),
]
ConfigFile = Annotated[
    Path | None,
    typer.Option(
        "--config",
        metavar="FILE",
        help="A YAML file of settings; the config.yaml of any run is one.",
        rich_help_panel="What to learn",
        show_default=False,
    ),
]
Overrides = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help="One setting by its dotted key, as in denoiser.channels=96. May be repeated; wins over everything else.",
        rich_help_panel="What to learn",
        show_default=False,
    ),
]
EnvSteps = Annotated[
    int | None,
    typer.Option(min=1, metavar="N", help="Real steps in all. Without it: the preset's.", show_default=False),
]
Seed = Annotated[int | None, typer.Option(min=0, max=LAST_SEED, metavar="N", help="Without it: 0.", show_default=False)]
Device = Annotated[str, typer.Option(metavar="NAME", help="cpu, cuda or cuda:1; auto takes a GPU where there is one.")]
Init = Annotated[
    str | None,
    typer.Option(
        "--init",
        metavar="AGENT",
        help="Begin with the weights of this agent: a run, a short name, or owner/name on the Hub; behind these two "
        "@REVISION, if need be. Its game and settings are kept, but for --set.",
        rich_help_panel="What to learn",
        show_default=False,
    ),
]
NewPolicy = Annotated[
    bool,
    typer.Option(
        "--new-policy",
        help="Of the agent named by --init, keep the world model alone.",
        rich_help_panel="What to learn",
    ),
]
RunDir = Annotated[
    Path | None,
    typer.Option(
        metavar="DIR",
        help="Where config, logs, checkpoints and replay go. Without it: runs/GAME-DATE-TIME.",
        rich_help_panel="Where",
        show_default=False,
    ),
]
Resume = Annotated[
    Path | None,
    typer.Option(
        metavar="DIR",
        help="Go on with this run from its latest checkpoint, with its own game, settings and seed.",
        rich_help_panel="Where",
        show_default=False,
    ),
]
Overwrite = Annotated[
    bool,
    typer.Option("--overwrite", help="Replace the run that is in the run folder.", rich_help_panel="Where"),
]


def train(
    game: Game = None,
    preset: Preset = None,
    objective: Objective = None,
    config: ConfigFile = None,
    overrides: Overrides = None,
    init: Init = None,
    new_policy: NewPolicy = False,
    env_steps: EnvSteps = None,
    seed: Seed = None,
    device: Device = "auto",
    run_dir: RunDir = None,
    resume: Resume = None,
    overwrite: Overwrite = False,
) -> None:
    """Trains an agent inside its own dreams; the real game is played only to collect frames.

    [bold]GAME[/] is one of
    [cyan]catch[/]                   the built-in game: a ball, a paddle, minutes to learn
    [cyan]breakout[/], [cyan]ms_pacman[/], …  any of the 26 Atari100k games
    [cyan]ALE/Pong-v5[/]             any gymnasium id: image frames, discrete actions
    [cyan]my_module:MyGame-v0[/]     the same, from a module to import first

    [bold]Examples[/]
    [cyan]jedi train catch[/]
    [cyan]jedi train breakout --preset small --env-steps 50000 --run-dir runs/b0[/]
    [cyan]jedi train pong --objective paper --seed 3 --set denoiser.channels=96[/]
    [cyan]jedi train --init breakout --set optim.lr=1e-4 --run-dir runs/b1[/]
    [cyan]jedi train --resume runs/b0[/]
    """
    what = {"GAME": game, "--preset": preset, "--objective": objective, "--config": config}
    how = {"--set": overrides, "--seed": seed, "--run-dir": run_dir, "--overwrite": overwrite or None}
    if resume:
        _refuse_beside({**what, "--init": init, "--new-policy": new_policy or None, **how}, "--resume", resume)
    elif init:
        _refuse_beside(what, "--init", init)
    elif new_policy:
        raise CommandError("--new-policy keeps a world model: name whose, jedi train --init breakout --new-policy.")
    else:
        _required(game)
    if env_steps and any(setting.startswith("schedule.env_steps=") for setting in overrides or ()):
        raise CommandError("--env-steps and --set schedule.env_steps=... say the same thing: leave one of them out.")
    if run_dir and not overwrite:
        _refuse_used(run_dir.expanduser())

    from jedi_sdk import JEDI
    from jedi_sdk.run_folder import typed

    agent = None
    try:
        if resume:
            agent = JEDI.resume(resume, device=device)
        elif init:
            settings = [*([] if seed is None else [f"seed={seed}"]), *(overrides or ())]  # --set wins
            agent = JEDI.from_pretrained(init, overrides=settings, device=device)
            if new_policy:
                agent.forget_policy()
        else:
            agent = JEDI(
                _required(game),
                preset=preset,
                objective=objective,
                config=config,
                overrides=overrides or (),
                seed=seed,
                device=device,
            )
        agent.learn(env_steps=env_steps, run_dir=run_dir, overwrite=overwrite)
    except KeyboardInterrupt:
        typer.secho(f"Stopped. {_how_to_go_on(agent.run_dir if agent else None)}", err=True)
        raise typer.Exit(130) from None
    assert agent.run_dir
    typer.echo(f"The run is in {agent.run_dir}. Next: jedi eval {typed(agent.run_dir)}")


def _how_to_go_on(folder: Path | None) -> str:
    from jedi_sdk.run_folder import can_resume, typed

    if folder and can_resume(folder):
        return f"To go on from the latest checkpoint: jedi train --resume {typed(folder)}"
    anew = f" To start anew in {folder}: add --overwrite." if folder else ""
    return f"There is no checkpoint yet, and so nothing to go on from.{anew}"


def _required(game: str | None) -> str:
    if game is None:
        raise CommandError(
            "Nothing to train. Name a game to start a run: jedi train breakout. "
            "Or an agent to begin with: jedi train --init breakout. "
            "Or a run to go on with: jedi train --resume runs/b0."
        )
    return game


def _refuse_beside(fresh: dict[str, object], option: str, agent: str | Path) -> None:
    """Options that only a run with fresh networks takes, beside one that names an ``agent``."""
    given = [name for name, value in fresh.items() if value not in (None, [])]
    if given:
        raise CommandError(
            f"{option} keeps the agent's own game and settings, so {', '.join(given)} cannot stand beside it. "
            f"Type `jedi train {option} {shlex.quote(str(agent))}`, or leave out {option} to start with fresh networks."
        )


def _refuse_used(folder: Path) -> None:
    from jedi_sdk.run_folder import can_resume, in_use, is_run, typed

    if folder.is_dir() and in_use(folder):
        if not is_run(folder):
            raise CommandError(f"{folder} is not empty and not a run folder. Name another.")
        resume = f"To go on with that run: jedi train --resume {typed(folder)}. " if can_resume(folder) else ""
        raise CommandError(f"{folder} is not empty. {resume}To replace it: add --overwrite.")
