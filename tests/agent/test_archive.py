"""How a file is recognised, and what is said about one that is not."""

import json
from pathlib import Path

import pytest

from services.agent import demo
from services.agent.archive import SHAPES, BrokenLine, UnknownShape, events_of


def written(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_every_file_of_the_demonstration_is_recognised() -> None:
    for path in (*demo.loaded_at_start(), *demo.highway_floods()):
        assert next(events_of(path))["specversion"] == "1.0"


def test_no_shape_is_part_of_another() -> None:
    shapes = [columns for columns, _ in SHAPES.values()]
    assert [(a, b) for a in shapes for b in shapes if a < b] == []


def test_an_unknown_header_is_refused_with_the_known_shapes(tmp_path: Path) -> None:
    path = written(tmp_path, "some.csv", "a,b\n1,2\n")
    with pytest.raises(UnknownShape, match="covid-19 case events") as refused:
        list(events_of(path))
    assert "a, b" in str(refused.value)


def test_ndjson_passes_through(tmp_path: Path) -> None:
    event = {"specversion": "1.0", "id": "1", "data": {"note": "ภูเก็ต"}}
    path = written(tmp_path, "some.ndjson", f"{json.dumps(event)}\n\n{json.dumps(event)}\n")
    assert list(events_of(path)) == [event, event]


@pytest.mark.parametrize("line", ["{", "[]", "1"])
def test_a_broken_line_is_named(tmp_path: Path, line: str) -> None:
    path = written(tmp_path, "some.ndjson", f"{{}}\n{line}\n")
    with pytest.raises(BrokenLine, match="line 2"):
        list(events_of(path))


def test_a_broken_cell_is_named_with_its_line(tmp_path: Path) -> None:
    header = "published_at,source_commit,window_days,case_date,province_code,cases,deaths"
    path = written(
        tmp_path, "covid.csv", f"{header}\n2021-01-14T09:56:06+07:00,x,14,2021-01-41,83,1,\n"
    )
    with pytest.raises(BrokenLine, match="line 2"):
        list(events_of(path))


def test_a_byte_order_mark_before_the_header_is_no_column(tmp_path: Path) -> None:
    (counts,) = (path for path in demo.tsunami_2004() if path.stem == "counts")
    path = written(tmp_path, "counts.csv", "\ufeff" + counts.read_text(encoding="utf-8"))
    assert list(events_of(path)) == list(events_of(counts))
