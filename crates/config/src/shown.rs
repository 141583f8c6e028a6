//! A configuration that is or was in force, written as its files are, as far as the cluster has it.
//!
//! Names and limits are as they were written or taken by default. What the cluster does not keep is written otherwise:
//! steps have their numbers for names, prompts the SHA-256 of their content, and of a password only the data key is there
//! that it is sealed under, in a key that no file may have: so that nobody applies such a file with passwords lost.

use std::fmt::Write as _;

use strowger_model::Digest;
use strowger_model::config::{Agent, Campaign, Flow, Phone, Queue, Step, StepNo, Tenant, Trunk};
use toml::Value;

use crate::diff::{destination_text, digest_text, flow_name, queue_name, source_text, trunk_name};
use crate::hours::written;

/// What stands in place of a password.
const SEALED_UNDER: &str = "sealed_under";

/// `tenants/NAME.toml`, with the trunks that its campaigns name.
pub fn tenant_file(tenant: &Tenant, trunks: &[Trunk]) -> String {
    let mut page = Page::default();
    page.put("name", &*tenant.name);
    page.put("realm", &*tenant.realm);
    page.put("digest", digest_text(tenant));
    page.put("takes_anonymous", tenant.takes_anonymous);
    for number in &tenant.numbers {
        page.head("[[number]]");
        page.put("number", &*number.number);
        page.put("flow", flow_name(tenant, number.flow));
    }
    tenant.flows.iter().for_each(|flow| page.flow(flow, tenant));
    tenant.queues.iter().for_each(|queue| page.queue(queue));
    tenant.agents.iter().for_each(|agent| page.agent(agent, tenant));
    tenant.campaigns.iter().for_each(|campaign| page.campaign(campaign, tenant, trunks));
    page.0
}

/// `trunks.toml`
pub fn trunks_file(trunks: &[Trunk]) -> String {
    let mut page = Page::default();
    for trunk in trunks {
        page.head("[[trunk]]");
        page.put("name", &*trunk.name);
        page.put("sources", trunk.sources.iter().map(source_text).collect::<Vec<_>>());
        page.put("max_calls_per_second", trunk.max_calls_per_second);
        page.put("max_calls", trunk.max_calls);
        if trunk.destination.is_some() {
            page.put("destination", destination_text(trunk.destination));
        }
        page.put("max_dials_per_second", trunk.max_dials_per_second);
        page.site(&trunk.site);
    }
    page.0
}

/// The text of a file, as far as it is written.
#[derive(Default)]
struct Page(String);

impl Page {
    fn head(&mut self, head: &str) {
        let space = if self.0.is_empty() { "" } else { "\n" };
        let _written = writeln!(self.0, "{space}{head}");
    }

    fn put(&mut self, key: &str, value: impl Into<Value>) {
        let _written = writeln!(self.0, "{key} = {}", value.into());
    }

    fn site(&mut self, site: &str) {
        if !site.is_empty() {
            self.put("site", site);
        }
    }

    fn flow(&mut self, flow: &Flow, tenant: &Tenant) {
        self.head("[[flow]]");
        self.put("name", &*flow.name);
        for (no, step) in (0..).zip(&flow.steps) {
            self.head("[[flow.step]]");
            self.put("name", step_name(no));
            match step {
                Step::Play { prompt, next } => {
                    self.put("play", prompt_path(*prompt));
                    self.put("next", step_name(*next));
                }
                Step::Menu { prompt, choices, timeout_ms, tries, otherwise } => {
                    self.put("menu", prompt_path(*prompt));
                    let choices = choices.iter().map(|(key, to)| (key.to_string(), Value::from(step_name(*to))));
                    self.put("choices", choices.collect::<toml::Table>());
                    self.put("timeout_ms", *timeout_ms);
                    self.put("tries", i64::from(*tries));
                    self.put("otherwise", step_name(*otherwise));
                }
                Step::Enqueue { queue, overflow } => {
                    self.put("queue", queue_name(tenant, *queue));
                    if let Some(overflow) = overflow {
                        self.put("overflow", step_name(*overflow));
                    }
                }
                Step::HangUp => self.put("hang_up", true),
            }
        }
    }

    fn queue(&mut self, queue: &Queue) {
        self.head("[[queue]]");
        self.put("name", &*queue.name);
        self.put("strategy", queue.strategy.as_str());
        self.put("music", prompt_path(queue.music));
        self.put("ring_timeout_ms", queue.ring_timeout_ms);
        self.put("wrap_up_ms", queue.wrap_up_ms);
        self.put("max_misses", i64::from(queue.max_misses));
        self.put("miss_pause_ms", queue.miss_pause_ms);
        self.put("max_waiting", queue.max_waiting);
        self.put("max_wait_ms", queue.max_wait_ms);
        self.put("service_level_ms", queue.service_level_ms);
    }

    fn agent(&mut self, agent: &Agent, tenant: &Tenant) {
        self.head("[[agent]]");
        self.put("name", &*agent.name);
        match &agent.phone {
            Phone::Registers { ha1 } => self.put(SEALED_UNDER, ha1.key.to_string()),
            Phone::Static { uri, .. } => self.put("contact", &**uri),
        }
        self.put("queues", agent.queues.iter().map(|queue| queue_name(tenant, *queue)).collect::<Vec<_>>());
        self.put("ready_at_login", agent.ready_at_login);
        self.site(&agent.site);
    }

    fn campaign(&mut self, campaign: &Campaign, tenant: &Tenant, trunks: &[Trunk]) {
        self.head("[[campaign]]");
        self.put("name", &*campaign.name);
        self.put("mode", campaign.mode.as_str());
        self.put("queue", queue_name(tenant, campaign.queue));
        self.put("trunk", trunk_name(trunks, campaign.trunk));
        self.put("caller_id", campaign.caller_id.to_string());
        self.put("ring_timeout_ms", campaign.ring_timeout_ms);
        self.put("keep_idle", campaign.keep_idle);
        self.put("start", campaign.start);
        self.put("max_attempts", i64::from(campaign.max_attempts));
        let retries = campaign.retries.iter().map(|retry| (retry.result.to_string(), Value::from(retry.after_s)));
        self.put("retry_after_s", retries.collect::<toml::Table>());
        if let Some(zone) = &campaign.zone {
            self.put("zone", &**zone);
        }
        self.put("hours", campaign.hours.iter().map(written).collect::<Vec<_>>());
        let zone = campaign.columns.zone.iter().map(|zone| ("zone".to_owned(), Value::from(&**zone)));
        let columns = [("number".to_owned(), Value::from(&*campaign.columns.number))];
        self.put("columns", columns.into_iter().chain(zone).collect::<toml::Table>());
    }
}

/// By its place, from 1 on, as changes name it.
fn step_name(no: StepNo) -> String {
    (u32::from(no) + 1).to_string()
}

/// Its file's name is not kept.
fn prompt_path(prompt: Digest) -> String {
    format!("{prompt}.wav")
}
