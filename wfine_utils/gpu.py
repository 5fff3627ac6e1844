"""What GPU there is, and what a training took of it: memory at its peak, tokens per second."""

from __future__ import annotations

import gc
import json
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from wfine_utils.files import atomic_write, json_text
from wfine_utils.memory import GIB, Estimate

COST = "cost.json"
"""File beside an adapter: estimate, peak memory, tokens per second."""


def gpu_gib() -> float | None:
    """GiB of the GPU that are free or this process's own; None: no GPU."""
    if not torch.cuda.is_available():
        return None
    gc.collect()  # what an earlier training left behind in reference cycles
    torch.cuda.empty_cache()
    free, _ = torch.cuda.mem_get_info()
    return (free + torch.cuda.memory_reserved()) / GIB


class Meter:
    """Peak memory and time of one training, from its making to :meth:`write`."""

    def __init__(self, estimate: Estimate | None) -> None:
        self._estimate = estimate
        self._on_gpu = torch.cuda.is_available()
        if self._on_gpu:
            torch.cuda.reset_peak_memory_stats()
        self._start = time.monotonic()

    def write(self, folder: Path, tokens: float) -> None:
        """Write ``cost.json``: what was estimated, what was measured, and on what.

        Args:
            folder: of the adapter.
            tokens: that the training has seen, padding not counted.
        """
        seconds = time.monotonic() - self._start
        peak, of = self._peak()
        record: dict[str, Any] = {
            "estimate_gib": None,
            "peak_gib": peak,
            "peak_of": of,
            "seconds": seconds,
            "tokens": tokens,
            "tokens_per_second": tokens / seconds,
        }
        if self._estimate:
            record["estimate_gib"] = asdict(self._estimate) | {"total": self._estimate.total}
        text = json_text(record, COST)
        atomic_write(folder / COST, lambda path: path.write_text(text, encoding="utf-8"))

    def _peak(self) -> tuple[float, str]:
        if self._on_gpu:
            name = torch.cuda.get_device_name()
            return torch.cuda.max_memory_allocated() / GIB, f"tensors on {name}"
        import resource  # Unix; on Windows the batch run does not exist either

        unit = 1 if sys.platform == "darwin" else 1024
        used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
        return used / GIB, "the process since its start, no GPU"


def main() -> int:
    """Print the GiB of the first GPU as JSON, ``null`` for none.

    The batch run asks in a process of its own: one that has looked keeps a part of the GPU.
    """
    sys.stdout.write(json.dumps(gpu_gib()) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
