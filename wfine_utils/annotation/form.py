"""The form on which people rank: widgets around :class:`wfine_utils.annotation.session.Session`.

The keyboard alone is enough: Tab goes from rank to rank, Enter saves. Ranks are typed and not
chosen from a list, because JupyterLab takes every key for a command that no text field takes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime
from html import escape
from pathlib import Path

import ipywidgets as widgets

from wfine_utils.annotation.session import Session, annotation_path
from wfine_utils.chains.taxonomy import Chain
from wfine_utils.checks.words import word_count
from wfine_utils.errors import WfineError
from wfine_utils.files import display_path

_GRID = {"grid_template_columns": "repeat(auto-fit, minmax(11em, 1fr))", "grid_gap": "1em"}
_PANEL = {"border": "1px solid #999", "padding": "0.5em"}
_NO_KERNEL = (
    "<b>Nothing can be saved: this form has no kernel any more. What was saved is in the file. "
    "Choose <i>Run</i> → <i>Run All Cells</i> to go on.</b>"
)
# The browser itself must say that the kernel is gone, because nobody else is left: ipywidgets marks
# the widgets of a kernel that was started anew, JupyterLab shows the state of the one there is.
_STYLE = """<style>
.wfine-gone { display: none; color: var(--jp-error-color0, #b00) }
.wfine-form.jupyter-widgets-disconnected,
.jp-NotebookPanel:has(.jp-Notebook-ExecutionIndicator:not([data-status=idle], [data-status=busy]))
.wfine-form {
  .wfine-gone { display: block }
  > :not(.wfine-gone) { opacity: 0.4; pointer-events: none }
}
</style>"""


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
    if annotator:
        return annotate(Session(chains, annotator, annotation_path(folder, annotator), seed))
    form = _Form(max((len(chain.responses) for chain in chains), default=0))
    # sent as a whole, at the end: letter by letter, the last ones may come after Enter
    field = widgets.Text(description="Pseudonym", continuous_update=False)
    button = widgets.Button(description="Start")
    ask = widgets.HBox([field, button])

    def open_session() -> None:
        name = field.value.strip()
        form.open(Session(chains, name, annotation_path(folder, name), seed))
        ask.layout.display = "none"
        form.ranks[0].focus()

    button.on_click(lambda _: form.do(open_session))
    _on_enter(field, lambda: form.do(open_session))
    form.say("Not your name: 1 to 32 letters, digits, _ and -.")
    form.page.children = (ask, *form.page.children)
    return form.page


def annotate(session: Session) -> widgets.VBox:
    """The form on which an annotator ranks chain after chain, the responses side by side.

    Texts are shown as they are, without any markup taking effect: marks of emphasis or of a
    heading may be just what was asked for, and nothing in a response can run.
    """
    form = _Form(max(len(chain.responses) for chain in session.chains))
    form.open(session)
    return form.page


class _Form:
    """The page of one annotator. Its widgets are made once and filled anew for each chain, so that
    the keyboard is never left in one that has gone."""

    session: Session

    def __init__(self, n_panels: int) -> None:
        self.bar = widgets.IntProgress(min=0, layout={"width": "10em"})
        self.count, self.instruction, self.message = (widgets.HTML() for _ in range(3))
        self.texts = [widgets.HTML() for _ in range(n_panels)]
        self.ranks = [widgets.Text(layout={"width": "auto"}) for _ in self.texts]
        self.panels = [
            widgets.VBox([rank, text], layout=_PANEL)
            for rank, text in zip(self.ranks, self.texts, strict=True)
        ]
        for rank in self.ranks:
            rank.observe(lambda _: self.say(""), "value")
            _on_enter(rank, lambda: self.do(self.save))
        actions = {"Back": self.back, "Skip": self.skip, "Save": self.save}
        self.buttons = [widgets.Button(description=name) for name in actions]
        self.buttons[-1].button_style = "primary"
        for button, action in zip(self.buttons, actions.values(), strict=True):
            button.on_click(lambda _, do=action: self.do(do))
        self.body = widgets.VBox(
            [
                widgets.HBox([self.bar, self.count]),
                self.instruction,
                widgets.HBox(self.buttons),
                widgets.GridBox(self.panels, layout=_GRID),
            ],
            layout={"display": "none"},
        )
        gone = widgets.HTML(_STYLE + _NO_KERNEL)
        gone.add_class("wfine-gone")
        self.page = widgets.VBox([gone, self.message, self.body])
        self.page.add_class("wfine-form")

    def open(self, session: Session) -> None:
        """Show the first chain of a session that is not ranked yet."""
        self.session = session
        self.show()
        again = "Going on after the chains that this pseudonym has ranked already."
        self.say(again if session.progress[0] else "")
        self.body.layout.display = None

    def say(self, text: str) -> None:
        self.message.value = escape(text)

    def do(self, action: Callable[[], None]) -> None:
        """Do it soon; what the user can mend is shown, because a callback's errors are not."""

        def explained() -> None:
            try:
                action()
            except WfineError as error:
                self.message.value = f"<b>{escape(str(error))}</b>"

        try:  # a click may overtake the last key typed before it, when the kernel was busy
            asyncio.get_running_loop().call_later(0.2, explained)
        except RuntimeError:  # no kernel, so nothing is under way
            explained()

    def save(self) -> None:
        session = self.session
        number, letters = session.number, session.letters
        ranks = [_number(rank.value) for rank in self.ranks[: len(letters)]]
        session.record(ranks)
        self.show()
        saved = ", ".join(f"{x} {rank}" for x, rank in zip(letters, ranks, strict=True))
        self.say(
            f"Chain {number} of {session.progress[1]} saved to {display_path(session.path)} "
            f"at {datetime.now():%H:%M} ({saved})."
        )
        self.ranks[0].focus()

    def skip(self) -> None:
        before = self.session.current
        self.session.skip()
        same = self.session.current is before
        self.show()
        self.say("This is the only chain that is left." if same else "Skipped.")
        self.ranks[0].focus()

    def back(self) -> None:
        opened = self.session.back()
        self.show()
        self.say("Once more, with your ranks." if opened else "No chain has been saved before.")
        self.ranks[0].focus()

    def show(self) -> None:
        session, chain = self.session, self.session.current
        done, n = session.progress
        self.bar.max, self.bar.value = n, done
        place = f"Chain {session.number} of {n}, " if chain else ""
        self.count.value = f"{place}{escape(session.annotator)}: {done} ranked"
        for button in self.buttons[1:]:
            button.disabled = chain is None
        task = f"<b>What was asked for</b>{_text(chain.prompt())}" if chain else ""
        self.instruction.value = task or "<b>All chains are ranked. Thank you!</b>"
        for rank, text, panel in zip(self.ranks, self.texts, self.panels, strict=True):
            rank.value = text.value = ""
            panel.layout.display = "none"
        if chain is None:
            return
        shown = zip(
            session.letters, session.order, session.earlier, self.ranks, self.texts, self.panels,
            strict=False,
        )  # fmt: skip
        for letter, place_in_chain, value, rank, text, panel in shown:
            response = chain.responses[place_in_chain].text
            rank.description = f"Rank of {letter}"
            rank.placeholder = f"1 (best) to {len(session.order)}"
            rank.value = "" if value is None else str(value)
            count = f"{word_count(response):,} words"
            text.value = f"<b>Response {letter}</b>, {count}{_text(response)}"
            panel.layout.display = None


def _number(text: str) -> int | str | None:
    """The rank that was typed; text that is no number stays as it is, and is refused by name."""
    text = text.strip()
    return int(text) if text.isdecimal() else text or None


def _text(text: str) -> str:
    body = escape(text) if text.strip() else "<i>(no text)</i>"
    style = "white-space:pre-wrap;overflow-wrap:anywhere;line-height:1.4"
    return f'<div dir="auto" style="{style}">{body}</div>'


def _on_enter(field: widgets.Text, action: Callable[[], None]) -> None:
    """Call ``action`` when Enter is pressed in a field; the field says so by a message."""
    field.on_msg(lambda _, content, __: action() if content.get("event") == "submit" else None)
