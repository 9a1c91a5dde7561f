"""The world model joins encoder, denoiser and heads: stop-gradient, switch and clamp are here."""

from __future__ import annotations

import copy
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int64, UInt8
from torch import Tensor, nn

from jedi_sdk.averaging import follow
from jedi_sdk.config import Config, SamplerConfig
from jedi_sdk.rng import Rng
from jedi_sdk.types import DreamState, Losses, LSTMState, Segment
from jedi_sdk.world_model.companions import companions
from jedi_sdk.world_model.decoder import Decoder
from jedi_sdk.world_model.denoiser import Denoiser
from jedi_sdk.world_model.encoder import FRAME_SIZE, Encoder, clamp, pixels
from jedi_sdk.world_model.heads import Heads, Reading, read_reward
from jedi_sdk.world_model.pixel import Frames, pixel_denoiser, pixel_heads, refuse_encoder
from jedi_sdk.world_model.sampler import sample
from jedi_sdk.world_model.scale import FrameMean, LatentScale, TargetScale
from jedi_sdk.world_model.target import Target
from jedi_sdk.world_model.terms import bin_shares, denoise_terms, latent_terms


class WorldModel(nn.Module):
    """``encoder`` and ``denoiser`` are built from ``config`` unless passed; latents are (c, h, w) throughout."""

    def __init__(
        self,
        config: Config,
        num_actions: int,
        encoder: nn.Module | None = None,
        denoiser: Denoiser | None = None,
        heads: Heads | None = None,
    ) -> None:
        super().__init__()
        o = config.objective
        self.objective, self.sampler, self.context = o, config.sampler, config.context
        self.heads_dropout = config.heads.dropout
        if config.space == "pixel":
            refuse_encoder(encoder)
            encoder, denoiser = Frames(), denoiser or pixel_denoiser(config, num_actions)
            heads = heads or pixel_heads(config, num_actions)
        self.encoder: Any = encoder or Encoder(config.encoder)
        shape: tuple[int, int, int] = tuple(self.encoder.latent_shape)
        self.latent_shape, self.num_actions = shape, num_actions
        self.denoiser: Denoiser = denoiser or Denoiser(shape, num_actions, config.context, config.denoiser, o)
        self.heads: Heads = heads or Heads(shape, num_actions, config.heads)
        self.frame_mean = FrameMean((FRAME_SIZE, FRAME_SIZE, 3))
        self.latent_scale = LatentScale(shape, o.latent_std, o.scale_momentum, o.latent_scale == "channels")
        self.target_scale = TargetScale(o.sigma_data, o.scale_momentum)
        self.target = Target(o, self.target_scale, quantised=config.space == "pixel")
        self.decoder = None if o.decoder == "none" else Decoder(shape)  # an ablation
        self.register_buffer("batches", torch.zeros((), dtype=torch.int64))
        self.batches: Tensor
        self.target_encoder = None
        if o.target_net == "ema":
            self.target_encoder = copy.deepcopy(self.encoder).requires_grad_(False)

    def beside(self, **networks: nn.Module) -> WorldModel:
        """The same world model with other ``networks``, by name; all that is not named is shared."""
        other = copy.copy(self)
        other._modules = {**self._modules, **networks}
        return other

    # -- encoding ---------------------------------------------------------------------------------------------

    def encode(self, obs: UInt8[Tensor, "*b H W 3"]) -> Float[Tensor, "*b c h w"]:
        """uint8 frames -> clamped latents."""
        return self._to_latent(self._features(self.encoder, obs))

    def _features(self, encoder: nn.Module, obs: Tensor, taught: bool = True) -> Tensor:
        """What the encoder makes of frames, beside what it makes of the mean frame. ``taught``: whether to keep what
        its gradient would need.

        In most games nearly all of a frame never changes. Left in, it fills the features, and whatever moves is a
        small difference between large numbers, which every step of the encoder's shakes.
        """
        with torch.set_grad_enabled(taught and torch.is_grad_enabled()):
            features = encoder(pixels(obs.flatten(0, -4))).float()
            if self.objective.relative_to_mean:
                features = features - encoder(pixels(self.frame_mean())).float()
        return features.unflatten(0, obs.shape[:-3])

    def _to_latent(self, features: Tensor, mask: Tensor | None = None) -> Tensor:
        """``mask``: which frames of a batch that teaches the encoder are real."""
        z = features if self.objective.latent_scale == "none" else self.latent_scale(features, mask)
        return clamp(z, self.objective.clamp_scale) if self.objective.clamp else z

    # -- learning -----------------------------------------------------------------------------------------------

    def denoise_loss(self, segment: Segment, rng: Rng) -> Losses:
        """Equation 8, summed over the predicted steps; trains the denoiser and, through the context, the encoder.

        ``segment`` holds ``context + predicted_steps`` frames.
        """
        k, steps = self.context, self.objective.predicted_steps
        if self.objective.relative_to_mean:
            self.frame_mean.update(segment.obs, segment.mask)
        features = self._features(self.encoder, segment.obs, self._denoiser_teaches or self._has_companions)
        z, z_target = self._context_and_target(segment, features)
        self.target_scale.update(self.target.raw(z_target[:, k - 1], z_target[:, k]), segment.mask[:, k])
        history, z_last = list(z.unbind(1))[:k], z_target[:, k - 1]
        losses, sigmas = [], []
        for t in range(k, k + steps):
            context = torch.stack(history[-k:], dim=1)
            y = self.target(z_last, z_target[:, t])
            loss, y_hat, sigma = self._predict(context, segment.act[:, t - k : t], y, rng)
            losses.append(loss * segment.mask[:, t])
            sigmas.append(sigma)
            z_hat, switched = self.target.inverse(z_last, y_hat.detach()), self._switches(rng)
            history.append(torch.where(switched, z_hat, z[:, t]))
            z_last = torch.where(switched, z_hat, z_target[:, t])  # of one encoder, where there are two
        self.batches.add_(1)
        per_step = torch.stack(losses)
        real = segment.mask[:, k : k + steps].T
        total = (per_step.sum(1) / real.sum(1).clamp(min=1)).sum()
        terms = denoise_terms(per_step.detach(), torch.stack(sigmas), real, bin_shares(self.objective))
        terms |= latent_terms(z.detach(), k)
        for name, term in self._companions(segment, features, rng).items():
            total = total + term
            terms[name] = term.detach()
        return Losses(total, terms)

    def _context_and_target(self, segment: Segment, features: Tensor) -> tuple[Tensor, Tensor]:
        """The latents as the context sees them, and as a target without gradient."""
        self.latent_scale.update(features.detach(), segment.mask)
        seen = segment.mask & (torch.arange(segment.mask.shape[1], device=features.device) < self.context)
        z = self._to_latent(features, seen)  # targets have no part in the gradient, not even through the batch's mean
        z_target = z.detach()
        if self.target_encoder is not None:
            with torch.no_grad():
                z_target = self._to_latent(self._features(self.target_encoder, segment.obs))
        return (z if self._denoiser_teaches else z.detach()), z_target

    @property
    def _denoiser_teaches(self) -> bool:
        return self.objective.encoder_grad and self.objective.decoder != "alone"

    @property
    def _heads_teach(self) -> bool:
        return self.objective.heads_grad and self.objective.decoder != "alone"

    @property
    def _has_companions(self) -> bool:
        return self.objective.regularizer != "none" or self.decoder is not None

    def _companions(self, segment: Segment, features: Tensor, rng: Rng) -> dict[str, Tensor]:
        if not self._has_companions:
            return {}
        z = self._to_latent(features, segment.mask)[segment.mask]
        return companions(self.objective, self.decoder, z, segment.obs[segment.mask], rng)

    def _predict(self, context: Tensor, act: Tensor, y: Tensor, rng: Rng) -> tuple[Tensor, Tensor, Tensor]:
        """One predicted step: squared error of F (n,), the one-shot prediction of y, the noise level (n,)."""
        sigma = self.denoiser.sample_sigma(len(y), rng)
        if self.objective.predictor == "mse":
            y_hat = self.denoiser.regress(context, act)
            error = (y_hat - y) / self.objective.sigma_data
        else:
            y_noisy = self.denoiser.add_noise(y, sigma, rng)
            p = self.denoiser.precondition(sigma)
            f = self.denoiser.network(p.c_in * y_noisy, p.c_noise, context, act)
            error = f - (y - p.c_skip * y_noisy) / p.c_out
            y_hat = p.c_skip * y_noisy + p.c_out * f
        return error.square().mean((1, 2, 3)), y_hat, sigma

    def _switches(self, rng: Rng) -> Bool[Tensor, ""]:
        """Whether this batch goes on from the denoiser's own prediction: a tensor, which nobody waits for."""
        match self.objective.switch:
            case "random":
                return rng.bernoulli(0.5, 1)[0]
            case "alternate":
                return self.batches % 2 == 1
            case switch:
                return torch.full_like(self.batches, switch == "always", dtype=torch.bool)

    def update_target(self) -> None:
        """Moves the EMA encoder (``target_net=ema``) after a step of the optimiser."""
        if self.target_encoder is not None:
            follow(self.target_encoder, self.encoder, self.objective.ema_decay)

    def heads_loss(self, segment: Segment, rng: Rng) -> Losses:
        """Cross-entropy of reward sign and termination on the real transitions; trains the heads and the encoder."""
        z = self._to_latent(self._features(self.encoder, segment.obs, self._heads_teach), segment.mask)
        if self.objective.heads_latents == "dreamed":
            z = self._dream_half(z, segment.act, rng)
        real = segment.mask[:, :-1] & segment.mask[:, 1:]
        drop = {"drop": rng} if self.heads_dropout else {}  # heads of one's own need not know of it
        logits_rew, logits_end, _ = self.heads(z, segment.act[:, :-1], mask=real[:, : self.context - 1], **drop)
        loss_rew = _cross_entropy(logits_rew, segment.rew[:, :-1].sign().long() + 1, real)
        loss_end = _cross_entropy(logits_end, segment.end[:, :-1].long(), real)
        return Losses(loss_rew + loss_end, {"heads/reward": loss_rew.detach(), "heads/termination": loss_end.detach()})

    def _dream_half(self, z: Tensor, act: Tensor, rng: Rng) -> Tensor:
        """The first half of the batch dreamed on from its context, along the recorded actions."""
        half = len(z) // 2
        dreamed = self.dream_along(z[:half, : self.context].detach(), act[:half], rng)
        return torch.cat([torch.cat([z[:half, : self.context], dreamed], dim=1), z[half:]])

    # -- dreaming -----------------------------------------------------------------------------------------------

    @torch.no_grad()
    def start(self, segment: Segment) -> DreamState:
        """A dream from the ``context`` frames of ``segment``, the heads' memory burnt in on them."""
        z = self.encode(segment.obs)
        return self.start_from(z, segment.act[:, :-1], segment.mask)

    @torch.no_grad()
    def start_from(
        self, z: Float[Tensor, "b k c h w"], act: Int64[Tensor, "b k-1"], mask: Bool[Tensor, "b k"]
    ) -> DreamState:
        """The same from encoded frames."""
        if z.shape[1] == 1:
            return DreamState(z, act, self.heads.lstm.empty(len(z)))
        lstm: LSTMState
        _, _, lstm = self.heads(z, act, mask=mask[:, :-1] & mask[:, 1:])
        return DreamState(z, act, lstm)

    @torch.no_grad()
    def step(
        self,
        state: DreamState,
        act: Int64[Tensor, "b"],
        rng: Rng,
        sampler: SamplerConfig | None = None,
        reward: Reading = "sample",
    ) -> tuple[DreamState, Float[Tensor, "b"], Bool[Tensor, "b"]]:
        """One imagined step: the next state, the sign of its reward and whether the episode ends, both sampled.

        ``sampler`` in place of the model's own; ``reward`` may also be the sign's mean or the likeliest.
        """
        acts = torch.cat([state.act, act[:, None]], dim=1)
        z_next = self.imagine_next(state.z, acts, rng, sampler)
        rew, end, lstm = self.read(state.z[:, -1], z_next, act, state.lstm, rng, reward)
        z = torch.cat([state.z[:, 1:], z_next[:, None]], dim=1)
        return DreamState(z, acts[:, 1:], lstm), rew, end

    @torch.no_grad()
    def read(
        self,
        z: Float[Tensor, "b c h w"],
        z_next: Float[Tensor, "b c h w"],
        act: Int64[Tensor, "b"],
        lstm: LSTMState,
        rng: Rng,
        reward: Reading = "sample",
    ) -> tuple[Float[Tensor, "b"], Bool[Tensor, "b"], LSTMState]:
        """What the heads say of a transition, dreamed or real: its reward's sign, whether it ends the episode, and
        their memory behind it. Both are drawn; ``reward`` is as for ``step``.
        """
        logits_rew, logits_end, lstm = self.heads(torch.stack([z, z_next], dim=1), act[:, None], lstm)
        return read_reward(logits_rew[:, 0], reward, rng), rng.categorical(logits_end[:, 0]).bool(), lstm

    @torch.no_grad()
    def dream_along(
        self, z: Float[Tensor, "b k c h w"], act: Int64[Tensor, "b t"], rng: Rng
    ) -> Float[Tensor, "b horizon c h w"]:
        """The ``t - k`` latents behind a context, dreamed with given actions; the last action is not used."""
        k = self.context
        zs = list(z.unbind(1))
        for t in range(k, act.shape[1]):
            zs.append(self.imagine_next(torch.stack(zs[-k:], dim=1), act[:, t - k : t], rng))
        return torch.stack(zs[k:], dim=1)

    @torch.no_grad()
    def imagine_next(
        self,
        z: Float[Tensor, "b k c h w"],
        act: Int64[Tensor, "b k"],
        rng: Rng,
        sampler: SamplerConfig | None = None,
    ) -> Float[Tensor, "b c h w"]:
        """A sample of the next latent."""
        if self.objective.predictor == "mse":
            return self.target.inverse(z[:, -1], self.denoiser.regress(z, act))

        def noise() -> Tensor:
            return rng.normal(*z[:, -1].shape)

        def denoise(y: Tensor, sigma: float) -> Tensor:
            return self.denoiser(y, y.new_full((len(y),), sigma), z, act)

        return self.target.inverse(z[:, -1], sample(denoise, noise(), sampler or self.sampler, noise))


def _cross_entropy(
    logits: Float[Tensor, "b t k"], labels: Int64[Tensor, "b t"], real: Bool[Tensor, "b t"]
) -> Float[Tensor, ""]:
    """Over the real transitions. Not by picking them out: how many there are only the device knows."""
    losses = F.cross_entropy(logits.flatten(0, 1), labels.flatten(), reduction="none")
    return (losses * real.flatten()).sum() / real.sum().clamp(min=1)
