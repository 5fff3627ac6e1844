"""``wfine weval``: score any chains with any models, and say who ranks them best."""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wfine_utils.errors import WfineError, explained
from wfine_utils.files import alone_in, atomic_write, display_path, resolve, sha256_file, write_json
from wfine_workflow.answers import add_json, answer, nothing_else_on_stdout

if TYPE_CHECKING:
    from wfine_utils.chains.taxonomy import Chain
    from wfine_workflow.weval import Benchmark, Scored, Tables

STAMP = "stamp.json"
"""Written last: a folder without it holds a run that is not finished."""

NUMBERS = ("seed", "n_boot", "n_permutations")
"""Options that intervals and p-values depend on."""


@explained
def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; see ``wfine weval --help``."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    args = _parser().parse_args(words)
    with nothing_else_on_stdout():
        text, value = _run(args, shlex.join(["wfine", "weval", *words]))
    answer(text, value, as_json=args.json)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="wfine weval",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Score every response of some chains with every model named, beside the null\n"
        "baselines, and measure how well each agrees with the gold ranking: tables, and one\n"
        "page. A run that was stopped goes on when the same command is given again.",
        epilog="A MODEL is one of\n"
        "  compiled, fluency, oracle   checks made of the wording; likely characters; own checks\n"
        "  constant, random, length, minus-length, overlap   null baselines, always in the table\n"
        "  FOLDER or OWNER/NAME        a reward model of notebook 03, or any sequence classifier\n"
        "  hybrid:FOLDER               compiled checks first, that reward model about the rest\n"
        "  NAME=…                      before the latter two: how the tables call it\n\n"
        "Example:\n"
        "  wfine weval --data weval-hand --model compiled --model mine=outputs/my_reward_model",
    )
    add = parser.add_argument
    add("--data", required=True, metavar="FILE|HUB_ID", help="chains, or a benchmark that "
        "docs/benchmarks.md names; weval-hand: the chains that come with the package")  # fmt: skip
    add("--layout", default="auto", metavar="NAME", help="of the data (default: auto)")
    add("--split", default="", metavar="NAME", help="of a data set on the Hub")
    add("--revision", default="", metavar="COMMIT", help="of a data set on the Hub")
    add("--skip-refused", action="store_true",
        help="leave out, and count, records that are no chain; else they stop everything"
    )  # fmt: skip
    add("--model", action="append", default=[], metavar="MODEL", help="may be given again")
    add(
        "--base",
        action="append",
        default=[],
        metavar="MODEL",
        help="likelihood of a response under a language model: folder, Hub id or packaged name",
    )
    add(
        "--judge",
        action="append",
        default=[],
        nargs=2,
        metavar=("URL", "MODEL"),
        help="a language model behind an OpenAI-compatible server, as a judge of requirements",
    )
    add(
        "--judge-mode",
        choices=("text", "logits"),
        default="text",
        help="read a verdict, or the probability of yes (default: %(default)s)",
    )
    add("--judge-key", metavar="VARIABLE", help="environment variable with the server's key")
    add("--out", type=Path, metavar="DIR", help="default: outputs/weval/<name of the data>")
    add = parser.add_argument_group("numbers").add_argument
    add("--seed", type=_at_least(0), default=0, metavar="N", help="(default: %(default)s)")
    add(
        "--n-boot",
        type=_at_least(0),
        default=1000,
        metavar="N",
        help="draws over chains for an interval (default: %(default)s)",
    )
    add(
        "--n-permutations",
        type=_at_least(1),
        default=10_000,
        metavar="N",
        help="sign flips for a p-value (default: %(default)s)",
    )
    add(
        "--shard-size",
        type=_at_least(1),
        default=5000,
        metavar="N",
        help="most responses that a stopped run loses (default: %(default)s)",
    )
    add("--portion", type=_at_least(1), default=500, metavar="N",
        help="responses that a model is given at once (default: %(default)s)")  # fmt: skip
    add_json(parser)
    return parser


def _at_least(least: int) -> Any:
    def number(text: str) -> int:
        value = int(text)
        if value < least:
            raise argparse.ArgumentTypeError(f"found {value}, expected {least} or more")
        return value

    return number


def _run(args: argparse.Namespace, command: str) -> tuple[str, dict[str, Any]]:
    """Score, tabulate and write; what was found as a text and as an object."""
    # not above: --help should not wait for pandas
    from wfine_workflow import language_models, weval, weval_page
    from wfine_workflow.named_scorers import folder_names, named_scorers

    named = named_scorers(args.model, args.seed)  # first: a misspelt name shall not wait for data
    named += language_models.likelihood_scorers(args.base)
    _refuse_twice([*(each.name for each in named), *(f"judge {model}" for _, model in args.judge)])
    options: dict[str, Any] = {"split": args.split, "revision": args.revision}
    options["skip_refused"] = args.skip_refused
    benchmark = weval.load_data(args.data, args.layout, **options)
    chains, sha256 = list(benchmark.chains), weval.chains_sha256(benchmark.chains)
    out = (args.out or resolve("outputs/weval") / benchmark.name).absolute()
    weval.refuse_foreign(out)
    sizes = {"shard_size": args.shard_size, "portion": args.portion}
    with alone_in(out):
        weval.claim(out, sha256, benchmark.name)
        (out / STAMP).unlink(missing_ok=True)
        answers = {"mode": args.judge_mode, "api_key_env": args.judge_key}
        judges = language_models.judges(args.judge, out / "judge_calls.sqlite", **answers)
        folders = [out / "scores" / name for name in folder_names([each.name for each in named])]
        scored = [
            weval.score_kept(each, chains, sha256, folder, **sizes)
            for each, folder in zip(named, folders, strict=True)
        ]
        scored += [language_models.judged(judge, chains) for judge in judges]
        numbers = {name: getattr(args, name) for name in NUMBERS}
        tables = weval.tables(benchmark, scored, **numbers)
        _write_scores(chains, scored, out)
        tables.write(out)
        stamp = _stamp(args, command, benchmark, sha256, scored)
        made = f"{', '.join(f'{k} {v}' for k, v in stamp['versions'].items())}; {command}"
        about = _about(benchmark)
        html = weval_page.page(benchmark.name, about, scored, tables, made)
        atomic_write(out / "index.html", lambda to: to.write_text(html, encoding="utf-8"))
        write_json(out / STAMP, stamp)
    return _said(benchmark, scored, tables, out)


def _refuse_twice(names: Sequence[str]) -> None:
    if twice := [name for name in names if names.count(name) > 1]:
        raise WfineError(
            f"found two scorers called {twice[0]!r}, expected every name once. Name one of them "
            "NAME=FOLDER, or leave it out."
        )


def _write_scores(chains: Sequence[Chain], scored: Sequence[Scored], out: Path) -> None:
    from wfine_utils.weval.scorers import scores_table

    table = scores_table({each.scorer.name: each.scores for each in scored}, chains)
    atomic_write(out / "scores.parquet", lambda to: table.to_parquet(to, index=False))


def _about(benchmark: Benchmark) -> dict[str, Any]:
    """Facts of the chains."""
    about: dict[str, Any] = {
        "chains": f"{len(benchmark.chains):,}",
        "responses": f"{sum(len(chain.responses) for chain in benchmark.chains):,}",
        "layout": benchmark.layout,
    }
    if benchmark.refused:
        about["refused records"] = f"{len(benchmark.refused):,}"
    return about


def _stamp(
    args: argparse.Namespace, command: str, benchmark: Benchmark, sha256: str,
    scored: Sequence[Scored],
) -> dict[str, Any]:  # fmt: skip
    """What the numbers depend on, and where they were computed."""
    from wfine_utils.notebook.environment import environment

    path = Path(args.data).expanduser()
    data = {
        "source": args.data,
        "name": benchmark.name,
        "layout": benchmark.layout,
        "sha256": sha256_file(path) if path.is_file() else None,
        "chains_sha256": sha256,
        "n_chains": len(benchmark.chains),
        "n_responses": sum(len(chain.responses) for chain in benchmark.chains),
        "n_refused": len(benchmark.refused),
    }
    models = {
        each.scorer.name: {"source": each.scorer.source, "fingerprint": each.fingerprint}
        for each in scored
    }
    numbers = {name: getattr(args, name) for name in NUMBERS}
    return {"command": command, **numbers, "data": data, "scorers": models, **environment()}


def _said(
    benchmark: Benchmark, scored: Sequence[Scored], tables: Tables, out: Path
) -> tuple[str, dict[str, Any]]:
    """What was found, for people and for programs."""
    from wfine_utils.chains.records import MAX_SHOWN
    from wfine_utils.notebook.render import entries, pretty
    from wfine_workflow.weval_page import summary, unscored

    rows = summary(scored, tables)
    shown = pretty(rows.drop(columns=["is_null", "training_pairs", "n_chains_with_nan"]))
    lines = [
        f"{benchmark.name}: " + ", ".join(f"{v} {k}" for k, v in _about(benchmark).items()),
        "",
        shown.to_markdown(index=False, tablefmt="simple", disable_numparse=True),
        "",
        *unscored(scored),
        *(f"refused: {problem}" for problem in benchmark.refused[:MAX_SHOWN]),
        f"Page: {display_path(out / 'index.html')}",
    ]
    value = {
        "name": benchmark.name,
        "n_chains": len(benchmark.chains),
        "n_responses": sum(len(chain.responses) for chain in benchmark.chains),
        "n_refused": len(benchmark.refused),
        "scorers": entries(rows, [*rows]),
        "comparisons": entries(tables.comparisons, [*tables.comparisons]),
        "official": entries(tables.official, [*tables.official]),
        "out": str(out),
    }
    return "\n".join(lines), value
