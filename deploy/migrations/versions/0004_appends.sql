-- Each array costs the client a conversion per event, most of what an append of many costs it.
DROP FUNCTION log.append(text, smallint[], int[], smallint[], int[], bytea[], text[], bytea[]);

-- § Offsets are gapless and drawn under the lock of the partition's head, which is held to commit:
-- offset order is commit order, so a reader never skips a late commit. Messages come in the order of
-- the heads, which are the partitions, each once, with how many they get; a line is the headers of
-- one message.
CREATE FUNCTION log.append(
    topic_name text, head_partitions smallint[], head_counts int[],
    keys bytea[], header_lines text, contents bytea[]
) RETURNS TABLE (appended_partition smallint, first_offset bigint)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = log AS $$
DECLARE
    topic_number smallint;
    -- Of each head: the number of its first message in the flush, and what makes it an offset.
    starts bigint[];
    shifts bigint[];
BEGIN
    SELECT t.topic INTO STRICT topic_number FROM topics t WHERE t.name = topic_name;
    -- The locks first, in one order for all: every later statement sees what their holders before
    -- us committed.
    PERFORM FROM heads h
    WHERE h.topic = topic_number AND h.partition = ANY (head_partitions)
    ORDER BY h.partition
    FOR UPDATE;
    SELECT array_agg(n.start ORDER BY n.nth), array_agg(h.next_offset - n.start ORDER BY n.nth)
    INTO starts, shifts
    FROM (
        SELECT w.nth, w.partition, 1 + sum(w.added) OVER (ORDER BY w.nth) - w.added AS start
        FROM unnest(head_partitions, head_counts) WITH ORDINALITY AS w (partition, added, nth)
    ) n
    JOIN heads h ON h.topic = topic_number AND h.partition = n.partition;
    IF coalesce(cardinality(starts), 0) <> cardinality(head_partitions) THEN
        RAISE no_data_found USING MESSAGE = format('topic %s lacks a partition', topic_name);
    END IF;
    INSERT INTO messages ("offset", topic, partition, key, headers, value)
    SELECT shifts[b.head] + m.nth, topic_number, head_partitions[b.head], m.k, m.t, m.c
    FROM unnest(keys, string_to_array(header_lines, E'\n'), contents)
         WITH ORDINALITY AS m (k, t, c, nth)
    CROSS JOIN LATERAL (VALUES (width_bucket(m.nth, starts))) AS b (head);
    PERFORM pg_notify('log', topic_name);
    RETURN QUERY
    UPDATE heads h SET next_offset = h.next_offset + n.added
    FROM unnest(head_partitions, head_counts) AS n (partition, added)
    WHERE h.topic = topic_number AND h.partition = n.partition
    RETURNING h.partition, h.next_offset - n.added;
END $$;

-- §
DROP FUNCTION decisions.append(
    text[], int[], int[], int[], text[], int[], int[], int[], text[], text[], text[], bytea[]
);

-- § One flush of decisions. Each item is one stream's events at its expected version, under guards
-- on the versions of other streams; an item is appended whole or not at all, and has its verdict:
-- 'appended', 'conflict' (a version is not the expected one) or 'duplicate' (an id is here already).
-- The caller puts a stream into a flush at most once, and never one that another item guards on.
-- Items and events count from 1, and events come in the order of their items; a line is the headers
-- of one event. Joins are pinned to nested loops over the indexes: a plan cached while the tables
-- were small would otherwise scan them when they are large.
CREATE FUNCTION decisions.append(
    item_streams text[], item_versions int[], item_sizes int[],
    guard_items int[], guard_streams text[], guard_versions int[],
    event_sources text[], event_ids text[], header_lines text, contents bytea[]
) RETURNS TABLE (item int, verdict text, first_position bigint)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = decisions SET enable_hashjoin = off SET enable_mergejoin = off SET enable_seqscan = off
AS $$
DECLARE
    start bigint;
    added bigint;
    verdicts text[];
    -- Of each item: the number of its first event in the flush, and, when it is appended, what makes
    -- that number a position.
    starts bigint[];
    shifts bigint[];
BEGIN
    -- The lock first, then the checks: in one statement the checks would see a snapshot older than
    -- the lock and pass on what another writer has just changed.
    SELECT h.next_position INTO start FROM head h FOR UPDATE;
    SELECT array_agg(n.start ORDER BY n.nth) INTO starts
    FROM (
        SELECT w.nth, 1 + sum(w.size) OVER (ORDER BY w.nth) - w.size AS start
        FROM unnest(item_sizes) WITH ORDINALITY AS w (size, nth)
    ) n;
    WITH known AS (
        SELECT width_bucket(e.nth, starts) AS i
        FROM unnest(event_sources, event_ids) WITH ORDINALITY AS e (source, id, nth)
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

    -- Positions are gapless: what is not appended moves those behind it up.
    SELECT array_agg(
        CASE WHEN n.appended THEN n.before - starts[n.nth] END ORDER BY n.nth)
    INTO shifts
    FROM (
        SELECT w.nth, w.verdict = 'appended' AS appended,
               start + coalesce(sum(w.size) FILTER (WHERE w.verdict = 'appended') OVER (
                   ORDER BY w.nth ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0) AS before
        FROM unnest(item_sizes, verdicts) WITH ORDINALITY AS w (size, verdict, nth)
    ) n;

    INSERT INTO events (position, stream, version, source, id, headers, data)
    SELECT shifts[i.item] + e.nth, item_streams[i.item],
           item_versions[i.item] + e.nth - starts[i.item] + 1, e.source, e.id, e.headers, e.data
    FROM unnest(event_sources, event_ids, string_to_array(header_lines, E'\n'), contents)
         WITH ORDINALITY AS e (source, id, headers, data, nth)
    CROSS JOIN LATERAL (VALUES (width_bucket(e.nth, starts))) AS i (item)
    WHERE shifts[i.item] IS NOT NULL;
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
    SELECT n, verdicts[n], shifts[n] + starts[n] FROM generate_subscripts(item_streams, 1) AS n;
END $$;

-- §
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA log, decisions FROM PUBLIC;

-- §
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA log TO kamkap_ingest, kamkap_relay, kamkap_operator;

-- §
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA decisions TO kamkap_timers, kamkap_api, kamkap_operator;
