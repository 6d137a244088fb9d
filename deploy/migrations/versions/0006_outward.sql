-- The dispatcher's role: it reads, sends outward, and states what was delivered.
DO $$ BEGIN
    CREATE ROLE kamkap_dispatcher LOGIN NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE;
EXCEPTION
    WHEN duplicate_object OR unique_violation THEN NULL;
END $$;

-- §
GRANT USAGE ON SCHEMA decisions, eventlog, projections TO kamkap_dispatcher;

-- §
GRANT SELECT ON decisions.head, decisions.streams, decisions.events, eventlog.epoch,
    eventlog.ticks, projections.progress TO kamkap_dispatcher;

-- § It states that a directive was delivered.
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA decisions TO kamkap_dispatcher;

-- § The decision position up to which a read model lacks nothing: who has read past a fact that is
-- parked would never see it. What is parked is the owner's to see; the number is nobody's secret.
CREATE FUNCTION projections.complete_until(wanted text) RETURNS bigint
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
    SELECT least(p.next_position, (
        SELECT min(parked.position) FROM projections.parked
        WHERE parked.model = wanted AND parked.slot = p.slot))
    FROM projections.progress p WHERE p.slot = 64
$$;

-- §
REVOKE ALL ON FUNCTION projections.complete_until FROM PUBLIC;

-- §
GRANT EXECUTE ON FUNCTION projections.complete_until TO kamkap_api, kamkap_dispatcher;

-- § What goes outward, and how far each subscriber is. Positions are decision positions: everything
-- before them was taken.
CREATE SCHEMA outward;

-- § The feed: what each identity committed.
CREATE TABLE outward.feeds (
    identity text NOT NULL,
    realm text NOT NULL,
    next_position bigint NOT NULL,
    committed_at timestamptz NOT NULL DEFAULT now(),
    -- Up to where the dispatcher has stated what was delivered.
    stated_position bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (identity, realm)
);

-- § Topics of centres: what was acknowledged there. One dispatcher at a time fills one.
CREATE TABLE outward.topics (
    centre text PRIMARY KEY,
    next_position bigint NOT NULL DEFAULT 0,
    owner text,
    leased_until timestamptz NOT NULL DEFAULT '-infinity'
) WITH (fillfactor = 50);

-- §
GRANT USAGE ON SCHEMA outward TO kamkap_api, kamkap_dispatcher, kamkap_operator;

-- §
GRANT SELECT, INSERT (identity, realm, next_position),
    UPDATE (next_position, committed_at) ON outward.feeds TO kamkap_api;

-- §
GRANT SELECT ON outward.feeds, outward.topics TO kamkap_dispatcher, kamkap_operator;

-- §
GRANT UPDATE (stated_position) ON outward.feeds TO kamkap_dispatcher;

-- §
GRANT INSERT, UPDATE ON outward.topics TO kamkap_dispatcher;

-- § An identity's own place alone; the dispatcher states from it what was delivered.
ALTER TABLE outward.feeds ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;

-- §
CREATE POLICY by_process ON outward.feeds
TO kamkap_dispatcher, kamkap_operator, CURRENT_USER USING (true) WITH CHECK (true);

-- §
CREATE POLICY by_reader ON outward.feeds TO kamkap_api
USING (identity = current_setting('kamkap.reader', true))
WITH CHECK (identity = current_setting('kamkap.reader', true));
