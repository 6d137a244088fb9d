-- What could not be read or applied, tried again because an operator asks.
CREATE TABLE projections.retries (
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    requested_at timestamptz NOT NULL DEFAULT now(),
    requested_by text NOT NULL,
    done_at timestamptz,
    -- What was tried, and what came of it.
    outcome jsonb
);

-- § At most one waits: whoever asks meanwhile means the same.
CREATE UNIQUE INDEX retries_waiting ON projections.retries ((done_at IS NULL))
WHERE done_at IS NULL;

-- § The gateway asks and does nothing else; the runner says what came of it.
GRANT SELECT ON projections.retries TO kamkap_projections, kamkap_api, kamkap_operator;

-- §
GRANT INSERT (requested_by) ON projections.retries TO kamkap_api;

-- §
GRANT UPDATE (done_at, outcome) ON projections.retries TO kamkap_projections;

-- § Why a message is no longer in quarantine.
ALTER TABLE projections.quarantine ADD COLUMN note text;
