"""The processes that train together: one, or as many as torchrun started."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

__all__ = ["Processes", "joined_processes"]


@dataclass(frozen=True)
class Processes:
    """This process's ``number`` among ``count``, and the device it computes on."""

    number: int
    count: int
    device: torch.device

    @classmethod
    def alone(cls) -> Processes:
        """Return the only process there is, on the CPU."""
        return cls(0, 1, torch.device("cpu"))

    @property
    def is_first(self) -> bool:
        """Whether this is the process that writes files."""
        return self.number == 0

    def sum(self, values: Tensor) -> Tensor:
        """Return the sum of every process's ``values``, the same bits in all of them."""
        if self.count > 1:
            dist.all_reduce(values)
        return values

    def any(self, value: bool) -> bool:
        """Return whether ``value`` is true in any process."""
        return bool(value) if self.count == 1 else bool(self.sum(torch.tensor(float(value), device=self.device)))

    def gather(self, value: Any) -> list[Any]:
        """Return every process's ``value``, in the order of their numbers."""
        values = [value] * self.count
        if self.count > 1:
            dist.all_gather_object(values, value)
        return values

    def share_gradients(self, module: nn.Module) -> nn.Module:
        """Return ``module`` such that its gradients are the mean over all processes."""
        if self.count == 1:
            return module
        return nn.parallel.DistributedDataParallel(module)

    def keeping_gradients(self, module: nn.Module) -> AbstractContextManager[None]:
        """Return a context in which gradients gather in this process: it shares them with those made after it."""
        return module.no_sync() if isinstance(module, nn.parallel.DistributedDataParallel) else nullcontext()


@contextmanager
def joined_processes() -> Iterator[Processes]:
    """Yield this process and its place among those that torchrun started, or alone."""
    local = int(os.environ.get("LOCAL_RANK", 0))
    device = torch.device(f"cuda:{local}" if torch.cuda.is_available() else "cpu")
    if int(os.environ.get("WORLD_SIZE", 1)) == 1:
        yield Processes(0, 1, device)
        return
    if device.type == "cuda":
        torch.cuda.set_device(device)
    # DistributedDataParallel imports it. Once the group is made, its default arguments would keep that and its threads,
    # and these abort the process if one still holds a tensor when the interpreter ends.
    import_module("torch.distributed.nn")
    dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        yield Processes(dist.get_rank(), dist.get_world_size(), device)
    finally:
        dist.destroy_process_group()
