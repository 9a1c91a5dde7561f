"""Dreams: rollouts of a policy inside the world model; and the world model as an environment."""

from jedi_sdk.dream.arguments import DreamError
from jedi_sdk.dream.core import Dream, Moment
from jedi_sdk.dream.env import DreamEnv
from jedi_sdk.dream.imagine import imagine
from jedi_sdk.dream.real import RealEnv
from jedi_sdk.dream.single import LatentObservation, SingleDreamEnv
from jedi_sdk.dream.starts import Starts
from jedi_sdk.dream.view import View

__all__ = [
    "Dream",
    "DreamEnv",
    "DreamError",
    "LatentObservation",
    "Moment",
    "RealEnv",
    "SingleDreamEnv",
    "Starts",
    "View",
    "imagine",
]
