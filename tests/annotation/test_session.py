"""Annotation: blind, in an order of one's own, and nothing that was saved is ever lost.

The ranks here are made up to test the software; the project ships none.
"""

from __future__ import annotations

import csv
import re
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from annotation.cases import CHAINS, chain, gold_ranks, saved, session
from conftest import ROOT
from hypothesis import given, settings
from hypothesis import strategies as st

from wfine_utils.annotation.agreement import annotator_agreement
from wfine_utils.annotation.files import ANNOTATION_COLUMNS
from wfine_utils.annotation.session import Session, annotation_path, load_folder
from wfine_utils.chains.files import save_chains
from wfine_utils.errors import WfineError


@pytest.fixture
def path(tmp_path) -> Path:
    return annotation_path(tmp_path, "ann")


class TestSession:
    def test_a_whole_session_ends_up_in_the_file_in_the_order_of_the_chain(self, path):
        one = session(path)
        assert not path.exists() and one.progress == (0, 3) and one.current == CHAINS[0]
        one.record(gold_ranks(one))
        assert saved(path) == {"secret-id-0": [1, 2, 3, 4]}
        one.record([2, 2])
        one.record([rank + (rank == 1) for rank in gold_ranks(one)])
        assert saved(path) == {
            "secret-id-0": [1, 2, 3, 4], "secret-id-1": [2, 2], "secret-id-2": [2, 2, 3, 4, 5],
        }  # fmt: skip
        assert (one.progress, one.current, one.order) == ((3, 3), None, ())
        assert (one.letters, one.earlier) == ((), ())
        with pytest.raises(WfineError, match="all 3 chains are saved"):
            one.record([1])

    def test_the_file_is_in_the_documented_layout(self, path):
        one = session(path)
        one.record([1, 1, 4, 4])
        lines = path.read_text(encoding="utf-8").splitlines()
        assert lines[0] == ",".join(ANNOTATION_COLUMNS)
        assert re.fullmatch(r"ann,secret-id-0,0,[14]", lines[1])
        assert [row[2] for row in csv.reader(lines[1:])] == ["0", "1", "2", "3"]
        assert list(path.parent.iterdir()) == [path], "no temporary file is left"

    @pytest.mark.parametrize(
        ("ranks", "message"),
        [
            ([1, 2, 3], "3 ranks, expected one for each of 4"),
            ([1, 2, 3, 4, 4], "5 ranks, expected one for each of 4"),
            ([1, None, 3, None], "no rank for B, D"),
            ([0, 1, 2, 3], "rank 0 for A, expected a whole number from 1 .* to 4"),
            ([1, 2, 3, 5], "rank 5 for D, .* to 4"),
            ([1, 2, 2.5, 4], r"rank 2\.5 for C"),
            ([1, 2, float("nan"), 4], "rank nan for C"),
            ([True, 2, 3, 4], "rank True for A"),
            (["1", 2, 3, 4], "rank '1' for A"),
        ],
    )
    def test_ranks_that_do_not_hold_change_nothing(self, path, ranks, message):
        one = session(path)
        with pytest.raises(WfineError, match=message):
            one.record(ranks)
        assert not path.exists() and one.current == CHAINS[0]
        one.record([4, 1, 4, 1])  # both ends of the range, ties and gaps
        assert one.current == CHAINS[1]

    def test_a_file_that_cannot_be_written_changes_nothing(self, path):
        one = session(path)
        path.parent.joinpath("file").write_text("in the way")
        one.path = path.parent / "file" / path.name
        with pytest.raises(WfineError, match="cannot be written"):
            one.record([1, 2, 3, 4])
        assert one.progress == (0, 3)
        one.path = path
        one.record([1, 2, 3, 4])
        assert one.progress == (1, 3)

    def test_skipped_chains_come_again_at_the_end(self, path):
        one = session(path)
        one.skip()
        assert one.current == CHAINS[1]
        one.record([1, 2])
        one.record([1] * 5)
        assert one.current == CHAINS[0]
        one.skip()
        assert one.current == CHAINS[0], "the only one left"

    def test_back_opens_what_was_saved_and_the_last_word_counts(self, path):
        one = session(path)
        assert not one.back() and one.earlier == (None,) * 4
        one.record([3, 1, 2, 4])
        one.record([1, 2])
        assert one.back() and one.current == CHAINS[1] and one.earlier == (1, 2)
        assert one.back() and one.current == CHAINS[0] and one.earlier == (3, 1, 2, 4)
        assert not one.back()
        assert one.progress == (2, 3), "what is open again is still saved"
        one.record([1, 1, 1, 1])
        assert one.current == CHAINS[1]
        one.skip()  # leaves it as it is
        assert one.current == CHAINS[2]
        assert saved(path) == {"secret-id-0": [1] * 4, "secret-id-1": saved(path)["secret-id-1"]}
        assert sorted(saved(path)["secret-id-1"]) == [1, 2]

    def test_a_new_session_goes_on_where_the_last_one_ended(self, path):
        one = session(path)
        one.skip()
        one.record([2, 1])
        again = session(path)
        assert again.progress == (1, 3) and again.current == CHAINS[0]
        assert again.back() and again.earlier == (2, 1), "same order, so the ranks fit"

    def test_two_windows_of_one_annotator_keep_each_others_chains(self, path):
        first, second = session(path), session(path)
        second.skip()
        first.record([1, 2, 3, 4])
        second.record([1, 2])
        first.record([2, 1])
        assert list(saved(path)) == ["secret-id-0", "secret-id-1"]
        assert first.current == second.current == CHAINS[2]
        assert second.progress == (2, 3)

    def test_a_deleted_file_comes_back_whole(self, path):
        one = session(path)
        one.record([1, 2, 3, 4])
        path.unlink()
        one.record([1, 2])
        assert len(saved(path)) == 2

    def test_chains_that_are_not_asked_for_stay_in_the_file(self, path):
        session(path, CHAINS[:1]).record([1, 2, 3, 4])
        other = session(path, CHAINS[1:])
        assert other.progress == (0, 2) and not other.back()
        other.record([1, 2])
        assert list(saved(path)) == ["secret-id-0", "secret-id-1"]

    def test_ranks_written_by_hand_are_kept_but_not_offered(self, path):
        path.write_text("annotator,chain_id,response,rank\nann,secret-id-1,0,1.5\n"
                        "ann,secret-id-1,1,1.5\n")  # fmt: skip
        one = session(path)
        one.record([1, 2, 3, 4])
        assert saved(path)["secret-id-1"] == [1.5, 1.5]
        assert one.back() and one.back() and one.earlier == (None, None)

    @pytest.mark.parametrize(
        ("content", "message"),
        [
            ("bob,secret-id-1,0,1\nbob,secret-id-1,1,2\n", "annotator 'bob', expected 'ann' alone"),
            ("ann,secret-id-1,0,1\nann,secret-id-1,2,1\n", r"\[0, 2\] of chain 'secret-id-1'"),
            ("ann,secret-id-1,0,first\nann,secret-id-1,1,2\n", "rank: found 'first'"),
            ("", "header only"),
        ],
    )
    def test_a_file_that_does_not_fit_is_refused_and_left_alone(self, path, content, message):
        text = "annotator,chain_id,response,rank\n" + content
        path.write_text(text)
        with pytest.raises(WfineError, match=message):
            session(path)
        assert path.read_text() == text

    @pytest.mark.parametrize(
        ("chains", "message"),
        [
            ([], "0 chains"),
            ([CHAINS[0], CHAINS[0]], "2 chains with 1 different"),
            ([chain(" a")], "chain id ' a'"),
            ([chain("a\u2028b")], "chain id"),
            ([chain(n=27)], "27 responses"),
        ],
    )
    def test_chains_that_cannot_be_ranked_are_refused(self, path, chains, message):
        with pytest.raises(WfineError, match=message):
            session(path, chains)

    def test_as_many_responses_as_there_are_letters(self, path):
        one = session(path, [chain(n=26)])
        assert one.letters[-1] == "Z"
        one.record([1] * 26)

    @pytest.mark.parametrize("name", ["a", "Z9_-", "x" * 32])
    def test_pseudonyms(self, tmp_path, name):
        assert annotation_path(tmp_path, name) == tmp_path / f"annotations_{name}.csv"

    @pytest.mark.parametrize("name", ["", "x" * 33, "Ann Lee", "a.b", "../a", "é", "a\n", "a,b"])
    def test_no_pseudonyms(self, tmp_path, name):
        with pytest.raises(WfineError, match="does not tell who you are"):
            annotation_path(tmp_path, name)
        with pytest.raises(WfineError, match="does not tell who you are"):
            Session(CHAINS, name, tmp_path / "x.csv")

    @settings(max_examples=25, deadline=None)
    @given(st.lists(st.lists(st.integers(1, 5), min_size=5, max_size=5), min_size=1, max_size=4))
    def test_what_is_recorded_is_what_is_read(self, tmp_path_factory, ranks):
        chains = [chain(f'id, "{k}"', 5) for k in range(len(ranks))]
        file = annotation_path(tmp_path_factory.mktemp("any"), "ann")
        one, expected = session(file, chains), {}
        for given_ranks in ranks:
            by_place = dict(zip(one.order, given_ranks, strict=True))
            expected[one.current.chain_id] = [by_place[i] for i in range(5)]
            one.record(given_ranks)
        assert saved(file) == expected


@pytest.mark.parametrize("moment", ["half written", "written but not in its place"])
def test_a_kill_while_saving_leaves_what_was_saved_before(path, moment):
    code = """
import os, signal, sys
import pandas
from wfine_utils.annotation.session import Session
from wfine_utils.chains.files import load_chains

def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)

def half(table, file, **options):
    text = to_csv(table, **options)
    with open(file, "w") as stream:
        stream.write(text[: len(text) // 2])
    die()

to_csv = pandas.DataFrame.to_csv
one = Session(load_chains(sys.argv[2]), "ann", sys.argv[1])
one.record([1, 2, 3, 4])
if sys.argv[3] == "half written":
    pandas.DataFrame.to_csv = half
else:
    os.replace = die
one.record([1, 2])
"""
    file = save_chains(CHAINS, path.parent / "chains.jsonl")
    worker = subprocess.run([sys.executable, "-c", code, path, file, moment], cwd=ROOT)
    assert worker.returncode == -signal.SIGKILL
    assert len(list(path.parent.glob(".partial-*"))) == 1, "it was killed while saving"
    assert list(saved(path)) == ["secret-id-0"]
    again = session(path)
    assert again.current == CHAINS[1]
    again.record([1, 2])
    assert list(load_folder(path.parent, CHAINS)["chain_id"].unique()) == list(saved(path))
    assert again.progress == (2, 3)


class TestFolder:
    def fill(self, folder: Path, *names: str) -> None:
        for name in names:
            one = Session(CHAINS, name, annotation_path(folder, name))
            while one.current:
                one.record(gold_ranks(one))

    def test_no_folder_and_an_empty_one_give_no_rows(self, tmp_path):
        for folder in (tmp_path, tmp_path / "absent"):
            table = load_folder(folder, CHAINS)
            assert list(table) == list(ANNOTATION_COLUMNS) and len(table) == 0

    def test_a_class_that_agrees_gets_full_agreement(self, tmp_path):
        self.fill(tmp_path, "bob", "ann")
        (tmp_path / ".partial-1-annotations_ann.csv").write_text("half")
        table = load_folder(tmp_path, CHAINS)
        assert Counter(table["annotator"]) == {"ann": 11, "bob": 11}
        values = annotator_agreement(table, n_boot=0).set_index("metric")["value"]
        assert values["krippendorff_alpha"] == values["kendall_tau_b"] == pytest.approx(1)

    def test_other_chains_are_left_out(self, tmp_path):
        self.fill(tmp_path, "ann", "bob")
        assert set(load_folder(tmp_path, CHAINS[1:])["chain_id"]) == {"secret-id-1", "secret-id-2"}

    def test_one_annotator_in_two_files_is_refused(self, tmp_path):
        self.fill(tmp_path, "ann")
        copy = tmp_path / "annotations_ann (1).csv"
        copy.write_bytes((tmp_path / "annotations_ann.csv").read_bytes())
        with pytest.raises(WfineError, match="rename one in the file; if they are copies"):
            load_folder(tmp_path, CHAINS)
        copy.write_text(copy.read_text().replace("\nann,", "\ncat,"))
        assert set(load_folder(tmp_path, CHAINS)["annotator"]) == {"ann", "cat"}

    def test_ranks_of_other_responses_are_refused(self, tmp_path):
        self.fill(tmp_path, "ann")
        with pytest.raises(WfineError, match="other chains of the same name"):
            load_folder(tmp_path, [chain("secret-id-0", 3)])
