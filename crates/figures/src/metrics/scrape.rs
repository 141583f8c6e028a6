//! What a node tells Prometheus besides its counters: made at each scrape from the table and from what the node's parts
//! count themselves.

use strowger_model::NodeId;
use strowger_table::{Agent, Call, RowKey};

use super::families::{Families, Sample};
use crate::campaigns::{CampaignFigures, CampaignStatus};
use crate::overview::{Archive, GroupStatus};
use crate::sums::{Counts, QueueStatus, ShardSums};

/// How long something took, in buckets of the counter's own; the last count is of what lies above all bounds.
pub struct Distribution<'a> {
    /// Upper bounds in microseconds.
    pub bounds_us: &'a [u64],
    /// One more than bounds.
    pub counts: &'a [u64],
    /// Of all together, in microseconds.
    pub sum_us: u64,
}

/// One metric of a queue: name, help, value.
type OfQueue = (&'static str, &'static str, fn(&QueueStatus) -> f64);
/// One metric of a campaign: name, help, value.
type OfCampaign = (&'static str, &'static str, fn(&CampaignFigures) -> f64);

const OF_QUEUES: [OfQueue; 4] = [
    ("strowger_queue_waiting", "Callers who wait to be offered.", |queue| queue.waiting as f64),
    ("strowger_queue_called_waiting", "Called parties who answered and wait to be offered again.", |queue| {
        queue.called_waiting as f64
    }),
    ("strowger_queue_longest_wait_seconds", "How long the first of them has waited.", |queue| {
        queue.longest_wait.as_secs_f64()
    }),
    ("strowger_queue_idle_agents", "Agents free for an offer from the queue.", |queue| queue.idle as f64),
];

const OF_CAMPAIGNS: [OfCampaign; 7] = [
    ("strowger_campaign_running", "1 while the campaign dials.", |campaign| f64::from(u8::from(campaign.running))),
    ("strowger_campaign_leads", "Leads on its list.", |campaign| f64::from(campaign.leads)),
    ("strowger_campaign_leads_done", "Leads that are not dialled any more.", |campaign| f64::from(campaign.done)),
    ("strowger_campaign_leads_barred", "Leads on a do-not-call list that would be dialled else.", |campaign| {
        campaign.barred as f64
    }),
    ("strowger_campaign_reserved", "Agents kept for the answer of a called party.", |campaign| {
        campaign.reserved as f64
    }),
    ("strowger_campaign_ringing", "Called parties whose phones ring.", |campaign| campaign.ringing as f64),
    ("strowger_campaign_talking", "Answered calls.", |campaign| campaign.talking as f64),
];

impl Families {
    /// Calls, agents and stuck leases, by shard.
    pub fn shards(&mut self, shards: &[ShardSums]) {
        let mut by = |name, help, label, names: &[&str], of: &dyn Fn(&ShardSums) -> Counts| {
            let samples = shards.iter().flat_map(|sums| {
                let (shard, counts) = (sums.shard.0.to_string(), of(sums));
                // Every name is said each time: one that nobody has any more must fall to 0.
                let sample = move |name: &&str| {
                    let mut labels = [("shard", shard.as_str()), (label, *name)];
                    labels.sort_unstable();
                    Sample::new(&labels, counts.get(name).copied().unwrap_or_default() as f64)
                };
                names.iter().map(sample).collect::<Vec<_>>()
            });
            self.gauge(name, help, samples);
        };
        let help = "Live calls in the table, by shard and stage. Every voter has the same.";
        by("strowger_calls", help, "stage", &Call::STAGE_NAMES, &ShardSums::calls);
        let help = "Agents in the table, by shard and state. Every voter has the same.";
        by("strowger_agents", help, "state", &Agent::STATE_NAMES, &ShardSums::agents);
        let help = "Leases past their deadline by more than a second, by kind. Must be 0.";
        by("strowger_stuck_leases", help, "kind", &RowKey::KINDS, &|sums| sums.stuck.clone());
    }

    /// Calls that wait and agents who are free, by queue.
    pub fn queues<'a>(&mut self, queues: impl Iterator<Item = &'a QueueStatus> + Clone) {
        for (name, help, value) in OF_QUEUES {
            let sample =
                |queue: &QueueStatus| Sample::new(&[("tenant", &queue.tenant), ("queue", &queue.name)], value(queue));
            self.gauge(name, help, queues.clone().map(sample));
        }
    }

    /// What campaigns do and what came of it.
    pub fn campaigns(&mut self, campaigns: &[CampaignStatus]) {
        let labels = |of: &CampaignStatus| (of.figures.tenant.clone(), of.figures.name.clone());
        for (name, help, value) in OF_CAMPAIGNS {
            let samples = campaigns.iter().map(|campaign| {
                let (tenant, name) = labels(campaign);
                Sample::new(&[("tenant", &tenant), ("campaign", &name)], value(&campaign.figures))
            });
            self.gauge(name, help, samples);
        }
        let still = campaigns.iter().filter_map(|campaign| {
            let (tenant, name) = labels(campaign);
            let why = campaign.figures.standstill.as_ref()?.why;
            Some(Sample::new(&[("tenant", &tenant), ("campaign", &name), ("why", why)], 1.0))
        });
        self.gauge("strowger_campaign_standstill", "1 while the campaign dials nobody, by why.", still);
        let dialled = campaigns.iter().map(|campaign| {
            let (tenant, name) = labels(campaign);
            Sample::new(&[("tenant", &tenant), ("campaign", &name)], campaign.figures.dialled as f64)
        });
        self.counter("strowger_campaign_dialled_total", "Calls begun.", dialled);
        let results = campaigns.iter().flat_map(|campaign| {
            let (tenant, name) = labels(campaign);
            campaign.figures.results.iter().map(move |(result, calls)| {
                let labels = [("tenant", tenant.as_str()), ("campaign", name.as_str()), ("result", result)];
                Sample::new(&labels, *calls as f64)
            })
        });
        self.counter("strowger_campaign_results_total", "Calls ended, by what came of them.", results);
    }

    /// Raft groups as this node sees them.
    pub fn groups(&mut self, me: NodeId, groups: &[GroupStatus]) {
        let samples = groups.iter().flat_map(|status| {
            let group = status.group.0.to_string();
            let leads = u64::from(status.leader == Some(me));
            [("leads", leads), ("term", status.term), ("applied", status.applied)]
                .map(|(what, value)| Sample::new(&[("group", &group), ("what", what)], value as f64))
        });
        self.gauge("strowger_group", "Raft groups as this node sees them.", samples);
    }

    /// Relays by name, with whether this node reaches them.
    pub fn relays<'a>(&mut self, relays: impl IntoIterator<Item = (&'a str, bool)>) {
        let sample = |(relay, there)| Sample::new(&[("relay", relay)], f64::from(u8::from(there)));
        self.gauge("strowger_relay_connected", "1 while this node reaches the relay.", relays.into_iter().map(sample));
    }

    /// What the node's parts count of SIP, and what the node itself holds.
    pub fn parts(&mut self, messages: &[(&str, u64)], connections: &[(&str, u64)], node: &[(&str, u64)]) {
        let samples = |values: &[(&str, u64)]| -> Vec<Sample> {
            values.iter().map(|(what, value)| Sample::new(&[("what", what)], *value as f64)).collect()
        };
        let help = "SIP messages since the start, by what became of them.";
        self.gauge("strowger_sip_messages", help, samples(messages));
        let help = "SIP over TCP: connections open now, and since the start those closed for garbage, those closed because \
                    the far end did not read, and those refused because there were too many.";
        self.gauge("strowger_sip_connections", help, samples(connections));
        self.gauge("strowger_node", "This node: active, actors, records projected.", samples(node));
    }

    /// Who tried to call and was no trunk, as the sockets count it.
    pub fn strangers(&mut self, invites: u64) {
        let help = "INVITEs from addresses of no trunk, left without an answer.";
        self.counter("strowger_sip_strangers_total", help, [Sample::new(&[], invites as f64)]);
    }

    /// Commit and fsync times, which the log counts in buckets of its own.
    pub fn log(&mut self, commit: &Distribution<'_>, fsync: &Distribution<'_>) {
        self.histogram("strowger_commit_seconds", "From a proposal at its leader to its outcome.", commit);
        self.histogram("strowger_log_fsync_seconds", "One group commit of the log to disk.", fsync);
    }

    /// What is kept of the log's past.
    pub fn archive(&mut self, archive: &Archive) {
        let one = |value| [Sample::new(&[], value)];
        self.gauge("strowger_archive_bytes", "Files of the log's past on this node.", one(archive.bytes as f64));
        let back = archive.reaches_back.unwrap_or_default().as_secs_f64();
        self.gauge("strowger_archive_reaches_back_seconds", "Age of the oldest of them.", one(back));
        let help = "Pieces of the past that the disk did not take: calls of then are not explained.";
        self.counter("strowger_archive_lost_total", help, one(archive.lost as f64));
    }
}
