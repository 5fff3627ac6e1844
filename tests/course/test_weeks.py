"""What is proved of every week in course/: its notebooks, exercises, lab, quiz and slides."""

from __future__ import annotations

import inspect
import json
import re
import statistics
import time

import course_weeks as weeks
import nbformat
import pandas as pd
import pytest
from conftest import ROOT
from course_weeks import EXERCISES, IDS, LABS, SOURCES
from scipy import stats

from wfine_course.checking import SECONDS
from wfine_course.generation import KINDS, MARKED, build, tags
from wfine_utils.checks.words import word_count

WEEKS = [name for name in SOURCES if name.startswith("week")]
FILES = sorted((ROOT / "course").glob("*/*.ipynb"))
SLIDES = sorted((ROOT / "course").glob("*/slides.ipynb"))


def markdown(path) -> str:
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return "\n\n".join("".join(c["source"]) for c in cells if c["cell_type"] == "markdown")


def test_generated_is_committed():
    assert build(ROOT / "course", only_look=True) == [], "run `make course`"


@pytest.mark.parametrize(("name", "exercise"), EXERCISES, ids=IDS)
class TestExercise:
    def test_the_solution_passes_at_once(self, name, exercise):
        weeks.before(name)
        begun = time.perf_counter()
        grade = weeks.graded(name, exercise, weeks.solution(exercise))
        assert grade.is_full, grade.said
        assert time.perf_counter() - begun < SECONDS / 2, "the check tells students: below a second"

    def test_the_blank_says_that_it_is_one(self, name, exercise):
        grade = weeks.graded(name, exercise, weeks.unsolved(exercise))
        assert grade.points == 0 and f"`{exercise.name}` is not written yet" in grade.said

    def test_wrong_answers_are_refused_with_a_reason(self, name, exercise):
        assert len(exercise.wrong) >= 2
        for cell in exercise.wrong:
            grade = weeks.graded(name, exercise, cell["source"])
            assert grade.points == 0, f"{cell['id']} passes: {cell['metadata']['why']}"
            _, _, reason = grade.said.partition("is not right yet: ")
            assert len(reason) > 25, f"{cell['id']}: does not say what is wrong: {grade.said}"

    def test_no_line_of_the_solution_stands_in_the_exercise(self, name, exercise):
        (body,) = (match[2] for match in MARKED.finditer(exercise.cell["source"]) if match)
        path = ROOT / "course" / name / "exercise.ipynb"
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        page = {line.strip() for c in cells for line in "".join(c["source"]).splitlines()}
        leaked = [x for x in map(str.strip, body.splitlines()) if len(x) > 25 and x in page]
        assert not leaked

    def test_the_check_is_described_and_the_stub_has_a_docstring(self, name, exercise):
        assert inspect.getdoc(getattr(weeks.module(SOURCES[name], "checks"), exercise.name))
        assert '"""' in weeks.unsolved(exercise)
        assert exercise.cell["source"].count("### BEGIN SOLUTION") == 1


@pytest.mark.parametrize("name", LABS)
class TestLab:
    def versions(self, name):
        lab = weeks.module(SOURCES[name], "lab")
        return lab.RIGHT, lab.WRONG

    def exercise(self, name, which):
        return next(e for e in SOURCES[name].exercises if e.cell["id"] == f"lab-{which}")

    def test_the_reference_test_tells_right_from_wrong(self, name):
        right, wrong = self.versions(name)
        assert len(right) >= 2 and len(wrong) >= 3
        exercise = self.exercise(name, "test")
        test = weeks.defined(name, exercise, weeks.solution(exercise))
        for version in right:
            assert test(version) is None, version.__name__
        for version, hint in wrong:
            with pytest.raises(AssertionError):
                test(version)
            assert len(hint) > 25, f"{version.__name__}: a hint where to look"

    def test_it_passes_what_was_mended_and_fails_on_what_was_found(self, name):
        tester, mender = self.exercise(name, "test"), self.exercise(name, "mend")
        test = weeks.defined(name, tester, weeks.solution(tester))
        assert test(weeks.defined(name, mender, weeks.solution(mender))) is None
        as_found = mender.wrong[0]
        assert as_found["metadata"]["why"] == "as it was found"
        with pytest.raises(AssertionError):
            test(weeks.defined(name, mender, as_found["source"]))

    def test_lazy_tests_let_something_slip(self, name):
        exercise = self.exercise(name, "test")
        said = [weeks.graded(name, exercise, c["source"]).said for c in exercise.wrong]
        assert sum("slips through" in text for text in said) >= 2, said

    def test_the_fault_is_cited(self, name):
        """By repository and commit or thread, for students and for readers of the code."""
        told = "\n".join(
            c["source"] for c in SOURCES[name].cells
            if c["cell_type"] == "markdown" and "lab" in tags(c)
        )  # fmt: skip
        place = r"https://github\.com/[\w.-]+/[\w.-]+/(?:issues/\d+|pull/\d+|blob/[0-9a-f]{40}/)"
        assert re.search(place, told)
        code = inspect.getdoc(weeks.module(SOURCES[name], "lab")) or ""
        assert "github.com/" in code and "anew" in code


@pytest.mark.parametrize("name", WEEKS)
class TestWeek:
    def test_it_is_whole(self, name):
        source = SOURCES[name]
        own = [e for e in source.exercises if "lab" not in tags(e.cell)]
        assert len(own) == 4 and name in LABS
        assert [e.cell["id"] for e in source.exercises if e not in own] == ["lab-mend", "lab-test"]
        assert len(source.questions) == 6
        files = {p.name for p in (ROOT / "course" / name).iterdir()}
        assert files >= {"source.ipynb", "slides.ipynb", "plan.md", *(f"{k}.ipynb" for k in KINDS)}

    def test_a_teacher_finds_numbers_and_answers(self, name):
        for_teachers = [c for c in SOURCES[name].cells if "instructor" in tags(c)]
        text = "\n".join(c["source"] for c in for_teachers)
        assert "**The expected numbers.**" in text and "**Why does mine differ?**" in text
        assert any("reference" in c["source"] for c in for_teachers if c["cell_type"] == "code")
        plan = (ROOT / "course" / name / "plan.md").read_text(encoding="utf-8")
        minutes = [int(n) for n in re.findall(r"^\| (\d+) \|", plan, re.MULTILINE)]
        assert sum(minutes) == 45 + 45 + 90

    def test_slides_have_one_idea_each(self, name):
        notebook = nbformat.read(ROOT / "course" / name / "slides.ipynb", as_version=4)
        slides: list[list] = []
        for cell in notebook.cells:
            kind = cell.metadata.slideshow.slide_type
            assert kind in {"slide", "fragment", "-", "skip"}
            if kind == "slide":
                slides.append([])
            if kind != "skip":
                slides[-1].append(cell)
        assert 12 <= len(slides) <= 15
        for slide in slides:
            texts = [c.source for c in slide if c.cell_type == "markdown"]
            assert re.match(r"#{1,2} \S", texts[0]) and len(re.findall(r"^#", texts[0], re.M)) == 1
            assert word_count(" ".join(texts)) <= 90, texts[0]
            assert sum("plt.show()" in c.source for c in slide) <= 1
        drawn = [c for c in notebook.cells if "plt.show()" in c.source]
        assert len(drawn) >= 3
        for cell in drawn:
            below = notebook.cells[notebook.cells.index(cell) + 1].source
            assert below.startswith("*Figure: ") and re.search(r"title", cell.source)


@pytest.mark.parametrize("name", SOURCES)
def test_students_get_no_answer(name):
    path = ROOT / "course" / name / "exercise.ipynb"
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    kinds = {tag for c in cells for tag in c["metadata"].get("tags", [])}
    assert not kinds & {"wrong", "solution", "instructor"}
    text = path.read_text(encoding="utf-8")
    assert "SOLUTION" not in text
    for question in SOURCES[name].questions:
        for choice in question.choices.values():
            assert choice.why not in text
    given = [c["source"] for c in cells if c["id"].endswith("-answer")]
    assert len(given) == len(SOURCES[name].questions)
    assert all("".join(source).endswith('"")') for source in given)


@pytest.mark.parametrize("name", SOURCES)
def test_a_failing_cell_does_not_stop_run_all(name):
    path = ROOT / "course" / name / "exercise.ipynb"
    for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
        kinds = set(cell["metadata"].get("tags", []))
        assert (cell["cell_type"] == "code" and bool(kinds & {"exercise", "after"})) == (
            "raises-exception" in kinds
        )


@pytest.mark.parametrize("name", SOURCES)
def test_helpers_are_those_of_the_setup_cell(name):
    helpers = weeks.module(SOURCES[name], "checks").HELPERS
    defined = weeks.setup_names(name)
    assert helpers and all(defined[key] is value for key, value in helpers.items())


@pytest.mark.parametrize("name", SOURCES)
def test_explanations_differ_and_right_answers_are_spread(name):
    questions = SOURCES[name].questions
    whys = [choice.why for q in questions for choice in q.choices.values()]
    assert len(whys) == len(set(whys))
    assert len({q.right for q in questions}) >= 2


def test_numbers_of_kept_runs_that_week_2_tells():
    """Its third section is named after one of them, so it is a text and not computed."""
    kept = ROOT / "outputs" / "reference" / "mini" / "02_requirement_dropping" / "three_kinds.csv"
    rows = pd.read_csv(kept).set_index(["chains", "quantity"])
    row = rows.loc[("revised: WEval-Hand", "drop is real")]
    assert (row["n"], row["value"]) == (556, 1)
    assert '## 3 What is "556 of 556" worth?' in markdown(SOURCES["week2"].path)
    low = stats.binomtest(30, 30).proportion_ci(method="wilson").low
    assert f"lower end is {low:.2f}" in SOURCES["week2"].questions[2].choices["b"].text


@pytest.mark.parametrize("path", FILES, ids=lambda p: f"{p.parent.name}-{p.stem}")
class TestNotebook:
    """The rules of notebooks/, as far as they hold for a lesson."""

    def test_format(self, path):
        text = path.read_text(encoding="utf-8")
        raw = json.loads(text)
        assert (raw["nbformat"], raw["nbformat_minor"]) == (4, 5)
        nbformat.validate(nbformat.read(path, as_version=4))
        assert text == json.dumps(raw, indent=1, ensure_ascii=False, sort_keys=True) + "\n"
        ids = [cell["id"] for cell in raw["cells"]]
        assert len(ids) == len(set(ids))
        assert not [x for x in ids if re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f-]+)?", x)], "random id"
        assert raw["metadata"]["kernelspec"]["name"] == "python3"

    def test_no_outputs_and_no_tricks(self, path):
        for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
            if cell["cell_type"] != "code":
                continue
            assert cell["outputs"] == [] and cell["execution_count"] is None
            source = "".join(cell["source"])
            assert not re.search(r"^\s*[!%]|sys\.path|https?://|['\"](/|~/)\w", source, re.M)

    def test_size(self, path):
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        code = ["".join(c["source"]) for c in cells if c["cell_type"] == "code"]
        lines = [len(re.findall(r"^.*\S", source, re.M)) for source in code]
        assert max(lines) <= 25 and statistics.median(lines) <= 12
        assert max(len(line) for source in code for line in source.splitlines()) <= 100

    def test_links_lead_somewhere(self, path):
        for target in re.findall(r"\]\(([^)#\s]+)\)", re.sub(r"`[^`\n]*`", "", markdown(path))):
            if "://" not in target:
                assert (path.parent / target).exists(), target

    def test_who_wrote_weval_hand_is_said(self, path):
        if "slides" not in path.stem and "WEval-Hand" in markdown(path) and "week1" in path.parts:
            assert "drafted by a language model" in markdown(path)
