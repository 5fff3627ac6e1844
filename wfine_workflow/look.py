"""A finished small world, without any training: ``wfine look mini``.

Shows the numbers of a kept run, what its reward model makes of the responses of one chain, and the
report of the run with its pictures, which a browser opens where there is one.
"""

from __future__ import annotations

import argparse
import os
import sys
import warnings
import webbrowser
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from wfine_utils.chains.files import load_chains
from wfine_utils.errors import WfineError, explained
from wfine_utils.files import display_path, resolve
from wfine_utils.notebook.kept_models import kept_model, kept_models

if TYPE_CHECKING:
    import pandas as pd

    from wfine_utils.chains.taxonomy import Chain

CHAINS = "02_requirement_dropping/chains_test.jsonl"
NOTEBOOK, MODEL = "03_reward_model", "wrl_requirement"


def chain_text(chain: Chain, opinions: pd.DataFrame) -> str:
    """The responses of a chain, and what checker and reward model say of them, as a text.

    Args:
        chain: of texts that a terminal can show.
        opinions: as :func:`wfine_utils.rewards.opinions` returns them.
    """
    parts = [chain.query.prompt()]
    for place, response in enumerate(chain.responses):
        parts.append(f"[{place}] meets {response.gold}:\n{response.text}")
    signs = {True: "yes", False: "no", None: "?"}
    said = opinions["is_met"].map(signs) + opinions["probability"].map(" {:.2f}".format)
    table = opinions.assign(said=said).pivot(index="requirement", columns="response", values="said")
    table.columns = [f"[{place}]" for place in table]
    means = opinions.groupby("response")["probability"].mean().map("{:.2f}".format)
    table.loc["score: the mean of these"] = means.to_numpy()
    parts.append(table.to_markdown(tablefmt="simple", disable_numparse=True))
    return "\n\n".join(parts)


def look(preset: str, which: int, report: Path, *, with_browser: bool) -> None:
    """Print the headline of a kept run and one of its chains, then make its report.

    Args:
        preset: with results in ``outputs/reference``.
        which: place of the chain in its file, from 0.
        report: folder to write the report to.
        with_browser: open it, where this machine has a browser.

    Raises:
        WfineError: nothing was kept of this preset, or there is no such chain.
    """
    from wfine_workflow.headline import headline_text  # brings much that --help need not wait for
    from wfine_workflow.index import build

    folder = kept_models(preset).parent
    if not (folder / "notebooks").is_dir():
        known = sorted(path.parent.name for path in folder.parent.glob("*/notebooks"))
        raise WfineError(
            f"PRESET: found {preset!r}, of which no run was kept; expected one of "
            f"{', '.join(known)}."
        )
    _say(f"A kept run of preset {preset}:\n\n{headline_text(folder)}\n")
    if (kept_models(preset) / NOTEBOOK / MODEL).is_dir():
        _say_chain(preset, folder / CHAINS, which)
    path = build(folder, report)
    opened = with_browser and _has_screen() and webbrowser.open(path.as_uri())
    _say(f"Pictures, tables and notebooks{', in your browser' if opened else ''}: {path.as_uri()}")
    _say("Your own requirement and text: notebooks/start.ipynb (make lab).")


def _say_chain(preset: str, path: Path, which: int) -> None:
    """Print a kept chain and what the kept reward model makes of it."""
    from transformers.utils import logging

    from wfine_utils.rewards import load_reward_model, opinions

    chains = load_chains(path)
    if not 0 <= which < len(chains):
        raise WfineError(
            f"--chain: found {which}, expected 0 to {len(chains) - 1}, as {display_path(path)} "
            f"has {len(chains)} chains."
        )
    logging.set_verbosity_error()  # how a library loads is no part of what there is to see
    logging.disable_progress_bar()
    with warnings.catch_warnings(action="ignore", category=FutureWarning):
        model = load_reward_model(kept_model(preset, NOTEBOOK, MODEL))
    _say(
        "A chain that was held out. Below: does a response meet a requirement, by program (yes, "
        "no), and how sure of it is the reward model (0 to 1)?\n\n"
        + chain_text(chains[which], opinions(model, chains[which]))
        + "\n"
    )


def _has_screen() -> bool:
    """Whether a browser would have a window: one for terminals would take this one over."""
    return sys.platform in {"darwin", "win32"} or bool(
        os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    )


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


@explained
def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; see ``wfine look --help``."""
    parser = argparse.ArgumentParser(prog="wfine look", description=__doc__.partition("\n\n")[2])
    parser.add_argument("preset", nargs="?", default="mini", help="(default: %(default)s)")
    parser.add_argument("--chain", type=int, default=0, help="which chain (default: %(default)s)")
    parser.add_argument("--output-root", default="outputs", help="of the report's folder, look/")
    parser.add_argument("--no-browser", action="store_true", help="only print")
    args = parser.parse_args(arguments)
    report = resolve(args.output_root) / "look" / args.preset
    look(args.preset, args.chain, report, with_browser=not args.no_browser)
    return 0
