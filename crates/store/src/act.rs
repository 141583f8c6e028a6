//! The audit log: acts as they are written and read.

use std::sync::Arc;

use rusqlite::types::Value;
use rusqlite::{Connection, Row, Statement, TransactionBehavior, named_params};
use strowger_table::Act;

use crate::filter::whole;
use crate::time::rfc3339;
use crate::writer::MOVE_CURSOR;
use crate::{Names, limit};

/// Where the cursor of the audit log stands among those of shards.
pub(crate) const CURSOR: i64 = -1;

/// Which acts are asked for. Everything that is set must hold.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ActFilter {
    /// Name of the tenant whose tokens did it.
    pub tenant: Option<String>,
    /// Name of the token.
    pub who: Option<String>,
    /// At or after, in milliseconds since the Unix epoch.
    pub since_ms: Option<u64>,
    /// Before, in milliseconds since the Unix epoch.
    pub until_ms: Option<u64>,
    /// Only acts with a smaller number: the last of the page before.
    pub before: Option<u64>,
    /// How many lines; at most `limit::LINES_MAX` whatever is said.
    pub limit: u32,
}

/// One act as people see it.
#[derive(Clone, PartialEq, Eq, Debug, serde::Serialize)]
pub struct ActLine {
    /// Its number; later acts have greater ones.
    pub act: u64,
    /// RFC 3339, UTC.
    pub at: String,
    /// Name of the token.
    pub token: String,
    /// The tenant that the token is for; none: the whole cluster.
    pub tenant: Option<String>,
    /// Method and path.
    pub what: String,
    /// The beginning of the body, or how long it was.
    pub asked: String,
    /// IP address.
    pub from: String,
    /// The node that was asked.
    pub node: u16,
    /// HTTP status of the answer; none: nobody knows, it may have taken effect.
    pub status: Option<u16>,
    /// An error's code, or what was made.
    pub told: Option<String>,
}

impl ActFilter {
    pub(crate) fn query(&self) -> (String, Vec<Value>) {
        let mut conditions = vec!["TRUE"];
        let mut values = Vec::new();
        for (condition, text) in [("tenant = ?", &self.tenant), ("who = ?", &self.who)] {
            let Some(text) = text else { continue };
            conditions.push(condition);
            values.push(Value::from(text.clone()));
        }
        for (condition, number) in
            [("at_ms >= ?", self.since_ms), ("at_ms < ?", self.until_ms), ("id < ?", self.before)]
        {
            let Some(number) = number else { continue };
            conditions.push(condition);
            values.push(Value::from(whole(number)));
        }
        let query = format!(
            "SELECT id, at_ms, who, tenant, what, asked, from_address, node, status, told FROM acts WHERE {} \
             ORDER BY id DESC LIMIT {}",
            conditions.join(" AND "),
            self.limit.min(limit::LINES_MAX)
        );
        (query, values)
    }
}

impl ActLine {
    pub(crate) fn from_row(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            act: row.get(0)?,
            at: rfc3339(row.get(1)?),
            token: row.get(2)?,
            tenant: row.get(3)?,
            what: row.get(4)?,
            asked: row.get(5)?,
            from: row.get(6)?,
            node: row.get(7)?,
            status: row.get(8)?,
            told: row.get(9)?,
        })
    }
}

/// All acts and the cursor or nothing. What is older than `limit::ACTS_KEPT` before the youngest of them goes.
pub(crate) fn project(connection: &mut Connection, acts: &[(u64, Arc<Act>)], names: &Names) -> rusqlite::Result<u64> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let mut upsert = transaction.prepare_cached(UPSERT)?;
    acts.iter().try_for_each(|(_, act)| write(&mut upsert, act, names))?;
    drop(upsert);
    let youngest = acts.iter().map(|(_, act)| act.at.0).max().unwrap_or_default();
    let oldest = youngest.saturating_sub(limit::ACTS_KEPT.as_millis() as u64);
    transaction.execute("DELETE FROM acts WHERE at_ms < ?1", [whole(oldest)])?;
    let newest = acts.iter().map(|(index, _)| *index).max().unwrap_or_default();
    let cursor = transaction.prepare_cached(MOVE_CURSOR)?.query_row((CURSOR, whole(newest)), |row| row.get(0))?;
    transaction.commit()?;
    Ok(cursor)
}

/// A result that is known stays, whatever is said again.
const UPSERT: &str = "
    INSERT INTO acts (id, at_ms, node, who, tenant, what, asked, from_address, status, told)
    VALUES (:id, :at, :node, :who, :tenant, :what, :asked, :from, :status, :told)
    ON CONFLICT (id) DO UPDATE SET status = coalesce(status, excluded.status), told = coalesce(told, excluded.told)";

fn write(upsert: &mut Statement<'_>, act: &Act, names: &Names) -> rusqlite::Result<()> {
    let tenant = act.intent.tenant.map(|id| names.tenants.get(&id).cloned().unwrap_or_else(|| id.to_string()));
    upsert.execute(named_params! {
        ":id": whole(act.id),
        ":at": whole(act.at.0),
        ":node": act.intent.node.0,
        ":who": act.intent.who,
        ":tenant": tenant,
        ":what": act.intent.what,
        ":asked": act.intent.asked,
        ":from": act.intent.from,
        ":status": act.result.as_ref().map(|result| result.status),
        ":told": act.result.as_ref().map(|result| &result.told),
    })?;
    Ok(())
}
