"""One step of training: losses, gradients, and what they do to the weights."""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.optim.swa_utils import get_ema_multi_avg_fn

from asr_model.batches import Step
from asr_model.config import Settings, SettingsError
from asr_model.consistency import consistent_loss
from asr_model.network import CtcNetwork, Loss, Network
from asr_model.processes import Processes
from asr_model.run_state import RunState
from asr_model.spec_augment import SpecAugmentSettings, spec_augment

__all__ = ["Losses", "OptimizationSettings", "StepFigures", "learning_rate_at", "take_step"]


class OptimizationSettings(Settings):
    """How the weights are changed by what was heard."""

    spec_augment: SpecAugmentSettings = SpecAugmentSettings()
    consistency: float = Field(default=0.0, ge=0)
    """Weight of the distance between two views of an utterance (CR-CTC; 0.2 there): steps cost twice as much."""
    learning_rate: float = Field(default=2e-3, gt=0)
    warmup: float = Field(default=0.1, ge=0, lt=1)
    """Part of the run in which the learning rate rises; after it the rate falls along a cosine to zero."""
    weight_decay: float = Field(default=0.01, ge=0)
    gradient_clip: float = Field(default=5.0, gt=0)
    average_decay: float = Field(default=0.999, ge=0, lt=1)
    """Decay of the exponential moving average of the weights, which is what is evaluated and kept."""
    precision: Literal["float32", "bfloat16"] = "float32"
    """bfloat16 is mixed precision: twice as fast on processors and GPUs that have it."""
    seed: int = Field(default=0, ge=0)


class Losses(nn.Module):
    """A network's loss as a module of its own, which is what processes can share the gradients of.

    Raises:
        SettingsError: a consistency is wanted of a network that is not trained by CTC alone.
    """

    def __init__(self, network: Network, consistency: float = 0.0):
        super().__init__()
        self.network = network
        self.loss_of: Callable[..., Loss] = network.loss
        if consistency:
            if not isinstance(network, CtcNetwork):
                kind = type(network).__name__
                raise SettingsError(f"consistency: {consistency:g}, wanted 0 for {kind}: it is of CTC")
            self.loss_of = partial(consistent_loss, network, weight=consistency)

    def forward(self, features: Tensor, num_frames: Tensor, tokens: Tensor, num_tokens: Tensor) -> Loss:
        """Return the loss of a batch, of which there are two views of each utterance where consistency is wanted."""
        return self.loss_of(features, num_frames, tokens, num_tokens)


@dataclass(frozen=True)
class StepFigures:
    """Loss per token, norm of the gradient before clipping, and learning rate of a step."""

    loss: float
    gradient_norm: float
    learning_rate: float


def learning_rate_at(done: float, settings: OptimizationSettings) -> float:
    """Return the learning rate where ``done`` (0 to 1) of the run is over."""
    rising = done / settings.warmup if done < settings.warmup else 1.0
    falling = max(0.0, done - settings.warmup) / (1 - settings.warmup)
    return settings.learning_rate * min(rising + 1e-3, 0.5 * (1 + math.cos(math.pi * falling)))


def take_step(
    run: RunState, losses: nn.Module, step: Step, settings: OptimizationSettings, done: float, processes: Processes
) -> StepFigures:
    """Change the weights by the gradient of all batches of a step, whichever processes hold them.

    Raises:
        FloatingPointError: the loss became NaN or infinite; the weights are as they were.
    """
    run.optimizer.zero_grad()
    run.network.train()
    sums = torch.zeros(3, dtype=torch.float64, device=processes.device)
    for number, batch in step.batches:
        torch.manual_seed(settings.seed * 1_000_003 + run.step + 1 + number * 500_000_003)
        inputs = (batch.features, batch.num_frames, batch.tokens, batch.num_tokens)
        features, num_frames, *targets = (x.to(processes.device) for x in inputs)
        views = 2 if settings.consistency else 1
        features, num_frames = spec_augment(features, num_frames, settings.spec_augment, views)
        is_last = number == step.batches[-1][0]
        with nullcontext() if is_last else processes.keeping_gradients(losses):
            with torch.autocast(processes.device.type, torch.bfloat16, enabled=settings.precision == "bfloat16"):
                made: Loss = losses(features, num_frames, *targets)
            # Shared gradients are the mean over processes; wanted is their sum.
            share = made.total / max(step.num_tokens, 1) * (0 if step.idle else processes.count)
            share.backward()  # type: ignore[no-untyped-call]
        if not step.idle:
            sums += torch.stack([made.total.detach().double(), made.num_tokens.double(), made.infeasible.double()])
    total, num_tokens, infeasible = processes.sum(sums).tolist()
    loss = total / max(num_tokens, 1)
    if not math.isfinite(loss):
        raise FloatingPointError(f"step {run.step + 1}: the loss is {loss}; lower learning_rate or gradient_clip")
    parameters = list(run.network.parameters())
    if num_tokens not in (0, step.num_tokens):  # what was left out does not count
        torch._foreach_mul_([p.grad for p in parameters if p.grad is not None], step.num_tokens / num_tokens)
    norm = nn.utils.clip_grad_norm_(parameters, settings.gradient_clip)
    rate = learning_rate_at(done, settings)
    for group in run.optimizer.param_groups:
        group["lr"] = rate
    run.optimizer.step()
    run.step += 1
    decay = min(settings.average_decay, (1 + run.step) / (10 + run.step))
    weights = [parameter.detach() for parameter in parameters]
    get_ema_multi_avg_fn(decay)(run.average, weights, run.step)  # type: ignore[no-untyped-call]
    run.infeasible += int(infeasible)
    run.epoch_batches += step.num_batches
    run.epoch_frames += step.num_frames
    run.frames += step.num_frames
    return StepFigures(loss, norm.item(), rate)
