"""Benchmarks: which objective dreams true (``variants``)."""

from jedi_sdk.benchmark.contest import Contest
from jedi_sdk.benchmark.result import Result
from jedi_sdk.benchmark.variants import VARIANTS, Variant, find_variants

__all__ = ["VARIANTS", "Contest", "Result", "Variant", "find_variants"]
