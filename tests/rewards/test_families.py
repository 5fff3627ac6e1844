"""Every family of models in docs/model_families.md, made small: what the table says of it is so."""

from __future__ import annotations

import pandas as pd
import pytest

from wfine_utils.files import project_root

PATH = project_root() / "outputs" / "reference" / "model_families" / "families.csv"
KEPT = pd.read_csv(PATH, index_col="family", na_filter=False) if PATH.exists() else pd.DataFrame()

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("one_thread")]


@pytest.fixture(scope="module")
def families(bench_script):
    return bench_script("model_families")


@pytest.fixture(scope="module")
def table(families, tmp_path_factory):
    """All of it at once: a single other process loads what was saved."""
    folder = tmp_path_factory.mktemp("families")
    return families.examine(list(families.FAMILIES), folder).set_index("family")


def test_the_table_names_every_family(families):
    assert list(KEPT.index) == list(families.FAMILIES)


@pytest.mark.parametrize("name", KEPT.index)
def test_it_works_or_is_refused_as_the_table_says(name, table):
    assert table.loc[name].to_dict() == KEPT.loc[name].to_dict()
