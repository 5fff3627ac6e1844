"""Notebook 08 runs with nobody there, and with annotations made up to test it."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from wfine_utils.annotation.session import Session, annotation_path
from wfine_utils.chains.taxonomy import Chain
from wfine_utils.chains.weval_hand import load_weval_hand


def gold_ranks(of: Session) -> list[int]:
    """Ranks that agree with the order of the file, which is best first."""
    return [place + 1 for place in of.order]


class TestNotebook:
    def run(self, project: Path, **parameters: object) -> tuple[nbformat.NotebookNode, dict]:
        """Restart and Run All, in the folder that JupyterLab starts it in."""
        source = nbformat.read(project / "notebooks" / "08_annotation.ipynb", as_version=4)
        at = 1 + next(i for i, c in enumerate(source.cells) if c.id == "parameters")
        lines = ["# Parameters", *(f"{k} = {v!r}" for k, v in parameters.items())]
        source.cells.insert(at, nbformat.v4.new_code_cell("\n".join(lines)))
        where = {"metadata": {"path": str(project)}}
        done = NotebookClient(source, timeout=600, resources=where).execute()
        file = project / "outputs" / "mini" / "08_annotation" / "results.json"
        return done, json.loads(file.read_text(encoding="utf-8"))

    def shown(self, done: nbformat.NotebookNode, cell_id: str) -> str:
        (cell,) = [c for c in done.cells if c.get("id") == cell_id]
        return json.dumps(cell.outputs)

    def test_runs_to_its_end_without_anybody_clicking(self, project):
        done, results = self.run(project)
        assert "VBox" in self.shown(done, "rank")
        assert "Nobody has ranked" in self.shown(done, "files")
        assert "Nothing to show yet" in self.shown(done, "agreement")
        assert results["agreement"] == results["agreement_with_gold"] == []
        assert (results["n_chains_to_rank"], results["n_annotators"]) == (6, 0)
        assert not (project / "annotations").exists(), "a simulated class writes no annotations"
        assert [e["n_chains"] for e in results["simulated"]] == [6, 6, 6]
        assert "simulated 1 (10 % errors)" in self.shown(done, "simulated-gold")

    @pytest.mark.slow
    def test_shows_agreement_once_two_have_ranked_and_forgets_it_without_them(self, project):
        dev = load_weval_hand("dev")
        chains = [c for c in dev if c.chain_id not in shown_in_notebook_01(dev)]
        for name, n in (("ann", 15), ("bob", 3)):
            one = Session(chains, name, annotation_path(project / "annotations", name))
            for _ in range(n):
                one.record(gold_ranks(one))
        done, results = self.run(project, n_chains=15, n_boot=20)
        assert "15 of 15 chains" in self.shown(done, "pick"), "20 dev chains but for those shown"
        assert (results["n_annotators"], results["n_chains_shared"]) == (2, 3)
        assert all(entry["value"] == pytest.approx(1) for entry in results["agreement"])
        assert all(entry["value"] < 0.9 for entry in results["simulated"]), "never mixed"
        assert "simulated" not in self.shown(done, "files") + self.shown(done, "gold")
        assert len(results["agreement"]) == 3
        taus = [e for e in results["agreement_with_gold"] if e["metric"] == "kendall_tau_b"]
        assert [(e["annotator"], e["n_chains"]) for e in taus] == [
            ("ann", 15), ("bob", 3), ("mean rank of all", 15),
        ]  # fmt: skip
        assert all(entry["value"] == pytest.approx(1) for entry in taus)
        folder = project / "outputs" / "mini" / "08_annotation"
        assert {p.name for p in folder.glob("agreement*")} == {
            "agreement.csv", "agreement.png", "agreement_with_gold.csv",
        }  # fmt: skip

        # one shared chain: values without intervals, and no "nan"
        bob = project / "annotations" / "annotations_bob.csv"
        lines = bob.read_text().splitlines(keepends=True)
        bob.write_text("".join(lines[: 1 + len(chains[0].responses)]))
        done, results = self.run(project, n_chains=15, n_boot=20)
        assert results["n_chains_shared"] == 1
        shown = [self.shown(done, x) for x in ("agreement", "agreement-figure", "gold")]
        assert not re.search(r"\bnan\b", "".join(shown), re.IGNORECASE)

        bob.unlink()
        done, results = self.run(project, annotator="ann", n_chains=15)
        assert "Nothing to show yet" in self.shown(done, "gold")
        assert (results["n_annotators"], results["n_chains_shared"]) == (1, 0)
        assert not list(folder.glob("agreement*")), "no results of an earlier run"


def shown_in_notebook_01(chains: Sequence[Chain]) -> set[str]:
    return {
        next(c for c in chains if c.category == k).chain_id for k in {c.category for c in chains}
    }
