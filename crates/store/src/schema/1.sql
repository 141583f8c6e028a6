CREATE TABLE calls (
    id INTEGER PRIMARY KEY,
    -- Outbox number of the writing that stands here.
    number INTEGER NOT NULL,
    tenant TEXT NOT NULL,
    trunk TEXT NOT NULL,
    from_number TEXT NOT NULL,
    to_number TEXT NOT NULL,
    sip_call_id TEXT NOT NULL,
    agent_sip_call_id TEXT,
    outcome TEXT NOT NULL,
    ended_by TEXT NOT NULL,
    cause INTEGER NOT NULL,
    queue TEXT,
    agent TEXT,
    offers INTEGER NOT NULL,
    admitted_ms INTEGER NOT NULL,
    wait_ms INTEGER,
    ring_ms INTEGER,
    talk_ms INTEGER,
    total_ms INTEGER NOT NULL,
    wrap_ms INTEGER,
    disposition TEXT
) STRICT;

-- Each ends in the order of paging; the primary key follows by itself.
CREATE INDEX calls_by_time ON calls (admitted_ms);
CREATE INDEX calls_by_tenant ON calls (tenant, admitted_ms);
CREATE INDEX calls_by_queue ON calls (queue, admitted_ms);
CREATE INDEX calls_by_agent ON calls (agent, admitted_ms);
CREATE INDEX calls_by_from ON calls (from_number, admitted_ms);
CREATE INDEX calls_by_to ON calls (to_number, admitted_ms);
CREATE INDEX calls_by_sip ON calls (sip_call_id);
CREATE INDEX calls_by_agent_sip ON calls (agent_sip_call_id) WHERE agent_sip_call_id IS NOT NULL;
CREATE INDEX calls_by_outcome ON calls (tenant, outcome);

-- How far each shard's outbox has been projected.
CREATE TABLE cursors (
    shard INTEGER PRIMARY KEY,
    number INTEGER NOT NULL
) STRICT;
