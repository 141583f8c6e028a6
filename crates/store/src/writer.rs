//! The thread that writes: the only connection with the right to, so transactions never wait for each other's locks.

use std::cell::RefCell;
use std::path::PathBuf;
use std::sync::{Arc, mpsc};
use std::thread;

use rusqlite::{Connection, Statement, TransactionBehavior, named_params};
use strowger_model::{AgentId, LogTime, QueueId, ShardId};
use strowger_table::{Act, Record};
use tokio::sync::oneshot;

use crate::filter::whole;
use crate::{Names, SegmentLine, StoreError, act};

pub(crate) const PROJECTING: &str = "projecting call records";

/// What is written in one transaction, and who waits for it.
pub(crate) struct Batch {
    pub what: What,
    pub names: Arc<Names>,
    pub reply: oneshot::Sender<Result<u64, StoreError>>,
}

pub(crate) enum What {
    /// Of one shard, in the order of its outbox.
    Records(ShardId, Vec<(u64, Arc<Record>)>),
    /// Of the control group, by the index of the entry that wrote them last.
    Acts(Vec<(u64, Arc<Act>)>),
}

/// What the thread is given to do, in its order.
pub(crate) enum Work {
    Project(Batch),
    /// Names by id, for records to come.
    Remember(Vec<(String, String)>),
}

/// Starts the thread; it ends, and closes the file, when the last sender is gone.
#[expect(clippy::disallowed_methods, reason = "who projects waits for a batch before the next, one of each shard")]
pub(crate) fn start(path: PathBuf, mut connection: Connection) -> std::io::Result<mpsc::Sender<Work>> {
    let (work, backlog) = mpsc::channel::<Work>();
    thread::Builder::new().name("records".to_owned()).spawn(move || {
        for work in backlog {
            let batch = match work {
                Work::Project(batch) => batch,
                Work::Remember(names) => {
                    if let Err(fault) = remember(&mut connection, &names) {
                        tracing::warn!(path = %path.display(), %fault, "names for call records are not kept");
                    }
                    continue;
                }
            };
            let done = match &batch.what {
                What::Records(shard, records) => project(&mut connection, *shard, records, &batch.names),
                What::Acts(acts) => act::project(&mut connection, acts, &batch.names),
            };
            let done = done.map_err(|fault| StoreError::new(&path, PROJECTING, fault));
            if let Err(fault) = &done {
                tracing::warn!("{fault}");
            }
            // Whoever asked may have stopped waiting; what is written stays written.
            let _ = batch.reply.send(done);
        }
    })?;
    Ok(work)
}

fn remember(connection: &mut Connection, names: &[(String, String)]) -> rusqlite::Result<()> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let mut insert = transaction.prepare("INSERT OR REPLACE INTO names (id, name) VALUES (?1, ?2)")?;
    for name in names {
        insert.execute((&name.0, &name.1))?;
    }
    drop(insert);
    transaction.commit()
}

/// All records and the cursor or nothing: after a crash the cursor never claims what is not there.
fn project(
    connection: &mut Connection,
    shard: ShardId,
    records: &[(u64, Arc<Record>)],
    names: &Names,
) -> rusqlite::Result<u64> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let mut upsert = transaction.prepare_cached(UPSERT)?;
    let mut remembered = transaction.prepare_cached("SELECT name FROM names WHERE id = ?1")?;
    for (number, record) in records {
        write((&mut upsert, &mut remembered), *number, record, names)?;
    }
    drop((upsert, remembered));
    let newest = records.iter().map(|(number, _)| *number).max().unwrap_or_default();
    let cursor = transaction.prepare_cached(MOVE_CURSOR)?.query_row((shard.0, whole(newest)), |row| row.get(0))?;
    transaction.commit()?;
    Ok(cursor)
}

pub(crate) const MOVE_CURSOR: &str = "
    INSERT INTO cursors (shard, number) VALUES (?1, ?2)
    ON CONFLICT (shard) DO UPDATE SET number = max(number, excluded.number) RETURNING number";

/// `COALESCE` keeps what an earlier writing knew: the second one adds, it never takes away. A name that the
/// configuration has dropped since is kept too, or remembered; an id stands in only where no name was ever known.
const UPSERT: &str = "
    INSERT INTO calls (id, number, tenant, trunk, from_number, to_number, sip_call_id, agent_sip_call_id, outcome,
        ended_by, cause, queue, agent, offers, admitted_ms, wait_ms, ring_ms, talk_ms, total_ms, wrap_ms, disposition,
        campaign, lead, dial_result, sip_status, into_call, segments)
    VALUES (:id, :number, coalesce(:tenant, (SELECT name FROM names WHERE id = :tenant_id), :tenant_id),
        coalesce(:trunk, (SELECT name FROM names WHERE id = :trunk_id), :trunk_id), :from, :to, :sip_call_id,
        :agent_sip_call_id, :outcome, :by, :cause,
        coalesce(:queue, (SELECT name FROM names WHERE id = :queue_id), :queue_id),
        coalesce(:agent, (SELECT name FROM names WHERE id = :agent_id), :agent_id), :offers,
        :admitted, :wait, :ring, :talk, :total, :wrap, :disposition,
        coalesce(:campaign, (SELECT name FROM names WHERE id = :campaign_id), :campaign_id), :lead, :dial_result, :sip_status, :into, :segments)
    ON CONFLICT (id) DO UPDATE SET
        number = excluded.number,
        tenant = coalesce(:tenant, tenant),
        trunk = coalesce(:trunk, trunk),
        from_number = excluded.from_number,
        to_number = excluded.to_number,
        sip_call_id = coalesce(nullif(excluded.sip_call_id, ''), sip_call_id),
        agent_sip_call_id = coalesce(excluded.agent_sip_call_id, agent_sip_call_id),
        outcome = excluded.outcome,
        ended_by = excluded.ended_by,
        cause = excluded.cause,
        queue = coalesce(:queue, queue, excluded.queue),
        agent = coalesce(:agent, agent, excluded.agent),
        offers = excluded.offers,
        admitted_ms = excluded.admitted_ms,
        wait_ms = coalesce(excluded.wait_ms, wait_ms),
        ring_ms = coalesce(excluded.ring_ms, ring_ms),
        talk_ms = coalesce(excluded.talk_ms, talk_ms),
        total_ms = excluded.total_ms,
        wrap_ms = coalesce(excluded.wrap_ms, wrap_ms),
        disposition = coalesce(excluded.disposition, disposition),
        campaign = coalesce(:campaign, campaign, excluded.campaign),
        lead = excluded.lead,
        dial_result = excluded.dial_result,
        sip_status = excluded.sip_status,
        into_call = excluded.into_call,
        segments = excluded.segments
    WHERE excluded.number >= calls.number";

fn write(
    (upsert, remembered): (&mut Statement<'_>, &mut Statement<'_>),
    number: u64,
    record: &Record,
    names: &Names,
) -> rusqlite::Result<()> {
    let segments = segments(record, names, remembered)?;
    upsert.execute(named_params! {
        ":id": record.call.0.cast_signed(),
        ":number": whole(number),
        ":tenant": names.tenants.get(&record.tenant),
        ":tenant_id": record.tenant.to_string(),
        ":trunk": record.trunk.and_then(|trunk| names.trunks.get(&trunk)),
        ":trunk_id": record.trunk.map(|trunk| trunk.to_string()).unwrap_or_default(),
        ":from": record.from,
        ":to": record.to,
        ":sip_call_id": record.sip_call_id,
        ":agent_sip_call_id": record.agent_sip_call_id,
        ":outcome": record.outcome.as_str(),
        ":by": record.ended.by.as_str(),
        ":cause": record.ended.cause.0,
        ":queue": record.queue.and_then(|queue| names.queues.get(&queue)),
        ":queue_id": record.queue.map(|queue| queue.to_string()),
        ":agent": record.agent.and_then(|agent| names.agents.get(&agent)),
        ":agent_id": record.agent.map(|agent| agent.to_string()),
        ":offers": record.offers,
        ":admitted": whole(record.admitted.0),
        ":wait": record.wait_ms.map(whole),
        ":ring": record.ring_ms.map(whole),
        ":talk": record.talk_ms.map(whole),
        ":total": whole(record.total_ms),
        ":wrap": record.wrap_ms.map(whole),
        ":disposition": record.disposition,
        ":campaign": record.dial.and_then(|dial| names.campaigns.get(&dial.campaign)),
        ":campaign_id": record.dial.map(|dial| dial.campaign.to_string()),
        ":lead": record.dial.and_then(|dial| dial.lead).map(|lead| lead.to_string()),
        ":dial_result": record.dial.map(|dial| dial.result.as_str()),
        ":sip_status": record.dial.map(|dial| dial.status),
        ":into": record.into.map(|into| into.to_string()),
        ":segments": segments,
    })?;
    Ok(())
}

/// The story as JSON, with names as they are now, or were.
fn segments(record: &Record, names: &Names, remembered: &mut Statement<'_>) -> rusqlite::Result<String> {
    let wall = |at: LogTime| record.admitted.0 + at.since(record.began).as_millis() as u64;
    let remembered = RefCell::new(remembered);
    let was = |id: String| {
        let name = remembered.borrow_mut().query_row([&id], |row| row.get(0));
        name.unwrap_or(id)
    };
    let queue = |id: QueueId| names.queues.get(&id).cloned().unwrap_or_else(|| was(id.to_string()));
    let agent = |id: AgentId| names.agents.get(&id).cloned().unwrap_or_else(|| was(id.to_string()));
    let lines: Vec<_> =
        record.segments.iter().map(|segment| SegmentLine::new(segment, &wall, &queue, &agent)).collect();
    serde_json::to_string(&lines).map_err(|fault| rusqlite::Error::ToSqlConversionFailure(Box::new(fault)))
}
