"""Numbers as people read them: three digits and a unit."""

from __future__ import annotations

SECONDS = ((1.0, ""), (1e-3, "m"), (1e-6, "µ"))
LARGE = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))
PLAIN = ("h", "")


def amount(x: float, unit: str) -> str:
    """``0.0123, "s"`` is 12.3 ms; ``7_200, "s"`` is 7,200 s; ``4.4e6, "B"`` is 4.4 MB; ``0.25, "h"`` is 0.25 h."""
    size, prefix = _prefix(x, unit)
    return f"{three_digits(x / size)} {prefix}{unit}".rstrip()


def spread(middle: float, low: float, high: float, unit: str) -> str:
    """All three in the unit that suits the first: 12.3 ms (9.8 to 15)."""
    size, _ = _prefix(middle, unit)
    return f"{amount(middle, unit)} ({three_digits(low / size)} to {three_digits(high / size)})"


def three_digits(x: float) -> str:
    return f"{x:,.0f}" if abs(x) >= 100 else f"{x:.3g}"


def factor(x: float) -> str:
    return f"{three_digits(x)}×"


def percent(x: float) -> str:
    return f"{x:.0%}" if x >= 0.1 else f"{x:.1%}"


def _prefix(x: float, unit: str) -> tuple[float, str]:
    prefixes = () if unit in PLAIN else SECONDS if unit == "s" else LARGE
    return next(((size, prefix) for size, prefix in prefixes if abs(x) >= size), (1.0, ""))
