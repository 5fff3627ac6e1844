"""The form: what is shown, what a click does, and that the annotator stays blind."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import ipywidgets as widgets
import pytest
from annotation.cases import CHAINS, EVIL, SECRETS, chain, gold_ranks, saved, session

from wfine_utils.annotation.form import annotate, start
from wfine_utils.annotation.session import Session, annotation_path
from wfine_utils.errors import WfineError


@pytest.fixture
def path(tmp_path) -> Path:
    return annotation_path(tmp_path, "ann")


def tree(widget: widgets.Widget) -> Iterator[widgets.Widget]:
    """A widget and all below it."""
    yield widget
    for child in getattr(widget, "children", ()):
        yield from tree(child)


def texts(form: widgets.Widget) -> list:
    """Everything that the page is told of every widget, but for the ids of the widgets."""
    states = [widget.get_state() for widget in tree(form)]
    return json.loads(re.sub(r"IPY_MODEL_\w+", "", json.dumps(states)))


def shown(widget: widgets.Widget) -> Iterator[widgets.Widget]:
    """A widget and what is shown of those below it."""
    yield widget
    for child in getattr(widget, "children", ()):
        if child.layout.display != "none":
            yield from shown(child)


def of_kind(form: widgets.Widget, kind: type[widgets.Widget]) -> list:
    return [widget for widget in shown(form) if type(widget) is kind]


def click(form: widgets.Widget, name: str) -> None:
    (button,) = [b for b in of_kind(form, widgets.Button) if b.description == name]
    button.click()


def fields(form: widgets.Widget) -> list[widgets.Text]:
    """Where the ranks of the responses shown are typed."""
    return of_kind(form, widgets.Text)


def typed(form: widgets.Widget) -> list[str]:
    return [field.value for field in fields(form)]


def choose(form: widgets.Widget, ranks: Sequence[int | str]) -> None:
    for field, rank in zip(fields(form), ranks, strict=True):
        field.value = str(rank)


def press_enter(field: widgets.Text) -> None:
    field._handle_custom_msg({"event": "submit"}, [])  # what the browser sends


def said(form: widgets.Widget) -> str:
    return of_kind(form, widgets.HTML)[1].value  # the first is that of a form without a kernel


class Tags(HTMLParser):
    """Which tags there are, and what the page shows as text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags, self.text = [], ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)

    def handle_data(self, data):
        self.text += data


class TestBlindness:
    def test_the_order_depends_on_annotator_seed_and_chain_and_on_nothing_else(self, path):
        chains = [chain(f"c{k:02}", 5) for k in range(30)]

        def orders(annotator: str, seed: int = 0) -> list[tuple[int, ...]]:
            one = Session(chains, annotator, path, seed)
            return [(one.order, one.skip())[0] for _ in chains]

        assert orders("ann") == orders("ann")
        different = [orders("ann"), orders("bob"), orders("ann", seed=1)]
        for k, one in enumerate(different):
            for other in different[k + 1 :]:
                assert sum(a == b for a, b in zip(one, other)) < 6, "1 in 120 by chance"
        assert len(set(orders("ann"))) > 15
        assert all(sorted(order) == [0, 1, 2, 3, 4] for order in orders("ann"))

    def test_every_place_comes_first_equally_often(self, path):
        one = session(path, [chain(f"c{k}", 5, text="{} of {} " + str(k)) for k in range(500)])
        first = Counter()
        for _ in range(500):
            first[one.order[0]] += 1
            one.skip()
        assert all(60 < first[place] < 140 for place in range(5)), first  # 100 ± 4.5 sd

    def test_the_order_of_the_file_cannot_show_through(self, path):
        """Reversed responses give the same form, to the letter."""
        backwards = [replace(c, responses=c.responses[::-1]) for c in CHAINS]
        assert texts(annotate(session(path))) == texts(annotate(session(path, backwards)))

    def test_what_was_kept_cannot_show_through(self, path):
        """Responses with the labels of others give the same form, to the letter."""
        swapped = [
            replace(c, responses=tuple(
                replace(r, kept=other.kept, source=f"{other.source} 2")
                for r, other in zip(c.responses, c.responses[::-1])
            ), topic="another")
            for c in CHAINS
        ]  # fmt: skip
        assert texts(annotate(session(path))) == texts(annotate(session(path, swapped)))

    def test_no_widget_holds_a_name_a_place_or_a_label(self, path):
        form = annotate(session(path))
        for _ in CHAINS:
            shown = json.dumps(texts(form)).lower()
            assert "tale number" in shown, "the search sees what is shown"
            assert not [secret for secret in SECRETS if secret in shown]
            click(form, "Skip")

    def test_nothing_of_a_chain_is_left_behind_when_the_next_one_is_shown(self, path):
        form = annotate(session(path))
        for n in (4, 2, 5):
            assert json.dumps(texts(form)).count("Tale number") == n, "hidden ones count too"
            click(form, "Skip")


class TestForm:
    def test_a_whole_session_by_clicks(self, path):
        one = session(path)
        form = annotate(one)
        (bar,) = of_kind(form, widgets.IntProgress)
        for done, n in enumerate((4, 2, 5)):
            assert (bar.value, bar.max) == (done, 3)
            assert [x.description for x in fields(form)] == [f"Rank of {x}" for x in "ABCDE"[:n]]
            assert typed(form) == [""] * n
            assert {x.placeholder for x in fields(form)} == {f"1 (best) to {n}"}
            choose(form, gold_ranks(one))
            click(form, "Save")
        assert bar.value == 3
        assert fields(form) == []
        assert "All chains are ranked" in json.dumps(texts(form))
        disabled = {b.description: b.disabled for b in of_kind(form, widgets.Button)}
        assert disabled == {"Back": False, "Skip": True, "Save": True}
        assert saved(path) == {c.chain_id: list(range(1, len(c.responses) + 1)) for c in CHAINS}

    def test_each_letter_stands_above_the_text_that_its_rank_goes_to(self, path):
        one = session(path, CHAINS[2:])
        form = annotate(one)
        responses = [w.value for w in of_kind(form, widgets.HTML) if "Response " in w.value]
        favourite = next(i for i, text in enumerate(responses) if "Tale number 3" in text)
        letter = "ABCDE"[favourite]
        assert Tags(responses[favourite]).text.startswith(f"Response {letter}, 5 words")
        assert fields(form)[favourite].description == f"Rank of {letter}"
        choose(form, [1 if i == favourite else 5 for i in range(5)])
        click(form, "Save")
        assert saved(path) == {"secret-id-2": [5, 5, 5, 1, 5]}

    def test_a_missing_rank_is_named_and_the_others_stay(self, path):
        form = annotate(session(path))
        choose(form, [1, "", 2, 2])
        click(form, "Save")
        assert "no rank for B;" in said(form)
        assert typed(form) == ["1", "", "2", "2"]
        assert not path.exists()
        choose(form, [1, 4, 2, 2])
        click(form, "Save")
        assert len(saved(path)) == 1

    def test_saved_means_saved_and_is_not_said_of_the_next_chain(self, path):
        form = annotate(session(path))
        choose(form, [2, 1, 3, 3])
        click(form, "Save")
        assert saved(path)
        wanted = rf"Chain 1 of 3 saved to {path} at \d\d:\d\d \(A 2, B 1, C 3, D 3\)\."
        assert re.fullmatch(wanted, said(form))
        fields(form)[1].value = "1"
        assert said(form) == ""
        path.unlink()
        path.mkdir()  # cannot be written any more
        choose(form, [1, 2])
        click(form, "Save")
        assert not said(form).startswith("Chain") and "<b>" in said(form)

    def test_enter_saves_from_every_field(self, path):
        form = annotate(session(path))
        for n in (4, 2, 5):
            choose(form, range(1, n + 1))
            press_enter(fields(form)[n // 2])
        assert len(saved(path)) == 3

    @pytest.mark.parametrize("rank", ["0", "5", "-1", "1.5", "best", "²"])
    def test_what_is_no_rank_is_refused_by_letter(self, path, rank):
        form = annotate(session(path))
        choose(form, [1, 2, rank, 4])
        click(form, "Save")
        assert "for C, expected a whole number from 1 (best) to 4" in said(form)
        assert typed(form) == ["1", "2", rank, "4"] and not path.exists()

    def test_the_keyboard_stays_in_the_form(self, path, monkeypatch):
        """After every step the first rank has the focus, in the same widget as before."""
        form = annotate(session(path))
        first, focused = fields(form)[0], []
        monkeypatch.setattr(widgets.Text, "focus", lambda field: focused.append(field))
        for name in ("Skip", "Back", "Save"):
            choose(form, [1] * len(fields(form)))
            click(form, name)
            assert focused == [first] and fields(form)[0] is first
            focused.clear()

    def test_a_second_click_on_save_saves_nothing(self, path):
        form = annotate(session(path))
        choose(form, [1, 2, 3, 4])
        click(form, "Save")
        click(form, "Save")
        assert len(saved(path)) == 1 and "no rank for A, B" in said(form)

    def test_skip_and_back(self, path):
        form = annotate(session(path, CHAINS[:2]))
        click(form, "Back")
        assert "No chain has been saved" in said(form)
        click(form, "Skip")
        choose(form, [2, 1])
        click(form, "Save")
        click(form, "Skip")
        assert "only chain that is left" in said(form)
        click(form, "Back")
        assert typed(form) == ["2", "1"]
        choose(form, [1, 1])
        click(form, "Save")
        assert saved(path) == {"secret-id-1": [1, 1]}
        assert len(fields(form)) == 4

    def test_back_from_the_end_opens_the_last_chain_again(self, path):
        form = annotate(session(path, CHAINS[1:2]))
        choose(form, [1, 2])
        click(form, "Save")
        click(form, "Back")
        assert typed(form) == ["1", "2"]
        assert not any(b.disabled for b in of_kind(form, widgets.Button))

    def test_markup_is_shown_and_does_not_run(self, path):
        texts_with_markup = chain("evil", 2, text="{} **bold** {} " + EVIL)
        asked = replace(texts_with_markup, base_task=f"Write {EVIL}")
        for widget in of_kind(annotate(session(path, [asked])), widgets.HTML):
            page = Tags(widget.value)
            assert set(page.tags) <= {"b", "div", "i", "style"}
        shown = "".join(
            Tags(w.value).text for w in of_kind(annotate(session(path, [asked])), widgets.HTML)
        )
        assert shown.count(EVIL) == 3 and "**bold**" in shown

    def test_messages_are_escaped_too(self, path):
        form = annotate(session(path))
        path.write_text(f"annotator,chain_id,response,rank\nann,c,0,{EVIL}\nann,c,1,1\n")
        choose(form, [1, 2, 3, 4])
        click(form, "Save")
        assert Tags(said(form)).tags == ["b"] and "<img" in Tags(said(form)).text

    def test_an_empty_response_can_be_ranked(self, path):
        bare = chain("bare", 2)
        bare = replace(bare, responses=(bare.responses[0], replace(bare.responses[1], text=" ")))
        assert "(no text)" in json.dumps(texts(annotate(session(path, [bare]))))

    def test_line_breaks_of_a_response_are_shown(self, path):
        form = annotate(session(path, [chain(text="# {}\n\n  - {}")]))
        page = next(w.value for w in of_kind(form, widgets.HTML) if "# " in w.value)
        assert "white-space:pre-wrap" in page and "\n\n  - " in page


class TestStart:
    def test_asks_for_a_pseudonym_and_then_ranks(self, tmp_path):
        form = start(CHAINS, tmp_path)
        (name,) = of_kind(form, widgets.Text)
        for bad in ("", "Ann Lee"):
            name.value = bad
            click(form, "Start")
            assert "expected 1 to 32" in said(form)
        assert list(tmp_path.iterdir()) == []
        name.value = " ann "
        press_enter(name)
        choose(form, [1, 2, 3, 4])
        click(form, "Save")
        assert list(saved(tmp_path / "annotations_ann.csv")) == ["secret-id-0"]
        assert fields(form)[0].description == "Rank of A"

    def test_a_known_pseudonym_goes_on(self, tmp_path):
        session(annotation_path(tmp_path, "ann")).record([1, 2, 3, 4])
        form = start(CHAINS, tmp_path, annotator="ann")
        assert "Going on" in said(form) and len(fields(form)) == 2
        assert "Going on" not in said(start(CHAINS, tmp_path, annotator="bob"))
        with pytest.raises(WfineError, match="Pseudonym"):
            start(CHAINS, tmp_path, annotator="Ann Lee")

    def test_a_broken_file_is_explained(self, tmp_path):
        annotation_path(tmp_path, "ann").write_text("what;is;this\n")
        form = start(CHAINS, tmp_path)
        of_kind(form, widgets.Text)[0].value = "ann"
        click(form, "Start")
        assert "expected the columns" in said(form)
