-- What could not be read is known by its size and digest: who looks for it needs no byte of it.
ALTER TABLE projections.quarantine
    ADD COLUMN bytes bigint GENERATED ALWAYS AS (octet_length(value)) STORED,
    ADD COLUMN digest bytea GENERATED ALWAYS AS (sha256(value)) STORED;

-- § The gateway reads where and why; key, headers and bytes it cannot.
REVOKE SELECT ON projections.quarantine FROM kamkap_api, kamkap_timers, kamkap_relay;

-- §
GRANT SELECT (topic, partition, "offset", reason, quarantined_at, resolved_at, note, bytes, digest)
ON projections.quarantine TO kamkap_api;

-- §
REVOKE SELECT ON projections.parked FROM kamkap_ingest, kamkap_timers, kamkap_relay;

-- § The second lock: whatever a query of the gateway forgets, it has only rows of the reader that
-- its transaction says it is for. Forced, so that the owner is held to it as well.
ALTER TABLE projections.quarantine ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;

-- §
ALTER TABLE projections.parked ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;

-- §
ALTER TABLE projections.retries ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;

-- § Who sets aside, tries again, saves and restores. The owner restores.
CREATE POLICY by_process ON projections.quarantine
TO kamkap_ingest, kamkap_projections, kamkap_operator, CURRENT_USER USING (true) WITH CHECK (true);

-- §
CREATE POLICY by_process ON projections.parked
TO kamkap_projections, kamkap_operator, CURRENT_USER USING (true) WITH CHECK (true);

-- §
CREATE POLICY by_process ON projections.retries
TO kamkap_projections, kamkap_operator, CURRENT_USER USING (true) WITH CHECK (true);

-- § Without the setting nobody reads through the gateway.
CREATE POLICY by_reader ON projections.quarantine FOR SELECT
TO kamkap_api USING (current_setting('kamkap.reader', true) = 'operator');

-- §
CREATE POLICY by_reader ON projections.parked FOR SELECT
TO kamkap_api USING (current_setting('kamkap.reader', true) = 'operator');

-- §
CREATE POLICY by_reader ON projections.retries FOR SELECT
TO kamkap_api USING (current_setting('kamkap.reader', true) = 'operator');

-- §
CREATE POLICY by_asker ON projections.retries FOR INSERT TO kamkap_api
WITH CHECK (requested_by = 'operator' AND current_setting('kamkap.reader', true) = 'operator');
