//! A whole configuration, checked as far as that goes without knowing the cluster.

use std::collections::BTreeMap;
use std::ops::Range;

use strowger_model::Digest;
use strowger_model::config::{Tenant, Trunk};

use crate::fault::{Fault, Faults};
use crate::files::Files;
use crate::limits::{Count, MAX_TENANTS};
use crate::page::Page;
use crate::phone::Seal;
use crate::prompts::{Load, Prompts};
use crate::tenant::{Across, Surroundings, TENANTS, read_tenant, tenant_of};
use crate::trunk::read_trunks;

const TRUNKS: &str = "trunks.toml";
/// A fault of a whole file stands where it begins.
const WHOLE: Range<usize> = 0..0;

/// Ids in it are positions in the lists of the same tenant: which id a name has is the cluster's to say. That is why
/// the tenants and trunks are not for the public; `resolve` makes real ones of them.
#[derive(Clone, Debug)]
pub struct Draft {
    pub(crate) tenants: Vec<Tenant>,
    pub(crate) trunks: Vec<Trunk>,
    contents: BTreeMap<Digest, Vec<u8>>,
}

impl Draft {
    /// What relays play, by address.
    pub fn contents(&self) -> &BTreeMap<Digest, Vec<u8>> {
        &self.contents
    }
}

/// Checks all files and finds all faults. `load` turns the bytes of a WAV file into what a relay plays and its address;
/// `seal` seals secrets, of which none goes on as it is.
pub fn parse(files: &Files, load: &Load<'_>, seal: &Seal<'_>) -> Result<Draft, Vec<Fault>> {
    let faults = Faults::default();
    let prompts = Prompts::new(files, load, &faults);
    let mut across = Across::new();
    let mut tenants = Vec::new();
    let mut count = Count::new("tenants", MAX_TENANTS);
    // First: tenants' campaigns name them.
    let trunks = match files.0.get(TRUNKS) {
        Some(bytes) => trunks_of(bytes, &faults),
        None => Some(Vec::new()),
    };
    let around = Surroundings { prompts: &prompts, trunks: trunks.as_deref(), seal };
    for (file, bytes) in files.0.iter().filter(|(file, _)| file.to_ascii_lowercase().ends_with(".toml")) {
        if file == TRUNKS {
            continue;
        }
        let Some(tenant) = tenant_of(file) else {
            let fix = format!("move it out of the directory, or to {TENANTS}NAME.toml");
            faults.push(Fault::in_file(file, "nothing reads this file", fix));
            continue;
        };
        let Some(page) = Page::open(file, bytes, &faults) else { continue };
        let Some(document) = page.document() else { continue };
        let section = page.section(&document);
        let tenant = read_tenant(&section, tenant, &around, &mut across);
        count.one(|| page.place(&WHOLE));
        check_size(&tenant, &page);
        tenants.push(tenant);
    }
    for count in [&count, &across.count] {
        count.check("a cluster", "make several clusters of it", &faults);
    }
    if !files.0.keys().any(|file| tenant_of(file).is_some()) {
        // An empty directory would remove every tenant: far more often it is the wrong directory.
        let fix = format!("add {TENANTS}NAME.toml, or name the right directory");
        faults.push(Fault::in_file(TENANTS, "there is no tenant", fix));
    }
    let contents = prompts.into_contents();
    let faults = faults.into_sorted();
    match trunks {
        Some(trunks) if faults.is_empty() => Ok(Draft { tenants, trunks, contents }),
        _ => Err(faults),
    }
}

/// It is in many places: the fault stands at the file's first line and says of what there is how much.
fn check_size(tenant: &Tenant, page: &Page<'_>) {
    let bytes = tenant.size_bytes();
    if bytes > Tenant::MAX_BYTES {
        let (numbers, agents) = (tenant.numbers.len(), tenant.agents.len());
        let what = format!(
            "the tenant, with {numbers} numbers and {agents} agents, has {bytes} bytes as the cluster keeps it, and \
             a cluster takes {}",
            Tenant::MAX_BYTES
        );
        page.fault(&WHOLE, what, "make several tenants of it");
    }
}

/// None when the file cannot be read, which is a fault.
fn trunks_of(bytes: &[u8], faults: &Faults) -> Option<Vec<Trunk>> {
    let page = Page::open(TRUNKS, bytes, faults)?;
    let document = page.document()?;
    Some(read_trunks(&page.section(&document)))
}
