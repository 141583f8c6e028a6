//! Block lists: numbers that nobody dials, and callers that nobody takes; of everybody or of one tenant.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};
use strowger_cluster::Context;
use strowger_config::Fault;
use strowger_dialer::read_number;
use strowger_model::E164;
use strowger_table::{BarList, Scope};

use crate::body::{Body, Params};
use crate::caller::{Asker, Caller};
use crate::error::Problem;
use crate::limit;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Asked {
    tenant: Option<String>,
    limit: Option<usize>,
    after: Option<String>,
}

#[derive(Serialize)]
pub struct Barred {
    numbers: Vec<String>,
    /// What to give as `after` for the next page; null on the last.
    next: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wish {
    /// None: for everybody.
    tenant: Option<String>,
    numbers: Vec<String>,
    /// Takes the numbers off the list.
    #[serde(default)]
    lift: bool,
}

#[derive(Serialize)]
pub struct Done {
    /// By every shard that must know of it.
    committed: bool,
    numbers: usize,
}

/// `GET /api/v1/do-not-call`
pub async fn do_not_call(
    State(context): State<Arc<Context>>,
    Extension(caller): Asker,
    Params(asked): Params<Asked>,
) -> Result<Json<Barred>, Problem> {
    list(&context, &caller, BarList::DoNotCall, asked)
}

/// `GET /api/v1/barred-callers`
pub async fn barred_callers(
    State(context): State<Arc<Context>>,
    Extension(caller): Asker,
    Params(asked): Params<Asked>,
) -> Result<Json<Barred>, Problem> {
    list(&context, &caller, BarList::Callers, asked)
}

/// `POST /api/v1/do-not-call`
pub async fn change_do_not_call(
    State(context): State<Arc<Context>>,
    Extension(caller): Asker,
    Body(wish): Body<Wish>,
) -> Result<Json<Done>, Problem> {
    change(&context, &caller, BarList::DoNotCall, wish).await
}

/// `POST /api/v1/barred-callers`
pub async fn change_barred_callers(
    State(context): State<Arc<Context>>,
    Extension(caller): Asker,
    Body(wish): Body<Wish>,
) -> Result<Json<Done>, Problem> {
    change(&context, &caller, BarList::Callers, wish).await
}

fn list(context: &Context, caller: &Caller, list: BarList, asked: Asked) -> Result<Json<Barred>, Problem> {
    let most = asked.limit.unwrap_or(limit::BARS_DEFAULT);
    if !(1..=limit::BARS_MAX).contains(&most) {
        let advice = format!("give 1 to {}, and `after` for the next page", limit::BARS_MAX);
        return Err(Problem::bad_request(format!("`limit` is {most}"), advice));
    }
    let after = asked.after.as_deref().map(str::parse::<E164>).transpose().map_err(|fault| {
        Problem::bad_request(fault.to_string(), "give the last number of the page before, with %2B for its +")
    })?;
    let numbers = context.bars(list, scope(context, caller, asked.tenant)?, after, most);
    let next = numbers.last().filter(|_| numbers.len() == most).map(E164::to_string);
    Ok(Json(Barred { numbers: numbers.iter().map(E164::to_string).collect(), next }))
}

async fn change(context: &Context, caller: &Caller, list: BarList, mut wish: Wish) -> Result<Json<Done>, Problem> {
    let scope = scope(context, caller, wish.tenant.take())?;
    if wish.numbers.is_empty() {
        return Err(Problem::bad_request("`numbers` is empty", "name at least one number"));
    }
    if wish.numbers.len() > limit::NUMBERS_PER_BAR {
        let what = format!("`numbers` has {}, and the limit is {}", wish.numbers.len(), limit::NUMBERS_PER_BAR);
        return Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too_many_numbers", what, "send them in parts"));
    }
    let numbers = read(list, &wish)?;
    let done = Done { committed: true, numbers: numbers.len() };
    context.bar(list, scope, numbers, wish.lift).await?;
    Ok(Json(done))
}

/// Everybody's list is not for who has a token of one tenant.
fn scope(context: &Context, caller: &Caller, asked: Option<String>) -> Result<Scope, Problem> {
    let Some(name) = caller.narrowed(asked)? else { return Ok(Scope::Everyone) };
    let directory = context.directory();
    let tenant = directory.tenant_named(&name).ok_or_else(|| Problem::no_such_tenant(&name))?;
    Ok(Scope::Tenant(tenant.id))
}

/// All of them or none: who reads "barred" must be able to rely on it.
fn read(list: BarList, wish: &Wish) -> Result<Vec<E164>, Problem> {
    // Callers show numbers that no plan has, and these are worth barring; what is lifted was barred by older rules.
    let plan_counts = list == BarList::DoNotCall && !wish.lift;
    let (mut numbers, mut faults) = (Vec::new(), Vec::new());
    for (at, text) in wish.numbers.iter().enumerate() {
        let as_written = || text.trim().parse().ok().filter(|_| !plan_counts);
        match read_number(text) {
            Ok(number) => numbers.push(number),
            Err(why) => match as_written() {
                Some(number) => numbers.push(number),
                None => faults.push(fault(at, text, &why)),
            },
        }
    }
    numbers.sort_unstable();
    numbers.dedup();
    if faults.is_empty() { Ok(numbers) } else { Err(Problem::bad_numbers(faults)) }
}

fn fault(at: usize, text: &str, why: &dyn std::fmt::Display) -> Fault {
    let shown: String = text.chars().take(limit::WORD).filter(|c| !c.is_control()).collect();
    Fault {
        file: "numbers".to_owned(),
        line: Some(at + 1),
        column: None,
        what: format!("`{shown}`: {why}"),
        fix: "correct it or take it out".to_owned(),
    }
}
