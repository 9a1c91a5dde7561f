"""The world model joins encoder, denoiser and heads: stop-gradient, switch and clamp are here."""

from __future__ import annotations

import copy
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int64, UInt8
from torch import Tensor, nn

from jedi_sdk.config import Config
from jedi_sdk.rng import Rng
from jedi_sdk.types import DreamState, Losses, LSTMState, Segment
from jedi_sdk.world_model.denoiser import Denoiser
from jedi_sdk.world_model.encoder import Encoder, clamp
from jedi_sdk.world_model.heads import Heads
from jedi_sdk.world_model.sampler import sample
from jedi_sdk.world_model.scale import ChangeScale, LatentScale

SIGMA_BINS = (0.25, 0.5, 1.0)  # edges of the noise levels by which the loss is logged


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
        self.encoder: Any = encoder or Encoder(config.encoder)
        shape: tuple[int, int, int] = tuple(self.encoder.latent_shape)
        self.latent_shape = shape
        self.denoiser: Denoiser = denoiser or Denoiser(shape, num_actions, config.context, config.denoiser, o)
        self.heads: Heads = heads or Heads(shape, num_actions, config.heads)
        self.latent_scale = LatentScale(shape, o.sigma_data, o.scale_momentum)
        self.change_scale = ChangeScale(o.sigma_data, o.scale_momentum)
        self.register_buffer("batches", torch.zeros((), dtype=torch.int64))
        self.batches: Tensor
        self.target_encoder = None
        if o.target_net == "ema":
            self.target_encoder = copy.deepcopy(self.encoder).requires_grad_(False)

    # -- encoding ---------------------------------------------------------------------------------------------

    def encode(self, obs: UInt8[Tensor, "*b H W 3"]) -> Float[Tensor, "*b c h w"]:
        """uint8 frames -> clamped latents."""
        return self._to_latent(self._features(self.encoder, obs))

    def _features(self, encoder: nn.Module, obs: Tensor) -> Tensor:
        x = obs.flatten(0, -4).permute(0, 3, 1, 2).float()  # H W C in memory: channels_last
        x = x.mul_(1 / 127.5).sub_(1)
        return encoder(x).float().unflatten(0, obs.shape[:-3])

    def _to_latent(self, features: Tensor) -> Tensor:
        z = self.latent_scale(features) if self.objective.latent_scale == "standard" else features
        return self._clamp(z)

    def _clamp(self, z: Tensor) -> Tensor:
        return clamp(z, self.objective.clamp_scale) if self.objective.clamp else z

    # -- what is diffused: the latent, or its change -----------------------------------------------------------

    def _target(self, z_last: Tensor, z_next: Tensor) -> Tensor:
        return self.change_scale(z_next - z_last) if self.objective.predict == "change" else z_next

    def _latent(self, z_last: Tensor, y: Tensor) -> Tensor:
        return self._clamp(z_last + self.change_scale.inverse(y) if self.objective.predict == "change" else y)

    # -- learning -----------------------------------------------------------------------------------------------

    def denoise_loss(self, segment: Segment, rng: Rng) -> Losses:
        """Equation 8, summed over the predicted steps; trains the denoiser and, through the context, the encoder.

        ``segment`` holds ``context + predicted_steps`` frames.
        """
        k, steps = self.context, self.objective.predicted_steps
        z, z_target = self._context_and_target(segment)
        self.change_scale.update((z_target[:, k] - z_target[:, k - 1]), segment.mask[:, k])
        history = list(z.unbind(1))[:k]
        losses, sigmas = [], []
        for t in range(k, k + steps):
            context = torch.stack(history[-k:], dim=1)
            loss, z_hat, sigma = self._predict(context, segment.act[:, t - k : t], z_target[:, t], rng)
            losses.append(loss * segment.mask[:, t])
            sigmas.append(sigma)
            history.append(z_hat.detach() if self._switches(rng) else z[:, t])
        self.batches.add_(1)
        per_step = torch.stack(losses)
        real = segment.mask[:, k : k + steps].T
        total = (per_step.sum(1) / real.sum(1).clamp(min=1)).sum()
        return Losses(total, self._denoise_terms(per_step, torch.stack(sigmas), real, z.detach()))

    def _context_and_target(self, segment: Segment) -> tuple[Tensor, Tensor]:
        """The latents as the context sees them, and as a target without gradient."""
        features = self._features(self.encoder, segment.obs)
        self.latent_scale.update(features.detach(), segment.mask)
        z = self._to_latent(features)
        z_target = z.detach()
        if self.target_encoder is not None:
            with torch.no_grad():
                z_target = self._to_latent(self._features(self.target_encoder, segment.obs))
        return (z if self.objective.encoder_grad else z.detach()), z_target

    def _predict(self, context: Tensor, act: Tensor, z_next: Tensor, rng: Rng) -> tuple[Tensor, Tensor, Tensor]:
        """One predicted step: squared error of F (n,), the one-shot prediction of z[t+1], the noise level (n,)."""
        z_last = context[:, -1].detach()
        y = self._target(z_last, z_next)
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
        return error.square().mean((1, 2, 3)), self._latent(z_last, y_hat), sigma

    def _switches(self, rng: Rng) -> bool | Tensor:
        """Whether this batch goes on from the denoiser's own prediction."""
        match self.objective.switch:
            case "random":
                return bool(rng.bernoulli(0.5, 1))
            case "alternate":
                return bool(self.batches % 2)
            case switch:
                return switch == "always"

    @torch.no_grad()
    def _denoise_terms(self, losses: Tensor, sigmas: Tensor, real: Tensor, z: Tensor) -> dict[str, Tensor]:
        terms = {f"denoise/step{i + 1}": losses[i].sum() / real[i].sum().clamp(min=1) for i in range(len(losses))}
        bins = torch.bucketize(sigmas, torch.tensor(SIGMA_BINS, device=sigmas.device))
        names = [f"<{SIGMA_BINS[0]}", *(f"<{edge}" for edge in SIGMA_BINS[1:]), f">{SIGMA_BINS[-1]}"]
        for i, name in enumerate(names):
            inside = (bins == i) & real
            terms[f"denoise/sigma{name}"] = (losses * inside).sum() / inside.sum().clamp(min=1)
        terms["latent/std"] = z.flatten(0, 1).std(0).mean()
        terms["latent/repeat_last"] = (z[:, self.context] - z[:, self.context - 1]).square().mean()
        return terms

    @torch.no_grad()
    def update_target(self) -> None:
        """Moves the EMA encoder (``target_net=ema``) after a step of the optimiser."""
        if self.target_encoder is None:
            return
        for slow, fast in zip(self.target_encoder.parameters(), self.encoder.parameters(), strict=True):
            slow.lerp_(fast, 1 - self.objective.ema_decay)

    def heads_loss(self, segment: Segment) -> Losses:
        """Cross-entropy of reward sign and termination on the real transitions; trains the heads and the encoder."""
        z = self.encode(segment.obs)
        real = segment.mask[:, :-1] & segment.mask[:, 1:]
        logits_rew, logits_end, _ = self.heads(z, segment.act[:, :-1], mask=real[:, : self.context - 1])
        rew = segment.rew[:, :-1].sign().long() + 1
        end = segment.end[:, :-1].long()
        loss_rew = F.cross_entropy(logits_rew[real], rew[real])
        loss_end = F.cross_entropy(logits_end[real], end[real])
        return Losses(loss_rew + loss_end, {"heads/reward": loss_rew.detach(), "heads/termination": loss_end.detach()})

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
        self, state: DreamState, act: Int64[Tensor, "b"], rng: Rng
    ) -> tuple[DreamState, Float[Tensor, "b"], Bool[Tensor, "b"]]:
        """One imagined step: the next state, the sign of its reward and whether the episode ends, both sampled."""
        acts = torch.cat([state.act, act[:, None]], dim=1)
        z_next = self.imagine_next(state.z, acts, rng)
        pair = torch.stack([state.z[:, -1], z_next], dim=1)
        logits_rew, logits_end, lstm = self.heads(pair, act[:, None], state.lstm)
        rew = rng.categorical(logits_rew[:, 0]).float() - 1
        end = rng.categorical(logits_end[:, 0]).bool()
        z = torch.cat([state.z[:, 1:], z_next[:, None]], dim=1)
        return DreamState(z, acts[:, 1:], lstm), rew, end

    @torch.no_grad()
    def imagine_next(
        self, z: Float[Tensor, "b k c h w"], act: Int64[Tensor, "b k"], rng: Rng
    ) -> Float[Tensor, "b c h w"]:
        """A sample of the next latent."""
        if self.objective.predictor == "mse":
            return self._latent(z[:, -1], self.denoiser.regress(z, act))

        def noise() -> Tensor:
            return rng.normal(*z[:, -1].shape)

        def denoise(y: Tensor, sigma: float) -> Tensor:
            return self.denoiser(y, y.new_full((len(y),), sigma), z, act)

        return self._latent(z[:, -1], sample(denoise, noise(), self.sampler, noise))
