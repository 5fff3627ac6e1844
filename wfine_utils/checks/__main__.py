"""Check a file of chains by the rules of WEval-Hand: ``python -m wfine_utils.checks FILE``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from wfine_utils.errors import explained
from wfine_utils.files import display_path


@explained
def main(arguments: Sequence[str] | None = None) -> int:
    """0 if every chain keeps the rules, 1 with a line for each breach, 2 if no chains load."""
    parser = argparse.ArgumentParser(
        prog="python -m wfine_utils.checks",
        description="Check chains by the rules of WEval-Hand: five levels, one more requirement "
        "dropped at each, machine checks that agree with the labels, nothing else that changes.",
    )
    parser.add_argument("file", help="chains, as load_chains reads them")
    path = Path(parser.parse_args(arguments).file)
    # not above: --help should not wait for them
    from wfine_utils.chains.files import load_chains
    from wfine_utils.checks import minimal_chains

    chains = load_chains(path)
    problems = minimal_chains.problems(chains)
    n_checks = sum(r.check is not None for chain in chains for r in chain.requirements)
    n_responses = sum(len(chain.responses) for chain in chains)
    breaches = f"{len(problems) or 'no'} breach{'' if len(problems) == 1 else 'es'} of the rules"
    size = f"{len(chains)} chains, {n_responses} responses, {n_checks} machine checks"
    sys.stdout.write("\n".join([*problems, f"{display_path(path)}: {size}: {breaches}\n"]))
    return int(bool(problems))


if __name__ == "__main__":
    sys.exit(main())
