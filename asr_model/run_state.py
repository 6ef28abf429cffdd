"""What changes while a run goes on, and how it comes to lie in a checkpoint."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor

from asr_model.checkpoints import CheckpointError, keep_as_best, latest_checkpoint, save_checkpoint
from asr_model.network import Network

__all__ = ["RunState"]

LOG = logging.getLogger(__name__)


@dataclass
class RunState:
    """Network, averaged weights, optimizer and counters; all of it is in a checkpoint."""

    network: Network
    average: list[Tensor]
    optimizer: torch.optim.AdamW
    step: int = 0
    epoch: int = 0
    epoch_batches: int = 0
    epoch_frames: int = 0
    frames: int = 0
    infeasible: int = 0
    best_wer: float | None = None
    dev_wer: float | None = None

    COUNTERS: ClassVar = (
        "step", "epoch", "epoch_batches", "epoch_frames", "frames", "infeasible", "best_wer", "dev_wer"
    )  # fmt: skip

    @classmethod
    def begin(cls, network: Network, weight_decay: float) -> RunState:
        """Return the state before the first step."""
        average = [parameter.detach().clone() for parameter in network.parameters()]
        return cls(network, average, torch.optim.AdamW(network.parameters(), weight_decay=weight_decay))

    def averaged(self) -> dict[str, Tensor]:
        """Return the averaged weights by name."""
        return dict(zip(dict(self.network.named_parameters()), self.average, strict=True))

    def save(self, folder: Path, keep: int, is_best: bool = False) -> None:
        """Write a checkpoint into ``folder`` and delete all but the last ``keep`` and the best."""
        state = {name: getattr(self, name) for name in self.COUNTERS}
        path = save_checkpoint(folder, self.step, self.tensors(), state, keep)
        if is_best:
            keep_as_best(path)

    def resume(self, folder: Path) -> None:
        """Go on from the newest sound checkpoint in ``folder``, if there is any.

        Raises:
            CheckpointError: there are checkpoints, but all are damaged.
        """
        found = latest_checkpoint(folder)
        if found is None:
            if any(folder.glob("*.checkpoint")):
                raise CheckpointError(f"{folder}: every checkpoint is damaged; pass --overwrite to begin anew")
            return
        tensors, state, damaged = found
        self.restore(tensors, state)
        for path in damaged:
            LOG.warning("%s: damaged, the run goes on from step %d before it", path, self.step)

    def tensors(self) -> dict[str, Tensor]:
        """Return weights, averaged weights and optimizer moments under names of their own."""
        named = dict(self.network.named_parameters())
        tensors = {f"weights/{name}": parameter.detach() for name, parameter in named.items()}
        tensors |= {f"average/{name}": mean for name, mean in zip(named, self.average, strict=True)}
        for name, parameter in named.items():
            for key, value in self.optimizer.state.get(parameter, {}).items():
                tensors[f"optimizer/{key}/{name}"] = value
        return {name: tensor.cpu().contiguous() for name, tensor in tensors.items()}

    def restore(self, tensors: dict[str, Tensor], state: dict[str, Any]) -> None:
        """Take over what `tensors` and the counters of a checkpoint hold."""
        named = dict(self.network.named_parameters())
        with torch.no_grad():
            for (name, parameter), mean in zip(named.items(), self.average, strict=True):
                parameter.copy_(tensors[f"weights/{name}"])
                mean.copy_(tensors[f"average/{name}"])
                self.optimizer.state[parameter] = {
                    key: tensors[f"optimizer/{key}/{name}"].to(parameter.device if key != "step" else "cpu")
                    for key in ("step", "exp_avg", "exp_avg_sq")
                }
        for name in self.COUNTERS:
            setattr(self, name, state[name])
