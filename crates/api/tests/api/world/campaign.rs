//! A campaign on the example's tenant, and calls of it.

use std::time::Duration;

use axum::http::StatusCode;
use serde_json::{Value, json};
use strowger_model::config::{Campaign, DialMode, Hours, LeadColumns, Tenant, Trunk};
use strowger_model::{CallId, CampaignId, Far, LeadId, RelayId, ShardId, Wall};
use strowger_table::{Command, Dial, DialTo, Outcome};

use super::{ME, PATIENCE, World, example};

const EVERY_DAY: u8 = 0b111_1111;
const DAY_MIN: u16 = 24 * 60;
/// Has a phone that is always there.
pub const AGENT: &str = "1003";
pub const LEADS: &str = "/api/v1/campaigns/acme/spring/leads";

pub fn list(lines: &[&str]) -> String {
    format!("number,name,city\n{}\n", lines.join("\n"))
}

impl World {
    /// The example with the campaigns `spring`, which is progressive and stopped, and `desk`, which is manual; both may
    /// call at any hour.
    pub async fn with_campaigns() -> World {
        Self::start().await.having_campaigns(|_| ()).await
    }

    /// The same, with this change to their trunk.
    pub async fn having_campaigns(self, change: fn(&mut Trunk)) -> World {
        let world = self;
        world.apply(&example(), false).await;
        let directory = world.context.directory();
        let mut tenant = Tenant::clone(directory.tenant_named("acme").unwrap());
        let mut trunks = directory.trunks.to_vec();
        trunks[0].destination = Some(Far::udp(([127, 0, 0, 1], 9)));
        change(&mut trunks[0]);
        let spring = campaign(&tenant, 1, "spring", DialMode::Progressive, trunks[0].id);
        let desk = campaign(&tenant, 2, "desk", DialMode::Manual, trunks[0].id);
        tenant.campaigns = vec![spring, desk];
        let id = tenant.id;
        world.context.configure(2, vec![tenant], trunks).await.expect("a configuration");
        let there = async {
            while world.context.directory().tenant(id).is_none_or(|tenant| tenant.campaigns.len() < 2)
                || world.context.campaigns().len() < 2
            {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(PATIENCE, there).await.expect("the campaigns in time");
        world
    }

    /// Its first queue and its first campaign get names as long as may be; which they are.
    pub async fn lengthen_names(&self) -> (String, String) {
        let directory = self.context.directory();
        let mut tenant = Tenant::clone(directory.tenant_named("acme").unwrap());
        let (queue, campaign) = (format!("{:q<63}", "customer-service-"), format!("{:c<63}", "renewals-"));
        queue.clone_into(&mut tenant.queues[0].name);
        campaign.clone_into(&mut tenant.campaigns[0].name);
        self.context.configure(3, vec![tenant], directory.trunks.to_vec()).await.expect("a configuration");
        (queue, campaign)
    }

    /// Sends a part of a list.
    pub async fn import(&self, query: &str, text: impl Into<Vec<u8>>) -> (StatusCode, Value) {
        let (status, text) = self.text("POST", &format!("{LEADS}{query}"), Some(&self.admin), text.into()).await;
        (status, serde_json::from_str(&text).expect("JSON"))
    }

    pub async fn ready(&self) {
        let (status, body) = self.post(&format!("/api/v1/agents/acme/{AGENT}/ready"), &Value::Null).await;
        assert_eq!((status, body), (StatusCode::OK, json!({ "committed": true })));
    }

    /// Begins a call as the pacer would, to the first lead, by way of a relay that is not there.
    pub async fn dial_first_lead(&self) -> CallId {
        let agent = {
            let directory = self.context.directory();
            let tenant = directory.tenant_named("acme").unwrap();
            tenant.agents.iter().find(|agent| agent.name == AGENT).unwrap().id
        };
        // The only node is assigned the campaign a moment after that came into force.
        let owner = || {
            let view = self.context.shard_view(ShardId(0))?;
            view.machine.shard()?.campaign(CampaignId(1))?.owner
        };
        while owner().is_none() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let epoch = owner().map_or(0, |owner| owner.epoch);
        let dial = Dial {
            campaign: CampaignId(1),
            to: DialTo::Lead(LeadId::new(CampaignId(1), 0)),
            agent,
            owner: (ME, self.context.incarnation()),
            destination: Far::udp(([127, 0, 0, 1], 9)),
            relay: RelayId(9),
            agent_relay: RelayId(9),
            epoch,
            not_after: Wall(u64::MAX),
        };
        match self.context.command(ShardId(0), Command::Dial(Box::new(dial)), super::COMMIT).await {
            Ok(Outcome::Dialled { call }) => call,
            other => panic!("not dialled: {other:?}"),
        }
    }
}

fn campaign(tenant: &Tenant, id: u32, name: &str, mode: DialMode, trunk: strowger_model::TrunkId) -> Campaign {
    let agent = tenant.agents.iter().find(|agent| agent.name == AGENT).unwrap();
    Campaign {
        id: CampaignId(id),
        name: name.to_owned(),
        mode,
        queue: agent.queues[0],
        trunk,
        caller_id: "+493012345678".parse().unwrap(),
        ring_timeout_ms: 20_000,
        keep_idle: 0,
        start: false,
        max_attempts: 3,
        retries: Vec::new(),
        zone: Some("Europe/Berlin".to_owned()),
        hours: vec![Hours { days: EVERY_DAY, from_min: 0, to_min: DAY_MIN }],
        columns: LeadColumns { number: "number".to_owned(), zone: Some("zone".to_owned()) },
    }
}
