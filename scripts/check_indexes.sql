-- Which indexes are missing, unused or bloated, with the statement that mends each. Nothing is changed.
-- Run it:  docker exec ace-db psql -U ace -f scripts/check_indexes.sql
\pset pager off
\pset null '-'

\echo
\echo '== Indexes this release relies on =='
WITH wanted(name, on_table, remedy) AS (VALUES
    ('idx_playbook_bullets_domain_stage', 'playbook_bullets',
     'CREATE INDEX CONCURRENTLY IF NOT EXISTS idx_playbook_bullets_domain_stage ON playbook_bullets(domain_id, stage);'),
    ('idx_playbook_bullets_domain_born', 'playbook_bullets',
     'CREATE INDEX CONCURRENTLY IF NOT EXISTS idx_playbook_bullets_domain_born ON playbook_bullets(domain_id, born_seq);'),
    ('idx_playbook_bullets_section', 'playbook_bullets',
     'CREATE INDEX CONCURRENTLY IF NOT EXISTS idx_playbook_bullets_section ON playbook_bullets(section) WHERE section IS NOT NULL;'),
    ('idx_episodes_state_due', 'episodes',
     'CREATE INDEX CONCURRENTLY IF NOT EXISTS idx_episodes_state_due ON episodes(state, due_at);'),
    ('idx_assignments_state_due', 'assignments',
     'CREATE INDEX CONCURRENTLY IF NOT EXISTS idx_assignments_state_due ON assignments(state, due_at);'),
    ('idx_assignments_run', 'assignments',
     'CREATE INDEX CONCURRENTLY IF NOT EXISTS idx_assignments_run ON assignments(domain_id, run_id, state);'),
    ('idx_review_items_domain_state', 'review_items',
     'CREATE INDEX CONCURRENTLY IF NOT EXISTS idx_review_items_domain_state ON review_items(domain_id, state, created_at);')
)
SELECT wanted.name AS index,
       wanted.on_table AS "table",
       CASE WHEN index.indexrelid IS NULL THEN 'MISSING'
            WHEN NOT index.indisvalid THEN 'INVALID'
            ELSE 'exists' END AS status,
       CASE WHEN index.indexrelid IS NULL THEN wanted.remedy
            WHEN NOT index.indisvalid THEN 'REINDEX INDEX CONCURRENTLY ' || wanted.name || ';'
       END AS remedy
FROM wanted
LEFT JOIN pg_class AS class ON class.relname = wanted.name AND class.relkind = 'i' AND pg_table_is_visible(class.oid)
LEFT JOIN pg_index AS index ON index.indexrelid = class.oid AND index.indrelid = to_regclass(wanted.on_table)
ORDER BY wanted.name;

\echo '== Graphs of pgvector, one for each large domain (none: ACE_VECTOR_BACKEND is faiss, or no domain is large) =='
SELECT class.relname AS index,
       substring(pg_get_expr(index.indpred, index.indrelid) FROM '''([^'']+)''') AS domain,
       pg_size_pretty(pg_relation_size(class.oid)) AS size,
       CASE WHEN index.indisvalid THEN 'exists' ELSE 'INVALID' END AS status,
       CASE WHEN NOT index.indisvalid THEN 'DROP INDEX CONCURRENTLY ' || class.relname || ';' END AS remedy
FROM pg_index AS index
JOIN pg_class AS class ON class.oid = index.indexrelid
JOIN pg_am AS method ON method.oid = class.relam AND method.amname = 'hnsw'
WHERE index.indrelid = to_regclass('bullet_embeddings')
ORDER BY class.relname;

\echo '== Tables read from end to end more often than by an index (more than 10,000 rows) =='
SELECT relname AS "table", n_live_tup AS rows, seq_scan AS whole_reads, coalesce(idx_scan, 0) AS index_reads
FROM pg_stat_user_tables
WHERE n_live_tup > 10000 AND seq_scan > coalesce(idx_scan, 0)
ORDER BY seq_tup_read DESC;

\echo '== Indexes nobody has used since the statistics began (keys and constraints aside) =='
SELECT usage.indexrelname AS index, usage.relname AS "table",
       pg_size_pretty(pg_relation_size(usage.indexrelid)) AS size,
       coalesce((SELECT stats_reset::text FROM pg_stat_database WHERE datname = current_database()), 'always') AS since
FROM pg_stat_user_indexes AS usage
JOIN pg_index AS index USING (indexrelid)
WHERE usage.idx_scan = 0 AND NOT index.indisunique
ORDER BY pg_relation_size(usage.indexrelid) DESC, 1;

\echo '== Size of every index, and what it would take when made anew (an estimate; ANALYZE first) =='
WITH sizes AS (
    SELECT class.relname AS index, owner.relname AS "table", pg_relation_size(class.oid) AS bytes,
           (SELECT sum(coalesce(stats.avg_width, 8))
            FROM pg_attribute AS attribute
            LEFT JOIN pg_stats AS stats ON stats.schemaname = space.nspname
                AND stats.tablename = owner.relname AND stats.attname = attribute.attname
            WHERE attribute.attrelid = class.oid AND attribute.attnum > 0) AS width,
           greatest(class.reltuples, 0) AS entries
    FROM pg_index AS index
    JOIN pg_class AS class ON class.oid = index.indexrelid
    JOIN pg_class AS owner ON owner.oid = index.indrelid
    JOIN pg_namespace AS space ON space.oid = owner.relnamespace
    JOIN pg_am AS method ON method.oid = class.relam AND method.amname = 'btree'
    WHERE space.nspname = ANY (current_schemas(false))
), estimates AS (
    -- 8 bytes of header and 4 of line pointer an entry, padding to 8, pages filled to 90 %, one page of its own
    SELECT *, (8192 + entries * (12 + ceil(width / 8.0) * 8) / 0.9)::bigint AS expected FROM sizes
)
SELECT index, "table", pg_size_pretty(bytes) AS size, pg_size_pretty(expected) AS anew,
       CASE WHEN bytes > 1024 * 1024 AND bytes > 2 * expected THEN 'BLOATED' ELSE 'ok' END AS status,
       CASE WHEN bytes > 1024 * 1024 AND bytes > 2 * expected
            THEN 'REINDEX INDEX CONCURRENTLY ' || quote_ident(index) || ';' END AS remedy
FROM estimates
ORDER BY bytes DESC, index;
