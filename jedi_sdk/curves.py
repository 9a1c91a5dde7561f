"""A run's learning curve as one picture, drawn from its log."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from jedi_sdk.runlog import read_log

FILE = "learning_curve.png"
Panel = tuple[str, str, dict[str, str]]  # title, x axis, {logged name: label}

PANELS: list[Panel] = [
    ("Real return while collecting (raw score, last 20 episodes)", "env_steps", {"real/return": "real return"}),
    (
        "Reward a step: dreamed and real (sign)",
        "step",
        {"imagined/reward": "imagined", "real/reward": "real, in the replay", "played/reward": "real, of the epoch"},
    ),
    (
        "World model losses",
        "step",
        {"denoise/step1": "denoising, step 1", "heads/reward": "reward", "heads/termination": "termination"},
    ),
    (
        "Error of the dream over 'repeat last' (below 1 is knowledge)",
        "step",
        {f"fidelity/ratio_step{k}": f"step {k}" for k in (1, 3, 10, 15)},
    ),
    ("Latents: effective rank", "step", {"latent/effective_rank": "effective rank"}),
    ("Latents: spread", "step", {"latent/std_data": "std over the data", "latent/repeat_last": "repeat-last error"}),
]  # fmt: skip


def plot_learning_curve(run_dir: Path) -> Path | None:
    """Draws ``run_dir/learning_curve.png``; None where nothing has been logged yet."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    records = read_log(run_dir)
    if not records:
        return None
    figure, axes = plt.subplots(3, 2, figsize=(12, 10), layout="constrained")
    for axis, panel in zip(axes.flat, PANELS, strict=True):
        _draw(axis, panel, records)
    figure.suptitle(run_dir.name)
    path = run_dir / FILE
    aside = path.with_name(f".{FILE}")
    figure.savefig(aside, dpi=110, format="png")
    plt.close(figure)
    aside.replace(path)
    return path


def _draw(axis: Any, panel: Panel, records: list[dict[str, Any]]) -> None:
    title, x, names = panel
    for name, label in names.items():
        points = [(record[x], record[name]) for record in records if name in record]
        if points:
            axis.plot(*zip(*points, strict=True), label=label, marker="." if len(points) < 40 else None)
    axis.set_title(title, fontsize=10)
    axis.set_xlabel({"step": "updates (all kinds)", "env_steps": "real environment steps"}[x], fontsize=9)
    axis.grid(alpha=0.3)
    if "ratio" in next(iter(names)):
        axis.axhline(1, color="grey", linestyle="--", linewidth=1)
        axis.set_ylim(bottom=0)
    if axis.get_legend_handles_labels()[0]:
        axis.legend(fontsize=8)
    else:
        axis.text(0.5, 0.5, "nothing logged yet", ha="center", transform=axis.transAxes, color="grey")
