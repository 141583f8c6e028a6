//! A small tenant: a number that leads straight into a queue, and agents of the test's choice.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use strowger_config::Files;

pub const NUMBER: &str = "+4930555001";
pub const REALM: &str = "house.example";
pub const PASSWORD: &str = "house-secret";

pub struct House {
    /// Name, how the phone is found, whether it takes calls at once.
    agents: Vec<(String, Phone, bool)>,
    pub sources: String,
    pub max_calls_per_second: u32,
    /// What phones are challenged with.
    pub digest: &'static str,
    /// Lines of the queue's table.
    pub queue: String,
    /// Where outbound calls go, and lines of the campaign's table.
    pub campaign: Option<(SocketAddr, String)>,
}

enum Phone {
    At(SocketAddr),
    AtOverTcp(SocketAddr),
    Registers,
}

impl House {
    pub fn new() -> House {
        House {
            agents: Vec::new(),
            sources: "\"127.0.0.1\"".to_owned(),
            max_calls_per_second: 1000,
            digest: "md5",
            queue: "ring_timeout_ms = 10000\nmiss_pause_ms = 300\n".to_owned(),
            campaign: None,
        }
    }

    /// An agent whose phone is always at this address.
    pub fn phone_at(mut self, name: &str, at: SocketAddr) -> House {
        self.agents.push((name.to_owned(), Phone::At(at), true));
        self
    }

    /// The same over TCP.
    pub fn tcp_phone_at(mut self, name: &str, at: SocketAddr) -> House {
        self.agents.push((name.to_owned(), Phone::AtOverTcp(at), true));
        self
    }

    /// An agent whose phone registers with `PASSWORD`.
    pub fn registers(mut self, name: &str, ready_at_login: bool) -> House {
        self.agents.push((name.to_owned(), Phone::Registers, ready_at_login));
        self
    }

    pub fn files(&self) -> Files {
        let mut files: BTreeMap<String, Vec<u8>> = BTreeMap::new();
        let mut trunks = format!(
            "[[trunk]]\nname = \"carrier\"\nsources = [{}]\nmax_calls_per_second = {}\n",
            self.sources, self.max_calls_per_second
        );
        if let Some((destination, _)) = &self.campaign {
            trunks += &format!("destination = \"{destination}\"\nmax_dials_per_second = 100\n");
        }
        files.insert("trunks.toml".to_owned(), trunks.into_bytes());
        files.insert("tenants/house.toml".to_owned(), self.tenant().into_bytes());
        files.insert("hold.wav".to_owned(), include_bytes!("../../../../config/example/music/hold.wav").to_vec());
        Files(files)
    }

    fn tenant(&self) -> String {
        let mut text = format!(
            "name = \"house\"\nrealm = \"{REALM}\"\ndigest = \"{}\"\n[[number]]\nnumber = \"{NUMBER}\"\nflow = \"main\"\n\
             [[flow]]\nname = \"main\"\n[[flow.step]]\nname = \"in\"\nqueue = \"desk\"\n\
             [[queue]]\nname = \"desk\"\nmusic = \"hold.wav\"\n{}",
            self.digest, self.queue
        );
        for (name, phone, ready) in &self.agents {
            let phone = match phone {
                Phone::At(at) => format!("contact = \"sip:{name}@{at}\""),
                Phone::AtOverTcp(at) => format!("contact = \"sip:{name}@{at};transport=tcp\""),
                Phone::Registers => format!("password = \"{PASSWORD}\""),
            };
            text += &format!("[[agent]]\nname = \"{name}\"\n{phone}\nqueues = [\"desk\"]\nready_at_login = {ready}\n");
        }
        if let Some((_, lines)) = &self.campaign {
            // Round the clock, because tests run at night too.
            text += &format!(
                "[[campaign]]\nname = \"spring\"\nqueue = \"desk\"\ntrunk = \"carrier\"\ncaller_id = \"{NUMBER}\"\n\
                 zone = \"Europe/Berlin\"\nhours = [\"mon-sun 00:00-24:00\"]\n{lines}"
            );
        }
        text
    }
}
