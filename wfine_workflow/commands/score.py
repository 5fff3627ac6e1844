"""``wfine score``: scores for a file of any size, in shards, resumable after a kill."""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from pathlib import Path
from typing import get_args

from wfine_utils.errors import explained
from wfine_utils.files import display_path
from wfine_utils.settings import Granularity, Precision
from wfine_workflow.answers import answer, nothing_else_on_stdout, text_of


@explained
def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; see ``wfine score --help``."""
    parser = argparse.ArgumentParser(
        prog="wfine score",
        argument_default=argparse.SUPPRESS,
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
        description="Score every response of a file of chains, in shards. A run that was killed "
        "goes on where it was when the same command is given again. Options in the second group "
        "are for classifiers; the folder of a reward model says itself how it is to be used.",
    )
    add = parser.add_argument
    add("scorer", metavar="SCORER_FOLDER", help="reward model of notebook 03, or any classifier")
    add("chains", metavar="CHAINS_FILE", help="chains, as load_chains reads them")
    add("out", metavar="OUT_FOLDER", help="gets scores-00000.parquet … and manifest.json")
    add("--name", help="name of the scorer in the tables (default: the folder's)")
    add("--format", default="auto", metavar="NAME", help="of the chains, as load_chains takes it")
    add("--shard-size", type=int, default=5000, metavar="N", help="most responses to a shard")
    add("--portion", type=int, default=500, metavar="N", help="responses scored at once")
    add = parser.add_argument_group("classifiers").add_argument
    add("--granularity", choices=get_args(Granularity))
    add("--template", metavar="NAME_OR_FILE", help="auto, chat, pair, or a file with a Jinja "
        "template: messages[0].content is the instruction, messages[1].content the response"
    )  # fmt: skip
    add("--positive-label", metavar="LABEL", help="the label that means a good response")
    add("--max-tokens", type=int, metavar="N", help="longest text; the middle of others is cut")
    add("--token-budget", type=int, metavar="N", help="tokens per forward pass")
    add("--quantise", action="store_true", help="load it in 4-bit")
    add("--precision", choices=get_args(Precision),
        help="of the body on a CPU: auto is bf16 where the CPU has it (default: fp32)")  # fmt: skip
    parser.add_argument("--json", action="store_true", default=False,
                        help="answer with one JSON object")  # fmt: skip
    options = vars(parser.parse_args(arguments))  # the scorer's, when these are taken out:
    folder, chains, out = (options.pop(name) for name in ("scorer", "chains", "out"))
    as_json = options.pop("json")
    job = {name: options.pop(name) for name in ("format", "shard_size", "portion")}
    if Path(options.get("template", "")).is_file():
        options["template"] = text_of(Path(options["template"]))
    # not above: --help should not wait for pandas
    from wfine_workflow import score_file

    with nothing_else_on_stdout():
        scorer, fingerprint = score_file.load_scorer(folder, **options)
        counts = score_file.score_file(scorer, fingerprint, chains, out, **job)
    cut, rounded = f"{counts['cut_rate']:.1%} were cut", ""
    if math.isnan(counts["cut_rate"]):
        cut = "whether any was cut this scorer does not say"
    if counts["saturated_rate"] > 0:
        rounded = f", {counts['saturated_rate']:.1%} only by rounding of probabilities"
    answer(
        f"{display_path(Path(out))}: {counts['n_responses']:,} responses of "
        f"{counts['n_chains']:,} chains in {counts['n_shards']:,} shards, {counts['n_kept']:,} of "
        f"them kept from earlier runs; {counts['n_nan']:,} responses could not be scored, {cut}; "
        f"{counts['tie_rate']:.1%} of the pairs with different gold are tied{rounded}",
        {"scorer": scorer.name, "folder": str(out), **counts},
        as_json=as_json,
    )
    return 0
