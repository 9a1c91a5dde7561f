"""What the agent costs: beside pixel diffusion, as it grows, and by operator. All of it measured in child processes."""

from jedi_sdk.benchmark.speed.child import SpeedError
from jedi_sdk.benchmark.speed.measure import measure_speed
from jedi_sdk.benchmark.speed.profile import UpdateProfile, measure_profile
from jedi_sdk.benchmark.speed.result import Figure, Row, Speed
from jedi_sdk.benchmark.speed.scaling import Point, Scaling, measure_scaling

__all__ = [
    "Figure",
    "Point",
    "Row",
    "Scaling",
    "Speed",
    "SpeedError",
    "UpdateProfile",
    "measure_profile",
    "measure_scaling",
    "measure_speed",
]
