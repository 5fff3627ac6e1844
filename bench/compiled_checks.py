"""How many requirements compile to a check, and does the check judge as it should?

Three tables, printed and written as CSV, each estimate with its n and a 95 % interval:

* ``hand``: requirements of WEval-Hand by type: the share that compiles, over requirements (Wilson),
  and of those that have a check written by hand, the share whose two checks give the same verdict
  on all five responses. Every disagreement is printed by name. ``--split test`` is for results.
* ``released``: requirements of a file of chains: the share that compiles, by kind of check; chains
  are the units of the interval.
* ``ifeval``: prompts of IFEval. A prompt is cut into sentences. A sentence that compiles to a kind
  that can stand for one of the prompt's instruction types is that instruction, if no other
  sentence does, the prompt has the type once, and no other of its types could be meant. Where the
  compiled check is not the same check (``n_same_check``), other words were read than the file's
  arguments say. Then the compiled check and the published one judge the same texts. There are no
  responses to IFEval here. So the texts are responses of WEval-Hand's development chains and edits
  of them which vary in what instructions ask for: cut to so many words or sentences, in capitals
  and small letters, without commas, in quotation marks, as JSON, with items, marks, titles and a
  postscript, and with the terms of the instruction now and then. Prompts are the units of the
  interval.

Run: ``python bench/compiled_checks.py --out bench_results [--split dev] [--chains FILE]
[--ifeval FILE]``.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from wfine_utils.adherence.prompt_files import load_ifeval
from wfine_utils.chains.files import load_chains
from wfine_utils.chains.taxonomy import Query
from wfine_utils.chains.weval_hand import load_weval_hand
from wfine_utils.checks.compile import compiled
from wfine_utils.checks.dispatch import check
from wfine_utils.checks.drop_validity import share_interval
from wfine_utils.checks.sentences import split_sentences
from wfine_utils.checks.twins import own_twin

Check = dict[str, Any]


def share(hits: Sequence[bool], units: Sequence[Any] | None = None) -> dict[str, float]:
    """A share with its n and 95 % interval over units; without units, over the hits themselves."""
    names = range(len(hits)) if units is None else units
    if not len(hits):
        return dict.fromkeys(("share", "low", "high"), float("nan")) | {"n": 0, "n_units": 0}
    value, low, high = share_interval(hits, list(names))
    n_units = len(set(names))
    return {"share": value, "low": low, "high": high, "n": len(hits), "n_units": n_units}


def of_weval_hand(split: str) -> pd.DataFrame:
    """Coverage by type, and agreement with the checks that were written by hand."""
    rows = []
    for chain in load_weval_hand(split):  # type: ignore[arg-type]
        texts = [response.text for response in chain.responses]
        for requirement in chain.requirements:
            read_check, by_hand = compiled(requirement.text).check, requirement.check
            agrees = None
            if read_check is not None and by_hand is not None:
                verdicts = [(check(read_check, text), check(by_hand, text)) for text in texts]
                agrees = all(a == b for a, b in verdicts)
                if not agrees:
                    print(f"disagrees: {chain.chain_id}: {requirement.text}\n  {read_check}\n"
                          f"  {by_hand}\n  verdicts (compiled, by hand): {verdicts}")  # fmt: skip
            elif read_check is not None:
                print(f"by hand no check: {chain.chain_id}: {requirement.text}\n  {read_check}")
            rows.append((str(requirement.type), read_check is not None, agrees))
    table = pd.DataFrame(rows, columns=["type", "compiled", "agrees"])
    result = []
    for name, part in [("all", table), *table.groupby("type")]:
        judged = part["agrees"].dropna().astype(bool).tolist()
        result.append({"type": name, "quantity": "compiled", **share(part["compiled"].tolist())})
        result.append({"type": name, "quantity": "agrees with the check by hand", **share(judged)})
    return pd.DataFrame(result)


def of_chains(path: Path) -> pd.DataFrame:
    """Coverage by kind of check over the requirements of a file."""
    rows = [
        (chain.chain_id, (compiled(requirement.text).check or {}).get("kind"))
        for chain in load_chains(path)
        for requirement in chain.requirements
    ]
    table = pd.DataFrame(rows, columns=["chain", "kind"])
    units = table["chain"].tolist()
    result = [{"kind": "any", **share(table["kind"].notna().tolist(), units)}]
    for kind in table["kind"].dropna().value_counts().index:
        result.append({"kind": kind, **share((table["kind"] == kind).tolist(), units)})
    return pd.DataFrame(result)


_STANDS_FOR = {
    "keywords:existence": {"mentions"},
    "keywords:frequency": {"mentions", "forbids"},
    "keywords:forbidden_words": {"forbids"},
    "length_constraints:number_words": {"word_count"},
    "length_constraints:number_sentences": {"sentences"},
    "length_constraints:number_paragraphs": {"paragraphs"},
    "detectable_format:number_bullet_lists": {"list_items"},
    "detectable_format:number_highlighted_sections": {"bold_count"},
}
"""Own kinds that may say what an instruction type says, besides the type itself."""


def _could_be(kind: str, instruction_kind: str) -> bool:
    own = _STANDS_FOR.get(instruction_kind.removeprefix("ifeval/"), set())
    return kind == instruction_kind or kind in own


def sentences_of(prompt: str) -> list[str]:
    """The sentences of a prompt, line by line."""
    return [s for line in prompt.split("\n") if line.strip() for s in split_sentences(line)]


def told_apart(query: Query) -> Iterator[tuple[Check, Check, str]]:
    """Instructions that one sentence of the prompt alone says: published check, compiled, words."""
    read = [
        (s, read_check) for s in sentences_of(query.base_task) if (read_check := compiled(s).check)
    ]
    published = [dict(r.check) for r in query.requirements if r.check is not None]
    for wanted in published:
        if sum(other["kind"] == wanted["kind"] for other in published) > 1:
            continue
        fitting = [
            (s, read_check)
            for s, read_check in read
            if _could_be(read_check["kind"], wanted["kind"])
        ]
        rivals = [
            other for other in published
            if other is not wanted and any(_could_be(f["kind"], other["kind"]) for _, f in fitting)
        ]  # fmt: skip
        if len(fitting) == 1 and not rivals:
            yield wanted, fitting[0][1], fitting[0][0]


def _terms(instruction: Mapping[str, Any]) -> list[str]:
    """The words and phrases among the arguments of an instruction."""
    terms: list[str] = []
    for name, value in instruction.items():
        if isinstance(value, str) and name != "kind" and value not in ("at least", "less than"):
            terms.append(value)
        elif isinstance(value, Sequence) and not isinstance(value, str):
            terms += [str(term) for term in value]
    return terms


def _number(instruction: Mapping[str, Any]) -> int:
    numbers = [int(n) for n in instruction.values() if isinstance(n, (int, float)) and n == n]
    return numbers[0] if numbers else 3


def varied(text: str, instruction: Check, rng: np.random.Generator) -> Iterator[str]:
    """A text and edits of it that vary in what an instruction asks for."""
    n, terms = _number(instruction), _terms(instruction)
    sentences, plain_words = split_sentences(text.replace("\n", " ")), text.split()
    yield text
    yield text.upper()
    yield text.lower()
    yield text.replace(",", "")
    yield f'"{text}"'
    yield json.dumps({"text": text})
    yield f"{sentences[0]}\n\n******\n\n{sentences[-1]} Another."
    yield f"<<A title>>\n\n{text}\n\nP.S. {sentences[0]}\n\nP.P.S. {sentences[-1]}"
    for k in (n - 1, n, n + 1):
        k = max(k, 0)
        many_words = plain_words * (k // len(plain_words) + 1)
        many_sentences = sentences * (k // len(sentences) + 1)
        yield " ".join(many_words[:k])
        yield " ".join(many_sentences[:k])
        yield "\n".join(f"* {s}" for s in many_sentences[:k])
        yield "\n\n".join(f"Section {i + 1}\n{s}" for i, s in enumerate(many_sentences[:k]))
        yield "\n\n***\n\n".join(many_sentences[:k])
        yield "\n\n".join(many_sentences[:k])
        yield " ".join(f"*{s.rstrip('.')}* [name]" for s in many_sentences[:k])
        yield " ".join(f"**{s.rstrip('.')}**" for s in many_sentences[:k])
        yield text + "".join(f" {t}" for t in terms for _ in range(k)) + "."
    for size in range(len(terms) + 1):
        some = [terms[i] for i in rng.permutation(len(terms))[:size]]
        yield f"{text} {', '.join(some)}."
        yield f"{' '.join(some)} {text} {' '.join(term + 's' for term in some)}"
        yield f"{text}\n\n{' '.join(some)}"
        yield " ".join(sentence for sentence in sentences[:2]) + f" {' and '.join(some)}."


def of_ifeval(path: Path, n_texts: int) -> pd.DataFrame:
    """Agreement of compiled checks with the published ones, by instruction type."""
    texts = [r.text for chain in load_weval_hand("dev") for r in chain.responses]
    rng = np.random.default_rng(0)
    counts: dict[str, int] = {}
    rows = []
    for number, query in enumerate(load_ifeval(path)):
        for requirement in query.requirements:
            kind = (requirement.check or {"kind": "none"})["kind"]
            counts[kind] = counts.get(kind, 0) + 1
        for wanted, read_check, words in told_apart(query):
            chosen = [texts[i] for i in rng.choice(len(texts), n_texts, replace=False)]
            cases = [v for text in chosen for v in varied(text, wanted, rng)]
            verdicts = [(check(wanted, case), check(read_check, case)) for case in cases]
            hits = [a == b for a, b in verdicts]
            met = [a for a, _ in verdicts]
            same = read_check == own_twin(wanted)
            rows += [
                (str(number), wanted["kind"], hit, a, same)
                for hit, a in zip(hits, met, strict=True)
            ]
            if np.mean(hits) < 0.9:
                print(f"{np.mean(hits):.2f} of verdicts agree: {words}\n"
                      f"  {wanted}\n  {read_check}")  # fmt: skip
    table = pd.DataFrame(rows, columns=["prompt", "kind", "agrees", "met", "same"])
    result = []
    for name, part in [("all", table), *table.groupby("kind")]:
        n_all = sum(counts.values()) if name == "all" else counts[name]
        instructions = part.drop_duplicates(["prompt", "kind"])
        n_told, n_same = len(instructions), int(instructions["same"].sum())
        for met, rows_of in [("met or not", part), *part.groupby("met")]:
            label = {True: "met", False: "not met"}.get(met, met)
            of = share(rows_of["agrees"].tolist(), rows_of["prompt"].tolist())
            result.append(
                {"type": name, "n_instructions": n_all, "n_told_apart": n_told,
                 "n_same_check": n_same, "cases": label, **of}
            )  # fmt: skip
    return pd.DataFrame(result)


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the tables and write them."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--out", type=Path, required=True, help="folder for the CSV files")
    parser.add_argument("--split", choices=("dev", "test"), default="dev")
    parser.add_argument("--chains", type=Path, help="a file of chains")
    parser.add_argument("--ifeval", type=Path, help="a file of IFEval's prompts")
    parser.add_argument("--texts", type=int, default=3, help="base texts to an instruction")
    given = parser.parse_args(arguments)
    tables = {f"compiled_hand_{given.split}": of_weval_hand(given.split)}
    if given.chains:
        tables["compiled_released"] = of_chains(given.chains)
    if given.ifeval:
        tables["compiled_ifeval"] = of_ifeval(given.ifeval, given.texts)
    given.out.mkdir(parents=True, exist_ok=True)
    for name, table in tables.items():
        print(f"\n{name}\n{table.round(3).to_string(index=False)}")
        table.to_csv(given.out / f"{name}.csv", index=False)


if __name__ == "__main__":
    main()
