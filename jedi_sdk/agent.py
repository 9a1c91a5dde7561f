"""JEDI, the façade: builds the parts, and passes on to those who do the work. No maths here.

Those who learn, measure and film are imported where they are called, because to load an agent must be quick.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from gymnasium.vector import AutoresetMode
from torch import nn

from jedi_sdk import checkpoint
from jedi_sdk.actor_critic import Actor, ActorCritic
from jedi_sdk.arguments import (
    checked_frames,
    config_name,
    readable,
    refuse_beside_config,
    refuse_missing_parts,
    refuse_other_batch,
    refuse_other_sizes,
    refuse_unfit_encoder,
    refuse_unknown_parts,
    refuse_unsavable,
    saved_game,
)
from jedi_sdk.checkpoint import Card
from jedi_sdk.config import Config
from jedi_sdk.dream import Dream, DreamEnv, DreamError, RealEnv, Starts
from jedi_sdk.dream.probe import PixelProbe, ProbeTrainer
from jedi_sdk.dream.view import Probe
from jedi_sdk.envs import Game, action_meanings, make_envs, resolve_game
from jedi_sdk.health import RunError
from jedi_sdk.hub import Found, Hub, begun_with, describe, past, push, refuse_other_names, resolve
from jedi_sdk.load import build_config, changed_settings
from jedi_sdk.precision import Precision, choose_device, choose_precision
from jedi_sdk.process_env import use_threads
from jedi_sdk.progress import progress_bar
from jedi_sdk.rng import Rng
from jedi_sdk.run_folder import claim, hold, new_run_dir, typed
from jedi_sdk.schedule import extended
from jedi_sdk.shapes import only_shapes
from jedi_sdk.sizes import count_parameters
from jedi_sdk.types import LSTMState
from jedi_sdk.world_model import WorldModel

if TYPE_CHECKING:
    from jedi_sdk.evaluate import Evaluation
    from jedi_sdk.fidelity import Fidelity, OpenLoop
    from jedi_sdk.fidelity.subject import Player
    from jedi_sdk.train import Trainer

MEASURED_CONTEXTS = 128  # behind the figures of a film, of which a few are shown


class JEDI:
    """An agent: a world model, a policy trained in its dreams, and the game they are for.

    ``game``: a name (``"breakout"``), a gymnasium id, ``"module:Id"``, or a function that makes an env. ``config`` is
    a ready ``Config`` or the path of a YAML file; ``overrides`` are ``"denoiser.channels=96"``. ``encoder``,
    ``denoiser``, ``heads`` and ``actor_critic`` replace a part by a module of your own with the same call.

    Raises ``UnknownGameError``, ``UnsupportedEnvError`` and ``ConfigError``, and ``CheckpointError``, ``TypeError`` or
    ``ValueError`` for what no checkpoint could be read back with, each saying what to write instead.
    """

    def __init__(
        self,
        game: str | Callable[..., Any],
        preset: str | None = None,
        objective: str | None = None,
        config: Config | str | Path | None = None,
        overrides: Sequence[str] = (),
        seed: int | None = None,
        device: str = "auto",
        **parts: Any,
    ) -> None:
        found = resolve_game(game)
        place = choose_device(device)
        if isinstance(config, Config):
            refuse_beside_config(preset, objective, overrides)
            config = replace(config, game=config_name(found), seed=config.seed if seed is None else seed)
        else:
            file = Path(config) if config is not None else None
            config = build_config(
                config_name(found),
                preset=preset,
                objective=objective,
                file=file,
                overrides=overrides,
                seed=seed,
                device=place.type,
            )
        envs = make_envs(found, 1)
        num_actions, words = int(envs.single_action_space.n), action_meanings(envs)  # type: ignore[attr-defined]
        envs.close()
        self._build(found, config, num_actions, words, choose_precision(place, config.run.dtype), parts)

    def _build(
        self,
        game: Game,
        config: Config,
        num_actions: int,
        words: tuple[str, ...] | None,
        precision: Precision,
        parts: dict[str, Any],
        weights: Path | None = None,
    ) -> None:
        """Fresh networks, or those in the checkpoint ``weights``: these are shapes without memory until they fit."""
        refuse_unknown_parts(parts)
        if parts.get("encoder") is not None:
            refuse_unfit_encoder(parts["encoder"])
        refuse_unsavable(parts)
        self.game, self.config, self.precision = game, config, precision
        self.origin: Found | None = None  # the checkpoint that holds this agent as it is now
        self._begun: Found | None = None  # the checkpoint that a run of its own would begin from
        self._trainer: Trainer | None = None
        self._new_policy = False
        self._starts: Starts | None = None
        self.probe: PixelProbe | None = None  # paints latents, once it has been fitted
        self._acting = Rng(config.seed, precision.device)
        with torch.random.fork_rng(devices=[]), only_shapes() if weights else contextlib.nullcontext():
            torch.manual_seed(config.seed)
            world_model = WorldModel(config, num_actions, **{k: v for k, v in parts.items() if k != "actor_critic"})
            actor_critic = parts.get("actor_critic") or ActorCritic(
                world_model.latent_shape, num_actions, config.actor_critic
            )
        self._networks = nn.ModuleDict({"world_model": world_model, "actor_critic": actor_critic})
        if weights:
            checkpoint.load_networks(weights, self._networks)
        self.world_model, self.actor_critic = precision.place(world_model), precision.place(actor_critic)
        custom = {name: type(part).__name__ for name, part in parts.items() if part is not None}
        sizes = count_parameters(world_model, actor_critic)
        card = Card(config, num_actions, precision.device.type, precision.name, custom, words, sizes)
        self._card = readable(card)

    # -- learning -----------------------------------------------------------------------------------------------

    def learn(
        self,
        env_steps: int | None = None,
        run_dir: str | Path | None = None,
        overwrite: bool = False,
        progress: bool = True,
    ) -> JEDI:
        """Trains to ``env_steps`` real steps in all (the preset's where None), in the run folder ``run_dir``.

        Called again, it goes on. An agent that was loaded begins a run of its own, with its weights and nothing else.
        Ctrl-C saves a checkpoint and raises KeyboardInterrupt; ``JEDI.resume`` goes on from there. Raises ``RunError``
        where the run cannot go on, ``RunFolderError`` where the folder is not free or another process trains in it, and
        ``ConfigError`` where so few steps show nothing.
        """
        folder = Path(run_dir).expanduser() if run_dir is not None else None
        if env_steps is not None:
            extended(self.config, env_steps)  # what cannot be is refused before a folder is made
        if self._trainer is None:
            folder = folder or new_run_dir(self.game.name)
            with claim(folder, overwrite, self._begun.folder if self._begun else None):
                if self._begun:
                    self._leave(self._begun)
                self._trainer = self._new_trainer(folder)
                return self._train(self._trainer, env_steps, progress)
        if folder not in (None, self._trainer.run_dir):
            raise RunError(f"this agent's run is in {self._trainer.run_dir}: call learn() without run_dir to go on")
        with hold(self._trainer.run_dir):
            self._refuse_gone_on(self._trainer)
            return self._train(self._trainer, env_steps, progress)

    def _refuse_gone_on(self, trainer: Trainer) -> None:
        """Between loading a run and going on with it another process may have gone on; its work must not be undone."""
        latest = checkpoint.list_checkpoints(trainer.run_dir)
        if latest and latest[-1] != trainer.saved:
            raise RunError(
                f"another process has gone on with the run in {trainer.run_dir}: load it anew, JEDI.resume(...), or "
                f"jedi train --resume {typed(trainer.run_dir)}"
            )

    def _train(self, trainer: Trainer, env_steps: int | None, progress: bool) -> JEDI:
        if env_steps is not None:
            trainer.extend(env_steps)
        failed = False
        try:
            trainer.run(progress)
        except Exception:
            failed = True
            raise
        finally:
            self.config, self._card = trainer.config, trainer.card
            self._found(Found(trainer.saved) if trainer.saved else None)
            if failed:
                self.origin = None  # what has failed is another agent than the last good checkpoint
        return self

    def forget_policy(self, seed: int | None = None) -> JEDI:
        """A fresh policy in the place of its own, to be learned anew in the same dreams, by a run of its own. Raises
        ``RunError`` once this agent's run has begun, and for a part that was passed by argument: only you know how it
        begins.
        """
        if self._trainer is not None:
            raise RunError(
                f"this agent's run in {self._trainer.run_dir} has begun with its policy: load the agent anew, "
                "JEDI.from_pretrained(...), forget the policy of that one, and learn() in another run_dir"
            )
        if "actor_critic" in self._card.custom:
            raise RunError("this agent's actor_critic was passed by argument: pass a fresh one to from_pretrained")
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.config.seed if seed is None else seed)
            fresh = ActorCritic(self.world_model.latent_shape, self.world_model.num_actions, self.config.actor_critic)
        self.actor_critic.load_state_dict(fresh.state_dict())
        self._new_policy, self.origin = True, None
        return self

    def _leave(self, origin: Found) -> None:
        """What is trained on from here is another agent: its card says where it began; its dtype suits this machine."""
        self.precision = choose_precision(self.precision.device, self.config.run.dtype)
        self._card = begun_with(self._card, origin, self._new_policy)

    def _found(self, origin: Found | None) -> None:
        self.origin = self._begun = origin
        folder = origin.folder if origin else None
        starts = checkpoint.read_starts(folder, self.world_model) if folder else None
        self._starts = Starts.from_tensors(starts, self.world_model, self.precision.device) if starts else None
        if folder and (folder / checkpoint.PROBE).exists():
            self.probe = self.probe or self._new_probe()
            checkpoint.load_probe(folder, self.probe)

    def _new_trainer(self, folder: Path, resumed: bool = False) -> Trainer:
        from jedi_sdk.learner import Learner
        from jedi_sdk.train import Trainer

        use_threads(self.config.run.threads)  # and not before: to load an agent changes nothing for a process
        learner = Learner(self.config, self.world_model, self.actor_critic, self.precision)
        probe = None
        if self.config.run.probe and self.config.space != "pixel":
            self.probe = self.probe or self._new_probe()
            probe = ProbeTrainer(self.probe, self.world_model, self.precision, self.config.seed)
        card = replace(self._card, device=self.precision.device.type, dtype=self.precision.name)
        return Trainer(self.game, learner, card, self._networks, folder, probe, resumed)

    def _new_probe(self) -> PixelProbe:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.config.seed)
            return self.precision.place(PixelProbe(self.world_model.latent_shape))

    @property
    def _painter(self) -> Probe | None:
        """What makes pictures of latents. Where these are frames, nobody has to."""
        return nn.Identity() if self.config.space == "pixel" else self.probe

    @property
    def run_dir(self) -> Path | None:
        return self._trainer.run_dir if self._trainer else None

    @classmethod
    def resume(
        cls,
        run_dir: str | Path,
        device: str = "auto",
        env: Callable[..., Any] | None = None,
        **parts: Any,
    ) -> JEDI:
        """The run in ``run_dir`` as it was at its latest checkpoint; ``learn()`` goes on with it.

        Raises ``CheckpointError`` where there is none, and ``ReplayError`` where what was collected is not beside it.
        """
        from jedi_sdk.train import put_back

        run_dir = Path(run_dir).expanduser()
        checkpoint.refuse_unless_run(run_dir)
        put_back(run_dir)
        agent = cls.from_pretrained(run_dir, device=device, env=env, **parts)
        assert agent.origin is not None
        agent._trainer = agent._new_trainer(run_dir, resumed=True)
        agent._trainer.restore(agent.origin.folder)
        return agent

    # -- saving and loading ---------------------------------------------------------------------------------------

    def save_pretrained(self, folder: str | Path, half: bool = False, starts: int | None = None) -> Path:
        """Writes config, weights and where dreams begin (no training state) to ``folder``, whole or not at all.

        ``half`` stores the weights in half precision; ``starts`` is how many beginnings to keep, all where None.
        """
        if starts is not None and starts < 1:
            raise ValueError(f"starts={starts}: a dream needs a beginning; keep 1 or more, or all with starts=None")
        begin = {name: tensor[:starts] for name, tensor in self._starts.tensors().items()} if self._starts else None
        folder = Path(folder).expanduser()
        painted = self.probe.state_dict() if self.probe else None
        checkpoint.save(folder, self._card, self._networks, starts=begin, probe=painted, half=half)
        return folder

    def export(
        self,
        folder: str | Path,
        episodes: int = 100,
        deterministic: bool = False,
        half: bool = False,
        starts: int | None = None,
        seed: int | None = None,
        name: str | None = None,
        progress: bool = True,
    ) -> Path:
        """Writes the folder that others load: the agent, a film, and a card with the scores of ``episodes`` real games
        (0: no scores), played with exactly the weights in the folder.

        ``half`` and ``starts``: as in ``save_pretrained``. ``name``: what others will load it by, where that is known.
        """
        folder, device = Path(folder).expanduser(), str(self.precision.device)
        name = name or f"./{folder.name}"
        known = past(self.origin)
        self.save_pretrained(folder, half, starts)
        result = None
        if episodes:
            given: dict[str, Any] = self._own_parts()
            if self.game.kind == "callable":
                given["env"] = self.game.make
            written = self.from_pretrained(folder.absolute(), device=device, **given)
            result = written.evaluate(episodes, deterministic, seed, folder / checkpoint.VIDEO, progress)
        describe(folder, name, self._card, result, device, known)
        return folder

    def _own_parts(self) -> dict[str, Any]:
        """Copies of the parts that were passed by argument, to be filled from a checkpoint."""
        names = self._card.custom
        return deepcopy({name: getattr(self if name == "actor_critic" else self.world_model, name) for name in names})

    @classmethod
    def from_pretrained(
        cls,
        name_or_path: str | Path | Found,
        revision: str | None = None,
        env: Callable[..., Any] | None = None,
        device: str = "auto",
        cache_dir: str | Path | None = None,
        endpoint: str | None = None,
        token: str | None = None,
        local_files_only: bool = False,
        overrides: Sequence[str] = (),
        **parts: Any,
    ) -> JEDI:
        """An agent by its short name, by ``owner/name`` on the Hub, or by the path of a checkpoint or run folder.

        A path contains a separator or begins with ``.``; of a run, its latest checkpoint is taken. ``revision``: a
        branch, tag or commit on the Hub, as in ``owner/name@v1``. ``env`` makes the game, where the agent was trained
        on a Python function; parts that were passed by argument must be passed again. ``endpoint``, ``token``,
        ``cache_dir`` and ``local_files_only`` are huggingface_hub's. ``overrides`` change settings,
        ``"optim.lr=1e-4"``, for ``learn`` to train it on; those that decide sizes must stay. Raises ``HubError``,
        ``CheckpointError`` and ``ConfigError``.
        """
        found = resolve(name_or_path, revision, Hub(endpoint, token, cache_dir, local_files_only))
        folder = found.folder
        card = checkpoint.read_card(folder)
        refuse_missing_parts(card, parts, folder)
        card = replace(card, config=changed_settings(card.config, overrides))
        place = choose_device(device)
        agent = cls.__new__(cls)  # as __init__ does, but from the card: no env has to be made
        agent._build(
            saved_game(card, env, trusted=found.mine),
            card.config,
            card.num_actions,
            card.action_meanings,
            choose_precision(place, card.config.run.dtype, card.dtype),
            dict(parts),
            folder,
        )
        refuse_other_sizes(card, agent._card, folder)
        before = ("device", "dtype", "begun_with", "env_steps_before", "updates_before", "begun_by")
        agent._card = replace(agent._card, **{name: getattr(card, name) for name in before})
        agent._found(found)
        return agent

    def push_to_hub(
        self,
        repo: str,
        private: bool | None = None,
        revision: str | None = None,
        tag: str | None = None,
        endpoint: str | None = None,
        token: str | None = None,
        episodes: int = 100,
        progress: bool = True,
    ) -> str:
        """Publishes the agent as ``owner/name`` on the Hub, with a card; the commit's address.

        ``private`` holds for a new repository; ``revision`` is a branch, ``tag`` a name for this commit; both are made
        if need be. An agent from an exported folder is sent as it lies there, any other is exported first, which plays
        ``episodes`` real games. No training state leaves this machine. Raises ``HubError``.
        """
        refuse_other_names(repo)  # before the games, not behind them
        hub = Hub(endpoint, token)
        if self.origin and (self.origin.folder / checkpoint.RESULTS).exists():
            return push(self.origin.folder, repo, private, revision, tag, hub)
        with TemporaryDirectory() as place:
            folder = self.export(Path(place) / "agent", episodes, name=repo, progress=progress)
            return push(folder, repo, private, revision, tag, hub)

    # -- acting -------------------------------------------------------------------------------------------------

    def predict(
        self,
        obs: np.ndarray,
        state: LSTMState | None = None,
        episode_start: np.ndarray | None = None,
        deterministic: bool = True,
    ) -> tuple[np.ndarray, LSTMState | None]:
        """The action for one uint8 frame (64, 64, 3), or the actions (n,) for a batch of them, and the memory.

        As in Stable-Baselines3: pass ``state`` back in; ``episode_start`` (n,) empties the memory where True.
        """
        frames = torch.from_numpy(checked_frames(obs)).to(self.precision.device)
        one = frames.ndim == 3
        frames = frames[None] if one else frames
        first = np.zeros(len(frames), bool) if episode_start is None else np.atleast_1d(episode_start).astype(bool)
        refuse_other_batch(len(frames), state, first)
        policy = self._policy(deterministic)
        act, state = policy(frames, state, torch.from_numpy(first).to(self.precision.device))
        return (act[0] if one else act).cpu().numpy(), state

    def _policy(self, deterministic: bool, rng: Rng | None = None) -> Callable[..., Any]:
        actor = Actor(self.actor_critic, rng or self._acting, self.world_model.encode, deterministic)

        def act(x: torch.Tensor, state: Any, first: torch.Tensor) -> tuple[torch.Tensor, Any]:
            with self.precision.autocast():
                return actor(x, state, first)

        return act

    @property
    def starts(self) -> Starts | None:
        """Where its dreams begin; None before the first checkpoint."""
        return self._starts

    # -- the dream as an environment ----------------------------------------------------------------------------

    def dream(self, num_envs: int = 1, horizon: int | None = None, **options: Any) -> Dream:
        """The dream itself, torch in and torch out, for adaptors; ``options`` are those of ``jedi_sdk.dream.Dream``.

        ``horizon``: steps before a dream is truncated; by default as many as the policy was trained on. Dreams are of
        the world model as it is now: once ``learn`` has gone on, make new ones.
        """
        horizon = self.config.actor_critic.horizon if horizon is None else horizon
        given = {"starts": self._starts, "probe": self._painter, "precision": self.precision, **options}
        given.setdefault("action_meanings", self._card.action_meanings)
        return Dream(self.world_model, num_envs, horizon, **given)

    def dream_env(
        self,
        num_envs: int = 1,
        horizon: int | None = None,
        autoreset_mode: AutoresetMode | str = AutoresetMode.SAME_STEP,
        to_numpy: bool = True,
        render_mode: str | None = None,
        **options: Any,
    ) -> DreamEnv:
        """The dream as a gymnasium ``VectorEnv``: one forward pass for all. Needs neither the replay nor the game.

        ``options``: ``obs="latent" | "features" | "pixels"``, ``stack=k`` latents, ``reward="sample" | "mean" |
        "argmax"``, ``sampler={"steps": 1}``, ``starts``, ``probe``; see ``jedi_sdk.dream.Dream``.
        """
        return DreamEnv(self.dream(num_envs, horizon, **options), autoreset_mode, to_numpy, render_mode)

    def real_env(self, num_envs: int = 1, **options: Any) -> RealEnv:
        """The real game through the encoder: spaces and history of the dream, so that what was trained there plays.

        ``options``: ``obs``, ``stack`` and ``probe`` as in the dream, ``reward="raw" | "sign"``, ``autoreset_mode``,
        ``to_numpy``, ``life_loss_ends`` (the run's); see ``jedi_sdk.dream.RealEnv``.
        """
        given = {"probe": self._painter, "precision": self.precision, **options}
        given.setdefault("action_meanings", self._card.action_meanings)
        given.setdefault("life_loss_ends", self.config.env.life_loss_ends)
        return RealEnv(make_envs(self.game, num_envs), self.world_model, **given)

    # -- measuring ----------------------------------------------------------------------------------------------

    def evaluate(
        self,
        episodes: int = 100,
        deterministic: bool = False,
        seed: int | None = None,
        video: str | Path | None = None,
        progress: bool = True,
    ) -> Evaluation:
        """Plays whole real games; the result holds mean, std, standard error, human-normalised score, lengths."""
        from jedi_sdk.evaluate import evaluate, film

        if episodes < 1:
            raise ValueError(f"episodes={episodes}: play at least 1")
        seed = self.config.seed if seed is None else seed
        policy = self._policy(deterministic, Rng(seed, self.precision.device))
        origin = str(self.origin) if self.origin else None
        device, dtype = self.precision.device, self.precision.name
        life_loss_ends = self.config.env.life_loss_ends
        with progress_bar(f"playing {self.game.name}", episodes, progress) as report:
            result = evaluate(
                policy, self.game, episodes, seed, deterministic, device, origin, dtype, report, life_loss_ends
            )
            if video is not None:
                report(episodes, "filming")
                film(policy, self.game, Path(video), seed, device, life_loss_ends=life_loss_ends)
        return result

    def fidelity(
        self, contexts: int = 2000, horizon: int = 15, seed: int | None = None, progress: bool = True
    ) -> Fidelity:
        """How true the dream is, on real episodes played for this and never trained on."""
        from jedi_sdk.fidelity import measure_fidelity

        with progress_bar("fidelity", enabled=progress) as report:
            return measure_fidelity(
                self.world_model,
                self.actor_critic,
                self.game,
                self.config,
                self.precision,
                contexts=contexts,
                horizon=horizon,
                seed=self.config.seed if seed is None else seed,
                progress=report,
            )

    # -- looking ------------------------------------------------------------------------------------------------

    def fit_probe(self, frames: int = 4_000, updates: int = 1_500, progress: bool = True) -> JEDI:
        """Fits the pixel probe to real frames played for this, and adds it to the checkpoint the agent came from, if
        that was given by its path: the zoo and the Hub's cache are not written to.

        Raises ``DreamError`` with ``space=pixel``, where there is nothing to fit.
        """
        from jedi_sdk.fit_probe import fit_probe

        if self.config.space == "pixel":
            raise DreamError("with space=pixel dreams are frames already: agent.film_dreams() or `jedi dream RUN`")
        self.probe = self.probe or self._new_probe()
        run_dir = self.origin.run_dir if self.origin else None
        with hold(run_dir) if run_dir else contextlib.nullcontext():  # or the run may remove what is to be added to
            with progress_bar("probe", enabled=progress) as report:
                fit_probe(self.probe, self.world_model, self._player(self.config.seed), frames, updates, report)
            if self.origin and self.origin.mine:
                checkpoint.add(self.origin.folder, checkpoint.PROBE, self.probe.state_dict())
        return self

    def film_dreams(
        self,
        path: str | Path,
        dreams: int = 4,
        horizon: int = 50,
        side_by_side: bool = False,
        seed: int | None = None,
        progress: bool = True,
    ) -> OpenLoop | None:
        """Films the agent's dreams; with ``side_by_side`` dreams along recorded actions, beside what really happened,
        and returns the measured error by step. Raises ``DreamError`` where there is no probe.
        """
        from jedi_sdk.dream_film import film_dreams, film_side_by_side
        from jedi_sdk.fidelity.held_out import BATCH, play_held_out
        from jedi_sdk.fidelity.measure import HELD_OUT
        from jedi_sdk.fidelity.progress import part
        from jedi_sdk.fidelity.subject import Subject

        if not 1 <= dreams <= BATCH or horizon < 1:
            raise ValueError(f"dreams={dreams}, horizon={horizon}: film 1 to {BATCH} dreams of at least 1 step")
        painter = self._painter
        if painter is None:
            raise DreamError("there is no probe to paint dreams with: fit one, agent.fit_probe() or `jedi probe RUN`")
        seed = self.config.seed if seed is None else seed
        subject = Subject(self.world_model, self.precision, Rng(seed, self.precision.device))
        with progress_bar("dreaming", enabled=progress) as report:
            held_out = play_held_out(self._player(seed + HELD_OUT), MEASURED_CONTEXTS, horizon, part(report, 0.0, 0.5))
            report(0.5, "filming")
            if side_by_side:
                return film_side_by_side(subject, painter, held_out, Path(path), dreams)
            film_dreams(subject, Actor(self.actor_critic, subject.rng), painter, held_out, Path(path), dreams)
        return None

    def _player(self, seed: int) -> Player:
        """The agent's own sampled policy in the real game."""
        from jedi_sdk.fidelity.subject import Player

        policy = Actor(self.actor_critic, Rng(seed, self.precision.device), self.world_model.encode)
        return Player(self.game, policy, self.config, self.precision, seed)
