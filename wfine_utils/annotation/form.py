"""The form on which people rank: widgets around :class:`wfine_utils.annotation.session.Session`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape
from pathlib import Path

import ipywidgets as widgets

from wfine_utils.annotation.session import Session, annotation_path
from wfine_utils.chains.taxonomy import Chain
from wfine_utils.errors import WfineError

_GRID = {"grid_template_columns": "repeat(auto-fit, minmax(17em, 1fr))", "grid_gap": "1em"}
_PANEL = {"border": "1px solid #999", "padding": "0.5em", "justify_content": "space-between"}


def start(
    chains: Sequence[Chain], folder: str | Path, *, seed: int = 0, annotator: str = ""
) -> widgets.VBox:
    """A form that asks for a pseudonym and then turns into that of :func:`annotate`.

    Args:
        chains, seed: as for :class:`Session`.
        folder: where the files of the annotators lie.
        annotator: the pseudonym; the form asks for it if it is empty.

    Raises:
        WfineError: as :class:`Session`; where the form asks, it shows the error instead.
    """
    page = widgets.VBox()

    def open_session(name: str) -> None:
        session = Session(chains, name, annotation_path(folder, name), seed)
        page.children = (annotate(session),)

    if annotator:
        open_session(annotator)
        return page
    name, button = widgets.Text(description="Pseudonym"), widgets.Button(description="Start")
    message = widgets.HTML("Not your name: 1 to 32 letters, digits, _ and -.")
    button.on_click(lambda _: _shown_in(message, lambda: open_session(name.value.strip())))
    page.children = (widgets.HBox([name, button]), message)
    return page


def annotate(session: Session) -> widgets.VBox:
    """The form on which an annotator ranks chain after chain, the responses side by side.

    Texts are shown as they are, without any markup taking effect: marks of emphasis or of a
    heading may be just what was asked for, and nothing in a response can run.
    """
    return _Form(session).page


class _Form:
    def __init__(self, session: Session) -> None:
        self.session = session
        self.bar = widgets.IntProgress(min=0, max=session.progress[1])
        self.count, self.instruction, self.message = (widgets.HTML() for _ in range(3))
        self.responses = widgets.GridBox(layout=_GRID)
        self.ranks: list[widgets.Dropdown] = []
        self.buttons = [
            widgets.Button(description=name, button_style=style)
            for name, style in (("Back", ""), ("Skip", ""), ("Save", "primary"))
        ]
        for button, action in zip(self.buttons, (self.back, self.skip, self.save), strict=True):
            button.on_click(lambda _, do=action: _shown_in(self.message, do))
        head, foot = widgets.HBox([self.bar, self.count]), widgets.HBox(self.buttons)
        self.page = widgets.VBox([head, self.instruction, self.responses, foot, self.message])
        if session.progress[0]:
            self.say("Going on after the chains that this pseudonym has ranked already.")
        self.show()

    def say(self, text: str) -> None:
        self.message.value = escape(text)

    def save(self) -> None:
        self.session.record([rank.value for rank in self.ranks])
        self.say("Saved.")
        self.show()

    def skip(self) -> None:
        before = self.session.current
        self.session.skip()
        same = self.session.current is before
        self.say("This is the only chain that is left." if same else "Skipped.")
        self.show()

    def back(self) -> None:
        opened = self.session.back()
        self.say("Once more, with your ranks." if opened else "No chain has been saved before.")
        self.show()

    def show(self) -> None:
        session, old = self.session, self.responses.children
        done, n = session.progress
        self.bar.value, self.count.value = done, f"{done} of {n} chains ranked"
        chain = session.current
        for button in self.buttons[1:]:
            button.disabled = chain is None
        self.ranks, panels = [], []
        if chain is None:
            self.instruction.value = "<b>All chains are ranked. Thank you!</b>"
        else:
            self.instruction.value = f"<b>What was asked for</b>{_text(chain.prompt())}"
            shown = zip(session.letters, session.order, session.earlier, strict=True)
            for letter, place, value in shown:
                text = f"<b>Response {letter}</b>{_text(chain.responses[place].text)}"
                rank = _rank(letter, len(session.order), value)
                panels.append(widgets.VBox([widgets.HTML(text), rank], layout=_PANEL))
                self.ranks.append(rank)
        self.responses.children = panels
        for box in old:  # else the texts would stay in the notebook's saved widgets
            for widget in (*box.children, box):
                widget.close()


def _rank(letter: str, n: int, value: int | None) -> widgets.Dropdown:
    options = [("choose", None), ("1 (best)", 1), *((str(k), k) for k in range(2, n + 1))]
    # index, not value: value=None would leave the box blank
    return widgets.Dropdown(options=options, index=value or 0, description=f"Rank of {letter}",
                            layout={"width": "auto"})  # fmt: skip


def _text(text: str) -> str:
    body = escape(text) if text.strip() else "<i>(no text)</i>"
    style = "white-space:pre-wrap;overflow-wrap:anywhere;line-height:1.4"
    return f'<div dir="auto" style="{style}">{body}</div>'


def _shown_in(message: widgets.HTML, action: Callable[[], None]) -> None:
    """Do ``action``; what the user can mend is shown, because a callback's errors are not."""
    try:
        action()
    except WfineError as error:
        message.value = f"<b>{escape(str(error))}</b>"
