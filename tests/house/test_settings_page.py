"""The page of settings is the code's own."""

from pathlib import Path

from services.operation.settings import page

_PAGE = Path(__file__).parents[2] / "docs" / "settings.md"


def test_the_page_of_settings_is_written_by_the_code() -> None:
    assert _PAGE.read_text(encoding="utf-8") == page(), "kamkap settings > docs/settings.md"
