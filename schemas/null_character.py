"""The one character that no text of the network holds: PostgreSQL stores no U+0000."""


def holds_null_character(value: object) -> bool:
    """Whether any text in this JSON value holds it, keys included, however deep."""
    match value:
        case str():
            return "\x00" in value
        case dict():
            return any(
                holds_null_character(key) or holds_null_character(inner)
                for key, inner in value.items()
            )
        case list():
            return any(map(holds_null_character, value))
        case _:
            return False
