"""The world model: an encoder, a denoiser of its latents, and heads that read reward and termination off them."""

from jedi_sdk.world_model.denoiser import Denoiser
from jedi_sdk.world_model.encoder import FRAME_SIZE, Encoder, clamp
from jedi_sdk.world_model.heads import Heads
from jedi_sdk.world_model.sampler import karras_sigmas, sample
from jedi_sdk.world_model.world_model import WorldModel

__all__ = ["FRAME_SIZE", "Denoiser", "Encoder", "Heads", "WorldModel", "clamp", "karras_sigmas", "sample"]
