"""``wfine check``: a file of chains against the rules of WEval-Hand."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from wfine_utils.errors import explained
from wfine_utils.files import display_path
from wfine_workflow.answers import add_json, answer


@explained
def main(arguments: Sequence[str] | None = None) -> int:
    """0 if every chain keeps the rules; 2 with a line for each breach, or if no chains load."""
    parser = argparse.ArgumentParser(
        prog="wfine check",
        description="Check chains by the rules of WEval-Hand: five levels, one more requirement "
        "dropped at each, machine checks that agree with the labels, nothing else that changes. "
        "The exit status is 0 if all of them hold, and 2 if not.",
    )
    parser.add_argument("file", metavar="FILE", help="chains, as load_chains reads them")
    add_json(parser)
    args = parser.parse_args(arguments)
    # not above: --help should not wait for them
    from wfine_utils.chains.files import load_chains
    from wfine_utils.checks import minimal_chains

    chains = load_chains(args.file)
    problems = minimal_chains.problems(chains)
    counts = {
        "file": str(args.file),
        "n_chains": len(chains),
        "n_responses": sum(len(chain.responses) for chain in chains),
        "n_checks": sum(r.check is not None for chain in chains for r in chain.requirements),
        "breaches": problems,
    }
    breaches = f"{len(problems) or 'no'} breach{'' if len(problems) == 1 else 'es'} of the rules"
    size = "{n_chains} chains, {n_responses} responses, {n_checks} machine checks".format(**counts)
    line = f"{display_path(Path(args.file))}: {size}: {breaches}"
    answer("\n".join([*problems, line]), counts, as_json=args.json)
    return 2 if problems else 0
