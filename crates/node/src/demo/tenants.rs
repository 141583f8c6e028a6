//! The demo's tenants: four firms with a menu, two queues and a campaign each, and agents shared out among them.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use strowger_config::Files;
use strowger_phones::{AgentSpec, Law};

use super::stage::RELAYS;

pub const TENANTS: [Firm; 4] = [
    Firm { name: "acme", realm: "acme.example", number: "+4930555001" },
    Firm { name: "bolt", realm: "bolt.example", number: "+4930555002" },
    Firm { name: "cargo", realm: "cargo.example", number: "+4930555003" },
    Firm { name: "delta", realm: "delta.example", number: "+4930555004" },
];

pub struct Firm {
    pub name: &'static str,
    pub realm: &'static str,
    pub number: &'static str,
}

/// Each firm has one of this name.
pub const CAMPAIGN: &str = "spring";

/// Seconds between a call and the next for an agent.
pub const WRAP_UP_MS: u64 = 5000;

pub struct Agent {
    tenant: usize,
    /// Which relay is near.
    site: usize,
    pub spec: AgentSpec,
}

pub fn agents(count: usize) -> Vec<Agent> {
    (0..count)
        .map(|at| {
            let tenant = at % TENANTS.len();
            let name = (1000 + at).to_string();
            let tone = (2 * at + 1) as u16;
            let mut spec = AgentSpec::new(&name, &password(&name), TENANTS[tenant].realm, tone);
            // Both laws on both sides, so that half of the calls are transcoded.
            spec.law = if (at / TENANTS.len()).is_multiple_of(2) { Law::Pcma } else { Law::Pcmu };
            spec.ring = Duration::from_millis(300 + (at as u64 * 37) % 500);
            Agent { tenant, site: at / (2 * TENANTS.len()) % RELAYS.len(), spec }
        })
        .collect()
}

/// The configuration directory, in memory.
pub fn files(agents: &[Agent], trunk_ports: impl Iterator<Item = u16>, carrier: SocketAddr) -> Files {
    let mut files: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    let sources: String = trunk_ports.map(|port| format!("\"127.0.0.1:{port}\", ")).collect();
    let trunks = format!(
        "[[trunk]]\nname = \"carrier\"\nsources = [{sources}]\nmax_calls_per_second = 1000\nmax_calls = 10000\n\
         destination = \"{carrier}\"\nmax_dials_per_second = 20\n"
    );
    files.insert("trunks.toml".into(), trunks.into_bytes());
    files.insert("menu.wav".into(), include_bytes!("../../../../config/example/prompts/menu.wav").to_vec());
    files.insert("goodbye.wav".into(), include_bytes!("../../../../config/example/prompts/goodbye.wav").to_vec());
    files.insert("hold.wav".into(), include_bytes!("../../../../config/example/music/hold.wav").to_vec());
    for (at, firm) in TENANTS.iter().enumerate() {
        let own = agents.iter().filter(|agent| agent.tenant == at);
        files.insert(format!("tenants/{}.toml", firm.name), tenant(firm, own).into_bytes());
    }
    Files(files)
}

fn tenant<'a>(firm: &Firm, agents: impl Iterator<Item = &'a Agent>) -> String {
    let Firm { name, realm, number } = firm;
    let mut text = format!(
        "name = \"{name}\"\nrealm = \"{realm}\"\n\
         [[number]]\nnumber = \"{number}\"\nflow = \"main\"\n\
         [[flow]]\nname = \"main\"\n\
         [[flow.step]]\nname = \"menu\"\nmenu = \"menu.wav\"\nchoices = {{ \"1\" = \"sales\", \"2\" = \"support\" }}\n\
         timeout_ms = 3000\ntries = 2\notherwise = \"goodbye\"\n\
         [[flow.step]]\nname = \"sales\"\nqueue = \"sales\"\n\
         [[flow.step]]\nname = \"support\"\nqueue = \"support\"\n\
         [[flow.step]]\nname = \"goodbye\"\nplay = \"goodbye.wav\"\nnext = \"end\"\n\
         [[flow.step]]\nname = \"end\"\nhang_up = true\n"
    );
    for queue in ["sales", "support"] {
        text += &format!(
            "[[queue]]\nname = \"{queue}\"\nmusic = \"hold.wav\"\nwrap_up_ms = {WRAP_UP_MS}\nring_timeout_ms = 10000\n"
        );
    }
    // Round the clock, because the demo must run at night too.
    text += &format!(
        "[[campaign]]\nname = \"{CAMPAIGN}\"\nmode = \"progressive\"\nqueue = \"sales\"\ntrunk = \"carrier\"\n\
         caller_id = \"{number}\"\nring_timeout_ms = 15000\nkeep_idle = 3\nstart = true\nmax_attempts = 1\n\
         zone = \"Europe/Berlin\"\nhours = [\"mon-sun 00:00-24:00\"]\n"
    );
    for agent in agents {
        let (name, site) = (&agent.spec.user, RELAYS[agent.site].site);
        text += &format!(
            "[[agent]]\nname = \"{name}\"\npassword = \"{}\"\nqueues = [\"sales\", \"support\"]\nready_at_login = true\n\
             site = \"{site}\"\n",
            password(name)
        );
    }
    text
}

fn password(name: &str) -> String {
    format!("demo-secret-{name}")
}
