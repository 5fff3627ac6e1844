"""The table that says what a computer lacks."""

from __future__ import annotations

from importlib import metadata

from wfine_course import equipment


def test_here_all_is_well_but_perhaps_the_number_of_cores():
    table = equipment.equipment_table().set_index("what")
    lacking = set(table.index[~table["is_well"]]) - {"processor cores"}
    assert not lacking
    assert (table.loc[table["is_well"], "to do"] == "").all()


def test_a_missing_package_and_another_version_are_said(monkeypatch, tmp_path):
    real = metadata.version

    def version(name: str) -> str:
        if name == "scipy":
            raise metadata.PackageNotFoundError
        return "0.1" if name == "numpy" else real(name)

    monkeypatch.setattr(equipment.metadata, "version", version)
    monkeypatch.setattr(equipment, "_pins", lambda: {"numpy": "2.4.6", "scipy": "1.17.1"})
    monkeypatch.setattr(equipment, "project_root", lambda: tmp_path)
    table = equipment.equipment_table().set_index("what")
    assert table.loc["numpy", ["found", "to do"]].tolist() == [
        "0.1",
        "version 2.4.6: run `make env`",
    ]
    assert not table.loc["scipy", "is_well"]
    assert "clone of the project" in table.loc["kept results of mini", "to do"]
