//! A tenant's `[[agent]]` and `[[agents]]`, which writes many that differ in their number only.

use strowger_model::config::Agent;
use strowger_model::{AgentId, QueueId};

use crate::limits::{Count, MAX_AGENTS};
use crate::names::{Names, read_site};
use crate::page::Written;
use crate::phone::{PhoneText, Seal};
use crate::section::Section;

const RANGE_EXAMPLE: &str = "names = \"1000-1449\"";
/// What stands for the agent's name in the fields of a range.
pub(crate) const NAME_MARK: &str = "{name}";

/// What the agents of a tenant have in common.
pub(crate) struct Team<'a> {
    pub(crate) realm: &'a str,
    pub(crate) sha256: bool,
    pub(crate) seal: &'a Seal<'a>,
    pub(crate) queues: &'a Names<'a>,
}

pub(crate) fn read_agents(top: &Section<'_>, team: &Team<'_>) -> Vec<Agent> {
    let faults = top.page().faults;
    let count = Count::new("agents", MAX_AGENTS);
    let mut roll = Roll { names: Names::new("agent", faults), agents: Vec::new(), count };
    for section in top.list("agent", "[[agent]]") {
        let name = section.text("name", "name = \"1001\"");
        let kit = Kit::read(&section, team, false);
        section.finish();
        if let Some(name) = name {
            roll.enter(&section, &name, &kit, team);
        }
    }
    for section in top.list("agents", "[[agents]]") {
        let range = section.text("names", RANGE_EXAMPLE).and_then(|range| read_range(&section, &range));
        let kit = Kit::read(&section, team, true);
        section.finish();
        for name in range.iter().flat_map(Range::names) {
            // One fault for the whole range: the others would say the same.
            if !roll.enter(&section, &name, &kit, team) {
                break;
            }
        }
    }
    roll.count.check("a tenant", "make several tenants of it", faults);
    roll.agents
}

struct Roll<'a> {
    names: Names<'a>,
    agents: Vec<Agent>,
    count: Count,
}

impl Roll<'_> {
    /// Whether it went without fault.
    fn enter(&mut self, section: &Section<'_>, name: &Written<String>, kit: &Kit, team: &Team<'_>) -> bool {
        let faults = section.page().faults;
        let before = faults.count();
        let position = self.agents.len();
        self.names.add(position, name);
        self.count.one(|| name.at.clone());
        if let Some(phone) = kit.phone.as_ref().and_then(|phone| phone.of(section, &name.value, team)) {
            self.agents.push(Agent {
                id: AgentId(position as u32),
                name: name.value.clone(),
                queues: kit.queues.clone(),
                phone,
                ready_at_login: kit.ready_at_login,
                site: kit.site.clone(),
            });
        }
        faults.count() == before
    }
}

/// Everything about an agent but the name.
struct Kit {
    queues: Vec<QueueId>,
    phone: Option<PhoneText>,
    ready_at_login: bool,
    site: String,
}

impl Kit {
    fn read(section: &Section<'_>, team: &Team<'_>, of_range: bool) -> Self {
        let mut queues: Vec<QueueId> = Vec::new();
        for name in section.texts("queues", "queues = [\"sales\"]").unwrap_or_default() {
            let Some(queue) = team.queues.find(&name).map(|position| QueueId(position as u32)) else { continue };
            if queues.contains(&queue) {
                section.fault_at(&name.at, format!("queue `{}` stands here twice", name.value), "remove one");
            } else {
                queues.push(queue);
            }
        }
        Kit {
            queues,
            phone: PhoneText::read(section, of_range),
            ready_at_login: section.flag("ready_at_login", false),
            site: read_site(section),
        }
    }
}

/// `1000-1449`, or `0100-0199` where zeros belong to the name.
struct Range {
    written: Written<String>,
    digits: usize,
    first: u64,
    last: u64,
}

impl Range {
    fn names(&self) -> impl Iterator<Item = Written<String>> {
        (self.first..=self.last).map(|number| Written {
            value: format!("{number:0width$}", width = self.digits),
            at: self.written.at.clone(),
        })
    }
}

fn read_range(section: &Section<'_>, written: &Written<String>) -> Option<Range> {
    let range = written.value.split_once('-').and_then(|(first, last)| {
        let digits = first.len();
        let both = first.bytes().chain(last.bytes()).all(|byte| byte.is_ascii_digit()) && last.len() == digits;
        let (first, last) = (first.parse().ok()?, last.parse().ok()?);
        (both && first <= last).then(|| Range { written: written.clone(), digits, first, last })
    });
    let Some(range) = range else {
        let fix = format!("write two numbers of as many digits, the lower first, like {RANGE_EXAMPLE}");
        section.fault_at(&written.at, format!("`{}` is no range", written.value), fix);
        return None;
    };
    let many = range.last - range.first;
    if many >= MAX_AGENTS as u64 {
        let what = format!("`{}` has more than {MAX_AGENTS} names", written.value);
        section.fault_at(&written.at, what, "make several tenants of it");
        return None;
    }
    Some(range)
}
