"""The fidelity report as one picture. Matplotlib without a screen and without its global state."""

from __future__ import annotations

import textwrap
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from jedi_sdk.fidelity.report import Fidelity

DREAM, REAL, TRIVIAL = "tab:blue", "tab:gray", "tab:orange"
FLOOR = -0.5  # of the R² axis: whatever is below is drawn here, with its figure


def plot_fidelity(fidelity: Fidelity, path: Path) -> None:
    figure = Figure(figsize=(15, 8.5), layout="constrained")
    FigureCanvasAgg(figure)
    panels = (_ratio, _fraction, _displacement, _accuracy, _frequency, _gap)
    for draw, axes in zip(panels, figure.subplots(2, 3).flat, strict=True):
        draw(axes, fidelity)
        axes.spines[["top", "right"]].set_visible(False)
    title = f"Fidelity of the dream of {fidelity.game}"
    on = f"{fidelity.contexts:,} contexts from held-out real play by {fidelity.policy}"
    figure.suptitle(f"{title}\n{textwrap.fill(on, 150)}")
    figure.savefig(path, dpi=110)


def _ratio(axes: Axes, fidelity: Fidelity) -> None:
    _by_step(axes, fidelity.open_loop.ratio.tolist(), DREAM, "dream / repeat-last")
    axes.axhline(1, color=TRIVIAL, linestyle="--", label="no better than repeating")
    axes.set(title="Squared error over that of repeating the last latent", ylabel="ratio (below 1 is knowledge)")
    axes.set_ylim(bottom=0)
    axes.legend()


def _fraction(axes: Axes, fidelity: Fidelity) -> None:
    _by_step(axes, fidelity.open_loop.fraction.tolist(), DREAM, "dream")
    _by_step(axes, fidelity.open_loop.repeat_fraction.tolist(), TRIVIAL, "repeat-last")
    axes.set(title="Squared error as a fraction of the latents' variance", ylabel="fraction of variance")
    axes.set_ylim(bottom=0)
    axes.legend()


def _by_step(axes: Axes, values: list[float], color: str, label: str) -> None:
    axes.plot(range(1, len(values) + 1), values, "o-", color=color, label=label)
    axes.set_xlabel("dreamed step")
    axes.set_xlim(0.5, len(values) + 0.5)


def _displacement(axes: Axes, fidelity: Fidelity) -> None:
    axes.set_title("Displacement by a linear probe, ball in play")
    if not fidelity.displacement:
        axes.text(0.5, 0.5, "this game's memory shows no positions", ha="center", transform=axes.transAxes)
        axes.set_axis_off()
        return
    groups = [f"{entry.thing}\n{entry.steps} step{'s' * (entry.steps > 1)}" for entry in fidelity.displacement]
    bars = {
        "encoded (ceiling)": (REAL, [entry.encoded for entry in fidelity.displacement]),
        "dreamed": (DREAM, [entry.dreamed for entry in fidelity.displacement]),
        "repeat-last (floor)": (TRIVIAL, [entry.repeated for entry in fidelity.displacement]),
    }
    _bars(axes, groups, bars, "{:.2f}", floor=FLOOR)
    axes.axhline(0, color="black", linewidth=0.8)
    axes.set_ylim(FLOOR - 0.15, 1.3)
    axes.set_ylabel(f"R² (bars cut at {FLOOR})")
    axes.legend(ncols=3, fontsize="small", loc="upper center")


def _accuracy(axes: Axes, fidelity: Fidelity) -> None:
    loop = fidelity.open_loop
    both, encoded = (loop.rew, loop.end), (loop.rew_encoded, loop.end_encoded)
    bars = {
        "off real frames": (REAL, [confusion.balanced_accuracy for confusion in encoded]),
        "dream": (DREAM, [confusion.balanced_accuracy for confusion in both]),
        "trivial": (TRIVIAL, [confusion.trivial for confusion in both]),
    }
    _bars(axes, ["reward's sign", "termination"], bars, "{:.2f}")
    axes.set(title="Reward and termination: balanced accuracy", ylabel="mean recall over classes", ylim=(0, 1.25))
    axes.legend(ncols=3, loc="upper center")


def _frequency(axes: Axes, fidelity: Fidelity) -> None:
    loop = fidelity.open_loop
    real, encoded, dreamed = (
        [100 * float(share) for share in (rews[0], rews[2], ends[1])]
        for rews, ends in (
            (loop.rew.frequency_real, loop.end.frequency_real),
            (loop.rew_encoded.frequency_dreamed, loop.end_encoded.frequency_dreamed),
            (loop.rew.frequency_dreamed, loop.end.frequency_dreamed),
        )
    )
    bars = {"real": ("black", real), "off real frames": (REAL, encoded), "dreamed": (DREAM, dreamed)}
    _bars(axes, ["reward −1", "reward +1", "episode ends"], bars, "{:.2g}")
    axes.set(title="Reward and termination: how often", ylabel="% of transitions")
    axes.margins(y=0.25)
    axes.legend(ncols=3, loc="upper center")


def _gap(axes: Axes, fidelity: Fidelity) -> None:
    gap = fidelity.gap
    values = ((gap.imagined, gap.imagined_stderr), (gap.real, gap.real_stderr), (gap.gap, gap.gap_stderr))
    for i, ((mean, stderr), color) in enumerate(zip(values, (DREAM, REAL, "black"), strict=True)):
        axes.errorbar(i, mean, yerr=2 * stderr, fmt="o", color=color, capsize=6)
    axes.axhline(0, color="black", linewidth=0.8)
    axes.set_xticks(range(3), ["imagined", "real", "imagined − real"])
    axes.set_xlim(-0.5, 2.5)
    axes.set(
        title=f"Return over {fidelity.open_loop.horizon} steps from the same contexts",
        ylabel="sum of reward signs (± 2 standard errors)",
    )


def _bars(
    axes: Axes,
    groups: list[str],
    bars: dict[str, tuple[str, list[float]]],
    figure: str,
    floor: float = float("-inf"),
) -> None:
    """Bars side by side in each group, with their figures; none where a value is NaN."""
    width = 0.8 / len(bars)
    for i, (label, (color, values)) in enumerate(bars.items()):
        places = [group + (i - (len(bars) - 1) / 2) * width for group in range(len(groups))]
        drawn = axes.bar(places, [max(value, floor) for value in values], width * 0.95, color=color, label=label)
        texts = [figure.format(value) if value == value else "" for value in values]
        axes.bar_label(drawn, texts, fontsize="x-small", padding=2)
    axes.set_xticks(range(len(groups)), groups)
