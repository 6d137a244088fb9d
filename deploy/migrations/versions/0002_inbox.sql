-- Inboxes: what a door has taken over from `inbox.<centre>` into `status`.
CREATE SCHEMA inbox;

-- § One door at a time reads an inbox, as long as its lease runs; offsets only go forward.
CREATE TABLE inbox.progress (
    topic text PRIMARY KEY,
    -- The next offset of every partition; one that is not here yet begins at 0.
    next_offsets bigint[] NOT NULL DEFAULT '{}',
    owner text,
    leased_until timestamptz NOT NULL DEFAULT '-infinity'
) WITH (fillfactor = 50);

-- §
GRANT USAGE ON SCHEMA inbox TO kamkap_ingest, kamkap_operator, kamkap_api;

-- §
GRANT SELECT ON inbox.progress TO kamkap_ingest, kamkap_operator, kamkap_api;

-- §
GRANT INSERT, UPDATE ON inbox.progress TO kamkap_ingest;
