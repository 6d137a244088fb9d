-- Roles. Each process connects as its own: none is superuser, owner or able to bypass row security.
DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['kamkap_ingest', 'kamkap_projections', 'kamkap_timers',
                                'kamkap_relay', 'kamkap_api', 'kamkap_operator']
    LOOP
        BEGIN
            EXECUTE format('CREATE ROLE %I LOGIN NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE', name);
        EXCEPTION
            -- Roles belong to the server, not to the database: another database may have made it.
            WHEN duplicate_object OR unique_violation THEN NULL;
        END;
    END LOOP;
END $$;

-- § The log's Postgres home: messages are written by `log.append` alone and never changed.
CREATE SCHEMA log;

-- §
CREATE TABLE log.topics (
    topic smallint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL UNIQUE
);

-- §
CREATE TABLE log.heads (
    topic smallint NOT NULL REFERENCES log.topics,
    partition smallint NOT NULL,
    next_offset bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (topic, partition)
) WITH (fillfactor = 50);

-- §
CREATE TABLE log.messages (
    "offset" bigint NOT NULL,
    topic smallint NOT NULL,
    partition smallint NOT NULL,
    key bytea NOT NULL,
    headers text NOT NULL,
    value bytea NOT NULL,
    PRIMARY KEY (topic, partition, "offset")
);

-- § Offsets are gapless and drawn under the lock of the partition's head, which is held to commit:
-- offset order is commit order, so a reader never skips a late commit. `places` counts a message
-- within its partition from 0; `heads` are the partitions, each once, with how many they get.
CREATE FUNCTION log.append(
    topic_name text, head_partitions smallint[], head_counts int[],
    partitions smallint[], places int[], keys bytea[], header_texts text[], contents bytea[]
) RETURNS TABLE (appended_partition smallint, first_offset bigint)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = log AS $$
DECLARE
    topic_number smallint;
    added bigint;
BEGIN
    SELECT t.topic INTO STRICT topic_number FROM topics t WHERE t.name = topic_name;
    -- The locks first, in one order for all: every later statement sees what their holders before
    -- us committed.
    PERFORM FROM heads h
    WHERE h.topic = topic_number AND h.partition = ANY (head_partitions)
    ORDER BY h.partition
    FOR UPDATE;
    INSERT INTO messages ("offset", topic, partition, key, headers, value)
    SELECT h.next_offset + m.place, topic_number, m.p, m.k, m.t, m.c
    FROM unnest(partitions, places, keys, header_texts, contents) AS m (p, place, k, t, c)
    JOIN heads h ON h.topic = topic_number AND h.partition = m.p;
    GET DIAGNOSTICS added = ROW_COUNT;
    IF added <> cardinality(contents) THEN
        RAISE no_data_found USING MESSAGE = format('topic %s lacks a partition', topic_name);
    END IF;
    PERFORM pg_notify('log', topic_name);
    RETURN QUERY
    UPDATE heads h SET next_offset = h.next_offset + n.added
    FROM unnest(head_partitions, head_counts) AS n (partition, added)
    WHERE h.topic = topic_number AND h.partition = n.partition
    RETURNING h.partition, h.next_offset - n.added;
END $$;

-- §
CREATE FUNCTION log.ensure_topic(topic_name text, partition_count int) RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = log AS $$
BEGIN
    INSERT INTO topics (name) VALUES (topic_name) ON CONFLICT DO NOTHING;
    INSERT INTO heads (topic, partition)
    SELECT t.topic, p FROM topics t, generate_series(0, partition_count - 1) AS p
    WHERE t.name = topic_name
      AND NOT EXISTS (SELECT FROM heads h WHERE h.topic = t.topic)
    ON CONFLICT DO NOTHING;
END $$;

-- § The decision store.
CREATE SCHEMA decisions;

-- §
CREATE TABLE decisions.head (
    single boolean PRIMARY KEY DEFAULT true CHECK (single),
    next_position bigint NOT NULL
) WITH (fillfactor = 50);

-- §
INSERT INTO decisions.head (next_position) VALUES (0);

-- §
CREATE TABLE decisions.streams (
    stream text PRIMARY KEY,
    version integer NOT NULL
) WITH (fillfactor = 80);

-- §
CREATE TABLE decisions.events (
    position bigint PRIMARY KEY,
    stream text NOT NULL,
    version integer NOT NULL,
    source text NOT NULL,
    id text NOT NULL,
    headers text NOT NULL,
    data bytea NOT NULL,
    UNIQUE (stream, version),
    UNIQUE (source, id)
);

-- § One flush of decisions. Each item is one stream's events at its expected version, under guards
-- on the versions of other streams; an item is appended whole or not at all, and has its verdict:
-- 'appended', 'conflict' (a version is not the expected one) or 'duplicate' (an id is here already).
-- The caller puts a stream into a flush at most once, and never one that another item guards on.
-- Items and places count from 1. Joins are pinned to nested loops over the indexes: a plan cached
-- while the tables were small would otherwise scan them when they are large.
CREATE FUNCTION decisions.append(
    item_streams text[], item_versions int[], item_sizes int[],
    guard_items int[], guard_streams text[], guard_versions int[],
    event_items int[], event_places int[], event_sources text[], event_ids text[],
    header_texts text[], contents bytea[]
) RETURNS TABLE (item int, verdict text, first_position bigint)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = decisions SET enable_hashjoin = off SET enable_mergejoin = off SET enable_seqscan = off
AS $$
DECLARE
    start bigint;
    added bigint;
    verdicts text[];
BEGIN
    -- The lock first, then the checks: in one statement the checks would see a snapshot older than
    -- the lock and pass on what another writer has just changed.
    SELECT h.next_position INTO start FROM head h FOR UPDATE;
    WITH known AS (
        SELECT e.i FROM unnest(event_items, event_sources, event_ids) AS e (i, source, id)
        JOIN events USING (source, id)
    ), moved AS (
        SELECT checked.i
        FROM (
            SELECT i, stream, version
            FROM unnest(item_streams, item_versions) WITH ORDINALITY AS w (stream, version, i)
            UNION ALL
            SELECT i, stream, version
            FROM unnest(guard_items, guard_streams, guard_versions) AS g (i, stream, version)
        ) checked
        LEFT JOIN streams s ON s.stream = checked.stream
        WHERE coalesce(s.version, 0) <> checked.version
    )
    SELECT array_agg(
        CASE
            WHEN n IN (SELECT i FROM known) THEN 'duplicate'
            WHEN n IN (SELECT i FROM moved) THEN 'conflict'
            ELSE 'appended'
        END ORDER BY n)
    INTO verdicts
    FROM generate_subscripts(item_streams, 1) AS n;

    INSERT INTO events (position, stream, version, source, id, headers, data)
    SELECT start + row_number() OVER (ORDER BY e.i, e.place) - 1,
           item_streams[e.i], item_versions[e.i] + e.place, e.source, e.id, e.headers, e.data
    FROM unnest(event_items, event_places, event_sources, event_ids, header_texts, contents)
         AS e (i, place, source, id, headers, data)
    WHERE verdicts[e.i] = 'appended';
    GET DIAGNOSTICS added = ROW_COUNT;

    IF added > 0 THEN
        INSERT INTO streams (stream, version)
        SELECT item_streams[n], item_versions[n] + item_sizes[n]
        FROM generate_subscripts(item_streams, 1) AS n
        WHERE verdicts[n] = 'appended' AND item_sizes[n] > 0
        ON CONFLICT (stream) DO UPDATE SET version = excluded.version;
        UPDATE head SET next_position = start + added;
        PERFORM pg_notify('decisions', '');
    END IF;

    RETURN QUERY
    SELECT n, verdicts[n],
           CASE WHEN verdicts[n] = 'appended' THEN
               start + (sum(item_sizes[n]) FILTER (WHERE verdicts[n] = 'appended')
                        OVER (ORDER BY n))::bigint - item_sizes[n]
           END
    FROM generate_subscripts(item_streams, 1) AS n;
END $$;

-- § How far the relay has published. Two relays may both publish; readers drop what they have.
CREATE TABLE decisions.relayed (
    single boolean PRIMARY KEY DEFAULT true CHECK (single),
    next_position bigint NOT NULL
) WITH (fillfactor = 50);

-- §
INSERT INTO decisions.relayed (next_position) VALUES (0);

-- § The network's own time.
CREATE SCHEMA eventlog;

-- § Raised by a restore: a token or an offset of another epoch is refused by name.
CREATE TABLE eventlog.epoch (
    single boolean PRIMARY KEY DEFAULT true CHECK (single),
    epoch integer NOT NULL
);

-- §
INSERT INTO eventlog.epoch (epoch) VALUES (1);

-- § A fact is known from the first tick whose ends[slot + 1] is beyond its position.
CREATE TABLE eventlog.ticks (
    number bigint PRIMARY KEY,
    time timestamptz NOT NULL UNIQUE,
    ends bigint[] NOT NULL CHECK (cardinality(ends) = 65),
    listening boolean NOT NULL,
    listened double precision NOT NULL
);

-- §
CREATE TABLE eventlog.ticker (
    single boolean PRIMARY KEY DEFAULT true CHECK (single)
);

-- §
INSERT INTO eventlog.ticker DEFAULT VALUES;

-- § The doors that are ready to take events in, until when.
CREATE TABLE eventlog.doors (
    door text PRIMARY KEY,
    ready_until timestamptz NOT NULL
) WITH (fillfactor = 50);

-- § The first tick that covers an event, by halving: ends grow with the number.
CREATE FUNCTION eventlog.tick_of(event_slot int, event_position bigint) RETURNS bigint
LANGUAGE plpgsql STABLE AS $$
DECLARE
    low bigint;
    high bigint;
    middle bigint;
BEGIN
    SELECT min(number), max(number) INTO low, high FROM eventlog.ticks;
    IF high IS NULL
       OR (SELECT ends[event_slot + 1] FROM eventlog.ticks WHERE number = high) <= event_position
    THEN
        RETURN NULL;
    END IF;
    WHILE low < high LOOP
        middle := (low + high) / 2;
        IF (SELECT ends[event_slot + 1] FROM eventlog.ticks WHERE number = middle) > event_position
        THEN high := middle;
        ELSE low := middle + 1;
        END IF;
    END LOOP;
    RETURN low;
END $$;

-- § What the runner keeps for all read models together.
CREATE SCHEMA projections;

-- §
CREATE TABLE projections.progress (
    slot smallint PRIMARY KEY,
    next_position bigint NOT NULL DEFAULT 0,
    -- Where the log's reader goes on; for decisions it differs from the position, because a relay
    -- may publish one twice.
    next_offset bigint NOT NULL DEFAULT 0,
    owner text,
    epoch bigint NOT NULL DEFAULT 0,
    leased_until timestamptz NOT NULL DEFAULT '-infinity'
) WITH (fillfactor = 50);

-- §
INSERT INTO projections.progress (slot) SELECT generate_series(0, 64);

-- §
CREATE TABLE projections.workers (
    worker text PRIMARY KEY,
    seen_until timestamptz NOT NULL
);

-- § Facts that a read model could not apply: their key waits, in order, until a fix.
CREATE TABLE projections.parked (
    model text NOT NULL,
    key text NOT NULL,
    slot smallint NOT NULL,
    position bigint NOT NULL,
    reason text NOT NULL,
    parked_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (model, key, slot, position)
);

-- § What could not be read at all, with its bytes.
CREATE TABLE projections.quarantine (
    topic text NOT NULL,
    partition int NOT NULL,
    "offset" bigint NOT NULL,
    reason text NOT NULL,
    key bytea NOT NULL,
    headers text NOT NULL,
    value bytea NOT NULL,
    quarantined_at timestamptz NOT NULL DEFAULT now(),
    resolved_at timestamptz,
    PRIMARY KEY (topic, partition, "offset")
);

-- §
GRANT USAGE ON SCHEMA log, decisions, eventlog, projections TO
    kamkap_ingest, kamkap_projections, kamkap_timers, kamkap_relay, kamkap_api, kamkap_operator;

-- §
GRANT SELECT ON ALL TABLES IN SCHEMA log, decisions, eventlog, projections TO
    kamkap_ingest, kamkap_projections, kamkap_timers, kamkap_relay, kamkap_api, kamkap_operator;

-- § Nobody but the owner changes or deletes what is written: the functions append, and that is all.
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA log, decisions FROM PUBLIC;

-- §
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA log TO kamkap_ingest, kamkap_relay, kamkap_operator;

-- §
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA decisions TO kamkap_timers, kamkap_api, kamkap_operator;

-- §
GRANT UPDATE ON decisions.relayed TO kamkap_relay;

-- §
GRANT INSERT ON eventlog.ticks TO kamkap_relay;

-- §
GRANT UPDATE ON eventlog.ticker TO kamkap_relay;

-- §
GRANT INSERT, UPDATE, DELETE ON eventlog.doors TO kamkap_ingest;

-- §
GRANT INSERT, UPDATE, DELETE ON projections.progress, projections.workers, projections.parked,
    projections.quarantine TO kamkap_projections;

-- §
GRANT INSERT ON projections.quarantine TO kamkap_ingest;

-- § The runner makes and renames the schemas of read models.
DO $$ BEGIN
    EXECUTE format('GRANT CREATE ON DATABASE %I TO kamkap_projections', current_database());
END $$;
