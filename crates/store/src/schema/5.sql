-- What was done through the API: the audit log. Its cursor stands beside the shards' as shard -1.
CREATE TABLE acts (
    -- Index of its entry in the control group.
    id INTEGER PRIMARY KEY,
    at_ms INTEGER NOT NULL,
    node INTEGER NOT NULL,
    who TEXT NOT NULL,
    -- Of the token; null: the whole cluster.
    tenant TEXT,
    what TEXT NOT NULL,
    asked TEXT NOT NULL,
    from_address TEXT NOT NULL,
    -- Null: nobody knows what it came to.
    status INTEGER,
    told TEXT
) STRICT;
-- Each ends in the order of paging: the primary key follows by itself.
CREATE INDEX acts_by_time ON acts (at_ms);
CREATE INDEX acts_by_tenant ON acts (tenant) WHERE tenant IS NOT NULL;
CREATE INDEX acts_by_who ON acts (who);
