"""The course: exercises that are checked, tests that are examined by mutants, quizzes, and the
notebooks of students and teachers, which are made from one source a week; see course/README.md."""

from typing import TYPE_CHECKING

from wfine_utils.faces import on_demand

if TYPE_CHECKING:
    from wfine_course.checking import Grade, Refusal, check, expect
    from wfine_course.equipment import equipment_table
    from wfine_course.limits import stop_cells_after
    from wfine_course.quizzes import Quiz, open_quiz

__getattr__ = on_demand(__name__)
