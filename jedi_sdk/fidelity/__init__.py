"""Fidelity: what tells a good dream from a pretty loss.

``open_loop`` dreams along recorded actions and compares with what really happened, on any segments;
``measure_fidelity`` plays held-out episodes and gives the full report: the same, the gap between imagined
and real return, and, where the console's memory shows positions, a probe of how things move in the dream.
"""

from jedi_sdk.fidelity.confusion import Confusion
from jedi_sdk.fidelity.displacement import Displacement
from jedi_sdk.fidelity.gap import ReturnGap
from jedi_sdk.fidelity.measure import measure_fidelity
from jedi_sdk.fidelity.open_loop import OpenLoop, open_loop
from jedi_sdk.fidelity.progress import Progress
from jedi_sdk.fidelity.report import Fidelity

__all__ = [
    "Confusion",
    "Displacement",
    "Fidelity",
    "OpenLoop",
    "Progress",
    "ReturnGap",
    "measure_fidelity",
    "open_loop",
]
