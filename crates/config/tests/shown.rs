//! What is shown of a configuration that is in force reads as what it is.

mod world;

use std::path::Path;

use strowger_config::{Files, NextIds, Resolved, parse, read_dir, resolve, sealed_for_check, tenant_file, trunks_file};
use strowger_model::{Digest, Ha1, Sealed, Whose};

use world::{edit, good, lines, load};

/// As those of the seal that stands in for a data key.
const SEALED: &str = "sealed_under = \"00000000\"";

type Load = fn(&[u8]) -> Result<(Vec<u8>, Digest), String>;

/// Of one length whether a password or its hashes were configured.
fn sealed(_: Whose<'_>, _: &Ha1) -> Sealed {
    Sealed::default()
}

fn resolved(files: &Files, load: Load) -> Resolved {
    let draft = parse(files, &load, &sealed).unwrap_or_else(|faults| panic!("{}", lines(&faults).join("\n")));
    resolve(&draft, &[], &[], 1, NextIds::default())
}

/// As the cluster has it, with the prompts under the names that it gives them.
fn shown(files: &Files, resolved: &Resolved, load: Load) -> Files {
    let prompts = files.0.iter().filter(|(path, _)| path.ends_with(".wav"));
    let named = |bytes: &Vec<u8>| format!("{}.wav", load(bytes).expect("it was loaded before").1);
    let mut shown = Files(prompts.map(|(_, bytes)| (named(bytes), bytes.clone())).collect());
    shown.0.insert("trunks.toml".to_owned(), trunks_file(&resolved.trunks).into_bytes());
    for tenant in &resolved.tenants {
        let text = tenant_file(tenant, &resolved.trunks);
        shown.0.insert(format!("tenants/{}.toml", tenant.name), text.into_bytes());
    }
    shown
}

/// What is shown, with passwords in place of what only says that there are some.
fn with_passwords(mut files: Files) -> Files {
    for text in files.0.iter_mut().filter(|(path, _)| path.ends_with(".toml")).map(|(_, text)| text) {
        *text = String::from_utf8(text.clone()).unwrap().replace(SEALED, "password = \"12345678\"").into_bytes();
    }
    files
}

/// By what it is heard: the first bytes are too alike.
fn by_length(bytes: &[u8]) -> Result<(Vec<u8>, Digest), String> {
    let mut digest = [0; 32];
    digest[..8].copy_from_slice(&(bytes.iter().map(|byte| u64::from(*byte)).sum::<u64>()).to_le_bytes());
    Ok((bytes.to_vec(), Digest(digest)))
}

fn odd() -> Files {
    let mut files = good();
    let trunks = "[\"192.0.2.10\", \"192.0.2.11:5060\"]\n";
    edit(
        &mut files,
        "trunks.toml",
        trunks,
        "[\"2001:db8::1\", \"[2001:db8::2]:5070\"]\ndestination = \"[2001:db8::1]:5060;transport=tcp\"\nsite = \"berlin\"\n",
    );
    let acme = "tenants/acme.toml";
    edit(&mut files, acme, "overflow = \"end\"\n", "");
    edit(
        &mut files,
        acme,
        "choices = { \"1\" = \"sales\" }",
        "choices = { \"#\" = \"sales\", \"*\" = \"end\", \"0\" = \"end\" }",
    );
    edit(
        &mut files,
        acme,
        "[[agent]]\n",
        "[[campaign]]\nname = \"spring\"\nmode = \"manual\"\nqueue = \"sales\"\ntrunk = \"carrier\"\ncaller_id = \"+4930123456\"\n\
         start = true\nretry_after_s = { unknown = 60, busy = 900, no_answer = 7200 }\nhours = [\"sat-mon 08:00-24:00\"]\n\
         [[agent]]\nname = \"1002\"\ncontact = \"sip:1002@192.0.2.20;transport=tcp\"\nqueues = []\nsite = \"berlin\"\n[[agent]]\n",
    );
    edit(&mut files, acme, "realm", "takes_anonymous = false\ndigest = \"sha-256\"\nrealm");
    files
}

#[test]
fn what_is_shown_is_what_it_is() {
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../config/example");
    for (files, load) in [(read_dir(&example).unwrap(), by_length as Load), (good(), load), (odd(), load)] {
        let first = resolved(&files, load);
        let shown = with_passwords(shown(&files, &first, load));
        let again = resolved(&shown, load);
        assert_eq!((again.tenants, again.trunks), (first.tenants, first.trunks));
    }
}

/// Passwords that are not there must not become others.
#[test]
fn what_is_shown_is_not_applied_by_mistake() {
    let files = good();
    let shown = shown(&files, &resolved(&files, load), load);
    let text = String::from_utf8(shown.0["tenants/acme.toml"].clone()).unwrap();
    assert!(text.contains(SEALED) && !text.contains("12345678"), "{text}");
    let faults = lines(&parse(&shown, &load, &sealed_for_check).err().unwrap());
    assert!(faults.iter().any(|fault| fault.contains("sealed_under")), "{faults:#?}");
}
