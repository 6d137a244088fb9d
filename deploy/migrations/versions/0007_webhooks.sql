-- Who is told of directives by webhook. Operational state: no fact, and saved by a backup.
CREATE TABLE outward.subscriptions (
    id uuid PRIMARY KEY,
    owner text NOT NULL,
    realm text NOT NULL,
    url text NOT NULL,
    signing text NOT NULL CHECK (signing IN ('hmac', 'ed25519')),
    filter jsonb NOT NULL,
    -- Of the request that made it: the same again is answered alike.
    digest text NOT NULL,
    created_at timestamptz NOT NULL,
    -- The next decision position whose notices are to be queued.
    cursor bigint NOT NULL,
    -- Whether the last attempt failed: then it is tried with one delivery at a time.
    failing boolean NOT NULL DEFAULT false,
    disabled_at timestamptz,
    disabled_because text CHECK (disabled_because IN ('gone', 'undeliverable')),
    CHECK ((disabled_at IS NULL) = (disabled_because IS NULL))
);

-- §
CREATE INDEX subscriptions_owner ON outward.subscriptions (owner, id);

-- § Which notices are still to be queued, for whom.
CREATE INDEX subscriptions_cursor ON outward.subscriptions (cursor) WHERE disabled_at IS NULL;

-- § What signs: the newest, and those before it until they end.
CREATE TABLE outward.secrets (
    subscription uuid NOT NULL REFERENCES outward.subscriptions ON DELETE CASCADE,
    number int NOT NULL,
    sealed bytea NOT NULL,
    public_key text,
    made_at timestamptz NOT NULL,
    ends_at timestamptz NOT NULL DEFAULT 'infinity',
    PRIMARY KEY (subscription, number)
);

-- § One notice on its way to one subscription, by the position of its decision; a test, which has no
-- directive and no place in the log, by a number below zero.
CREATE TABLE outward.deliveries (
    subscription uuid NOT NULL REFERENCES outward.subscriptions ON DELETE CASCADE,
    position bigint NOT NULL,
    event text NOT NULL,
    directive text,
    change text NOT NULL,
    -- Whose own right it is, where the subscriber is an addressee.
    addressee text,
    -- Sent before what waits of the same directive.
    overtakes boolean NOT NULL DEFAULT false,
    -- The same bytes at every attempt; gone once nothing more is sent.
    body bytea,
    -- By what the subscriber saw it when it was composed: where that has changed, it is looked up
    -- again before it is sent.
    reads bytea,
    state text NOT NULL DEFAULT 'waiting'
        CHECK (state IN ('waiting', 'delivered', 'superseded', 'withheld', 'undeliverable')),
    queued_at timestamptz NOT NULL,
    -- Since it was queued, or the subscription enabled: what the schedule goes by.
    tries int NOT NULL DEFAULT 0,
    first_at timestamptz,
    next_at timestamptz NOT NULL,
    leased_until timestamptz NOT NULL DEFAULT '-infinity',
    -- The state that the addressee's directive knows of, where it is to know.
    stated text,
    PRIMARY KEY (subscription, position)
);

-- § The head of each directive's queue, and what is due.
CREATE INDEX deliveries_order ON outward.deliveries (subscription, directive, position)
WHERE state = 'waiting';

-- §
CREATE INDEX deliveries_due ON outward.deliveries (subscription, next_at) WHERE state = 'waiting';

-- § What is under way.
CREATE INDEX deliveries_leased ON outward.deliveries (subscription, leased_until)
WHERE state = 'waiting';

-- § What its directive does not know of yet.
CREATE INDEX deliveries_unstated ON outward.deliveries (queued_at)
WHERE addressee IS NOT NULL AND stated IS DISTINCT FROM state
  AND (state = 'undeliverable' OR (state = 'delivered' AND change = 'issued'));

-- § The timeline, the last queued first.
CREATE INDEX deliveries_listed ON outward.deliveries (subscription, queued_at, position);

-- § Written when an attempt begins, completed when it ends: one that a crash cut off stays seen.
CREATE TABLE outward.attempts (
    subscription uuid NOT NULL,
    position bigint NOT NULL,
    number int NOT NULL,
    at timestamptz NOT NULL,
    ended_at timestamptz,
    status smallint,
    said text,
    PRIMARY KEY (subscription, position, number),
    FOREIGN KEY (subscription, position) REFERENCES outward.deliveries ON DELETE CASCADE
);

-- § Nobody but the owner of a subscription sees it through the gateway. Forced, so that the owner
-- of the tables is held to it as well.
ALTER TABLE outward.subscriptions ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;

-- §
ALTER TABLE outward.secrets ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;

-- §
ALTER TABLE outward.deliveries ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;

-- §
ALTER TABLE outward.attempts ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;

-- § Who sends, saves and restores.
CREATE POLICY by_process ON outward.subscriptions
TO kamkap_dispatcher, kamkap_operator, CURRENT_USER USING (true) WITH CHECK (true);

-- §
CREATE POLICY by_process ON outward.secrets
TO kamkap_dispatcher, kamkap_operator, CURRENT_USER USING (true) WITH CHECK (true);

-- §
CREATE POLICY by_process ON outward.deliveries
TO kamkap_dispatcher, kamkap_operator, CURRENT_USER USING (true) WITH CHECK (true);

-- §
CREATE POLICY by_process ON outward.attempts
TO kamkap_dispatcher, kamkap_operator, CURRENT_USER USING (true) WITH CHECK (true);

-- §
CREATE POLICY by_owner ON outward.subscriptions TO kamkap_api
USING (owner = current_setting('kamkap.reader', true))
WITH CHECK (owner = current_setting('kamkap.reader', true));

-- § Whose subscription it is says the policy above.
CREATE POLICY by_owner ON outward.secrets TO kamkap_api
USING (EXISTS (SELECT FROM outward.subscriptions s WHERE s.id = subscription))
WITH CHECK (EXISTS (SELECT FROM outward.subscriptions s WHERE s.id = subscription));

-- §
CREATE POLICY by_owner ON outward.deliveries TO kamkap_api
USING (EXISTS (SELECT FROM outward.subscriptions s WHERE s.id = subscription))
WITH CHECK (EXISTS (SELECT FROM outward.subscriptions s WHERE s.id = subscription));

-- §
CREATE POLICY by_owner ON outward.attempts FOR SELECT TO kamkap_api
USING (EXISTS (SELECT FROM outward.subscriptions s WHERE s.id = subscription));

-- §
GRANT SELECT, INSERT, DELETE ON outward.subscriptions TO kamkap_api;

-- §
GRANT UPDATE (cursor, failing, disabled_at, disabled_because) ON outward.subscriptions
TO kamkap_api;

-- § The gateway makes a secret and never reads one.
GRANT SELECT (subscription, number, public_key, made_at, ends_at), INSERT, UPDATE (ends_at)
ON outward.secrets TO kamkap_api;

-- § A queued body is for its receiver alone.
GRANT SELECT (subscription, position, event, directive, change, state, queued_at, next_at),
    INSERT, UPDATE (state, tries, first_at, next_at)
ON outward.deliveries TO kamkap_api;

-- §
GRANT SELECT ON outward.attempts TO kamkap_api;

-- §
GRANT SELECT, INSERT, UPDATE ON outward.subscriptions, outward.deliveries, outward.attempts
TO kamkap_dispatcher;

-- §
GRANT DELETE ON outward.attempts TO kamkap_dispatcher;

-- §
GRANT SELECT ON outward.secrets TO kamkap_dispatcher;

-- §
GRANT SELECT ON outward.subscriptions, outward.secrets, outward.deliveries, outward.attempts
TO kamkap_operator;
