"""Trainings of a notebook side by side, each on cores of its own.

Two threads of one small training spend much of their time waiting for each other, more so on a
machine that has other work. Two trainings of one thread each do not.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tqdm.auto import tqdm

if TYPE_CHECKING:
    from wfine_utils.notebook.run import Run


def in_parallel(
    run: Run, train: Callable[[str], Path], names: Sequence[str], *, n_jobs: int = 0
) -> dict[str, Path]:
    """The folder that ``train(name)`` makes for each name, in as many processes as there are cores.

    On a GPU, with one core or one name, or from kept models: one after the other, in this process.

    Args:
        run: of the notebook; its ``stages`` say what became of each.
        train: returns a stage (:meth:`~wfine_utils.notebook.run.Run.stage`). It is handed to other
            processes with all that it refers to, whether a module or a notebook defines it.
        names: of the trainings. The last is begun first, so let it be the longest.
        n_jobs: at most so many at a time, where memory is short; 0: one for each core.

    Returns:
        The folder of every name.

    Raises:
        Exception: the first that a training raised; the others are given up, and what they keep on
            their way (``resumable``) stays.
    """
    n_jobs = min(len(names), at_a_time(), n_jobs or sys.maxsize)
    if n_jobs < 2 or run.starts_from_kept:
        return {name: train(name) for name in names}
    from joblib import Parallel, delayed, parallel_config
    from joblib.externals.loky import get_reusable_executor

    start = time.time()
    try:
        with parallel_config("loky", n_jobs=n_jobs, inner_max_num_threads=at_a_time() // n_jobs):
            jobs = (delayed(_work)(train, name, os.getpid()) for name in reversed(names))
            finished = Parallel(return_as="generator_unordered")(jobs)
            for _ in tqdm(finished, desc="trainings", total=len(names)):
                pass
    finally:
        get_reusable_executor().shutdown(wait=True, kill_workers=True)  # they hold much memory
    folders = {name: train(name) for name in names}  # finds them done
    for folder in folders.values():
        if (folder / "stage.json").stat().st_mtime >= start:
            run.stages[folder.relative_to(run.folder).as_posix()] = "computed"
    return folders


def at_a_time() -> int:
    """Trainings that go well side by side here: one on a GPU, else one for each core.

    Cores are as many as the batch run gave this process, else all that it may run on.
    """
    from joblib import cpu_count

    torch: Any = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        return 1
    given = os.environ.get("OMP_NUM_THREADS", "")
    return min(int(given), cpu_count()) if given.isdigit() and int(given) else cpu_count()


def _work(train: Callable[[str], object], name: str, parent: int) -> None:
    """One training, in a process that ends when the notebook does, however that ended."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
    train(name)
