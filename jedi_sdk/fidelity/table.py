"""The fidelity report for a terminal."""

from __future__ import annotations

import math
from collections.abc import Iterable

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from jedi_sdk.fidelity.confusion import Confusion
from jedi_sdk.fidelity.report import Fidelity

SHOWN = (1, 2, 3, 5, 10, 15)  # of the dreamed steps


def fidelity_table(fidelity: Fidelity) -> RenderableType:
    tables = [_open_loop(fidelity), _accuracy(fidelity), _frequency(fidelity), _gap(fidelity)]
    if fidelity.displacement:
        tables.append(_displacement(fidelity))
    return Group(_heading(fidelity), *tables)


def _heading(fidelity: Fidelity) -> Text:
    score = f", mean score {fidelity.score:.1f}" if fidelity.episodes else ""
    return Text(
        f"Fidelity of {fidelity.game}: {fidelity.contexts:,} contexts from {fidelity.steps:,} held-out real "
        f"steps ({fidelity.episodes} finished episodes{score}), played by {fidelity.policy}.\n"
    )


def _open_loop(fidelity: Fidelity) -> Table:
    loop = fidelity.open_loop
    table = _table(
        "Squared error of the latent, open loop with recorded actions",
        ("step", "real transitions", "over repeat-last's", "of the variance", "repeat-last: of the variance"),
    )
    for step in (step for step in SHOWN if step <= loop.horizon):
        i = step - 1
        figures = (loop.ratio[i], loop.fraction[i], loop.repeat_fraction[i])
        table.add_row(str(step), f"{int(loop.count[i]):,}", *(_figure(float(x)) for x in figures))
    return table


def _accuracy(fidelity: Fidelity) -> Table:
    loop = fidelity.open_loop
    table = _table(
        "Rewards and ends along the same dreams: balanced accuracy",
        ("", "dreamed", "off real frames", "trivial predictor"),
    )
    for name, dreamed, encoded in (("reward's sign", loop.rew, loop.rew_encoded), ("ends", loop.end, loop.end_encoded)):
        figures = (dreamed.balanced_accuracy, encoded.balanced_accuracy, dreamed.trivial)
        table.add_row(name, *(_figure(figure) for figure in figures))
    return table


def _frequency(fidelity: Fidelity) -> Table:
    table = _table("How often they come", ("", "really", "dreamed", "off real frames"))
    loop = fidelity.open_loop
    for i, sign in ((0, "reward -1"), (2, "reward 1")):
        table.add_row(sign, *_shares(loop.rew, loop.rew_encoded, i))
    table.add_row("ends", *_shares(loop.end, loop.end_encoded, 1))
    return table


def _shares(dreamed: Confusion, encoded: Confusion, i: int) -> Iterable[str]:
    for share in (dreamed.frequency_real[i], dreamed.frequency_dreamed[i], encoded.frequency_dreamed[i]):
        yield _percent(float(share))


def _gap(fidelity: Fidelity) -> Table:
    gap = fidelity.gap
    table = _table(
        f"Sum of reward signs over the next {fidelity.open_loop.horizon} steps, same policy, same contexts",
        ("imagined", "real", "imagined − real", "contexts"),
    )
    pairs = ((gap.imagined, gap.imagined_stderr), (gap.real, gap.real_stderr), (gap.gap, gap.gap_stderr))
    table.add_row(*(f"{_figure(mean)} ± {_figure(stderr)}" for mean, stderr in pairs), f"{gap.contexts:,}")
    return table


def _displacement(fidelity: Fidelity) -> Table:
    table = _table(
        "Displacement read by a linear probe, ball in play: R²",
        ("", "steps", "pairs", "encoded (ceiling)", "dreamed", "repeat-last (floor)"),
    )
    for entry in fidelity.displacement:
        figures = (entry.encoded, entry.dreamed, entry.repeated)
        table.add_row(entry.thing, str(entry.steps), f"{entry.pairs:,}", *(_figure(figure) for figure in figures))
    return table


def _table(title: str, columns: tuple[str, ...]) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold")
    for column in columns:
        table.add_column(column, justify="right" if column else "left")
    return table


def _figure(x: float) -> str:
    return f"{x:.3g}" if math.isfinite(x) else "–"


def _percent(x: float) -> str:
    return f"{x:.2%}" if math.isfinite(x) else "–"
