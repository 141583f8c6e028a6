//! What is too large is refused with limit, size and the line of the first thing beyond.

mod world;

use std::fmt::Write as _;

use strowger_config::Files;
use world::{ACME, BOLT, good, told};

const TRUNKS: &str = "trunks.toml";

/// The line on which the last occurrence of a text stands, from 1.
fn last_line_of(files: &Files, file: &str, text: &str) -> usize {
    let whole = std::str::from_utf8(&files.0[file]).unwrap();
    1 + whole[..whole.rfind(text).unwrap()].matches('\n').count()
}

fn with(file: &str, text: String) -> Files {
    let mut files = good();
    files.0.insert(file.to_owned(), text.into_bytes());
    files
}

#[test]
fn agents_of_a_tenant() {
    let ranges = "[[agents]]\nnames = \"100000-149998\"\npassword = \"seat-{name}\"\n\
                  [[agents]]\nnames = \"200000-200009\"\npassword = \"seat-{name}\"\n";
    let files = with("tenants/acme.toml", format!("{ACME}{ranges}"));
    let line = last_line_of(&files, "tenants/acme.toml", "\"200000-200009\"");
    let fault = format!(
        "tenants/acme.toml:{line}:9: there are 50010 agents, and a tenant takes 50000: this is the first one beyond: make \
         several tenants of it"
    );
    told(&files, &[&fault], "agents");
}

#[test]
fn trunks_and_their_sources() {
    let address = |number: usize| format!("\"10.{}.{}.{}\"", number >> 16, number >> 8 & 255, number & 255);
    let trunk = |name: usize, first: usize, sources: usize| {
        let list: Vec<String> = (first..first + sources).map(address).collect();
        format!("[[trunk]]\nname = \"t{name}\"\nsources = [{}]\n", list.join(", "))
    };
    let files = with(TRUNKS, (0..1002).map(|name| trunk(name, name, 1)).collect());
    let line = last_line_of(&files, TRUNKS, "[[trunk]]\nname = \"t1000\"");
    let fault = format!(
        "trunks.toml:{line}:1: there are 1002 trunks, and a cluster takes 1000: this is the first one beyond: make several \
         clusters of it"
    );
    told(&files, &[&fault], "trunks");
    let text = trunk(0, 0, 257);
    let column = 1 + text.lines().nth(2).unwrap().find(&address(256)).unwrap();
    let fault = format!(
        "trunks.toml:3:{column}: there are 257 sources of this trunk, and a trunk takes 256: this is the first one beyond: \
         make several trunks of it"
    );
    told(&with(TRUNKS, text), &[&fault], "sources of one");
    let files = with(TRUNKS, (0..21).map(|name| trunk(name, 250 * name, 250)).collect());
    let line = last_line_of(&files, TRUNKS, &address(5000));
    let fault = format!(
        "trunks.toml:{line}:12: there are 5250 sources of all trunks, and a cluster takes 5000: this is the first one \
         beyond: make several clusters of it"
    );
    told(&files, &[&fault], "sources of all");
}

#[test]
fn tenants_of_a_cluster() {
    let mut files = good();
    for number in 0..5000 {
        let name = format!("t{number:04}");
        let text = BOLT.replace("bolt", &name).replace("[[number]]\nnumber = \"110\"\nflow = \"main\"\n", "");
        files.0.insert(format!("tenants/{name}.toml"), text.into_bytes());
    }
    // In the order of their files: acme, bolt, then these.
    let fault = "tenants/t4998.toml:1:1: there are 5002 tenants, and a cluster takes 5000: this is the first one beyond: make \
                 several clusters of it";
    told(&files, &[fault], "tenants");
}

#[test]
fn numbers_of_a_cluster_and_bytes_of_a_tenant() {
    let mut files = good();
    let mut text = ACME.to_owned();
    for number in 0..999_997 {
        write!(text, "[[number]]\nnumber = \"+4940{number:08}\"\nflow = \"main\"\n").unwrap();
    }
    text += "[[number]]\nnumber = \"115\"\nflow = \"main\"\n[[number]]\nnumber = \"116\"\nflow = \"main\"\n";
    files.0.insert("tenants/acme.toml".to_owned(), text.into_bytes());
    let line = last_line_of(&files, "tenants/bolt.toml", "\"110\"");
    let beyond = format!(
        "tenants/bolt.toml:{line}:10: there are 1000001 numbers, and a cluster takes 1000000: this is the first one beyond: \
         make several clusters of it"
    );
    let bytes = "tenants/acme.toml:1:1: the tenant, with 1000000 numbers and 1 agents, has 25000500 bytes as the cluster \
                 keeps it, and a cluster takes 15728640: make several tenants of it";
    told(&files, &[bytes, &beyond], "numbers");
}
