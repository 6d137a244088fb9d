"""The rows that projections write and others read, and the pair (as_of, known_at) that reads them.

Each subject is one Postgres schema, so that a rebuild fills `<subject>_next` and one transaction
puts it in the place of the live one.
"""
