//! A tenant's `[[flow]]`: its steps, and whether every one of them is reached and leads somewhere.

use strowger_model::config::{Flow, Step, StepNo};
use strowger_model::{FlowId, QueueId};

use crate::limits::{MAX_STEPS, MENU_TIMEOUT, MENU_TRIES};
use crate::names::Names;
use crate::page::Written;
use crate::prompts::Prompts;
use crate::section::Section;

const KEYS_OF_A_PHONE: &str = "0123456789*#";
/// What a step does; exactly one of them stands in each.
const KINDS: [&str; 4] = ["play", "menu", "queue", "hang_up"];

pub(crate) fn read_flow(section: &Section<'_>, position: usize, queues: &Names<'_>, prompts: &Prompts<'_>) -> Flow {
    let faults = section.page().faults;
    let before = faults.count();
    let name = section.optional_text("name", "name = \"main\"").map(|name| name.value).unwrap_or_default();
    let sections = section.list("step", "[[flow.step]]");
    section.finish();
    if sections.is_empty() {
        section.fault(format!("flow `{name}` has no steps"), "add [[flow.step]]; the first is where calls start");
    }
    if sections.len() > MAX_STEPS {
        let what = format!("flow `{name}` has {} steps", sections.len());
        section.fault(what, format!("split it: {MAX_STEPS} is the most"));
    }
    let mut names = Names::new("step", faults);
    for (position, section) in sections.iter().enumerate() {
        if let Some(name) = section.text("name", "name = \"welcome\"") {
            names.add(position, &name);
        }
    }
    let reader = StepReader { steps: &names, queues, prompts };
    let steps: Vec<Step> = sections.iter().map(|section| reader.read(section)).collect();
    // A step that cannot be read points nowhere, and what it should have reached would be called unreached.
    if faults.count() == before {
        check_reached(&steps, &sections);
        check_overflow(&steps, &sections);
    }
    Flow { id: FlowId(position as u32), name, steps }
}

struct StepReader<'a> {
    steps: &'a Names<'a>,
    queues: &'a Names<'a>,
    prompts: &'a Prompts<'a>,
}

impl StepReader<'_> {
    fn read(&self, section: &Section<'_>) -> Step {
        section.optional_text("name", "name = \"welcome\"");
        let kinds: Vec<_> = KINDS.into_iter().filter(|kind| section.has(kind)).collect();
        let [kind] = kinds[..] else {
            let does = if kinds.is_empty() { "nothing".to_owned() } else { kinds.join(" and ") };
            section.fault(format!("this step does {does}"), format!("write one of {}", KINDS.join(", ")));
            return Step::HangUp;
        };
        let step = match kind {
            "play" => self.play(section),
            "menu" => self.menu(section),
            "queue" => self.queue(section),
            _ => hang_up(section),
        };
        section.finish();
        step
    }

    fn play(&self, section: &Section<'_>) -> Step {
        let prompt = section.text("play", "play = \"prompts/welcome.wav\"");
        let next = section.text("next", "next = \"STEP\"");
        Step::Play { prompt: self.prompt(prompt), next: self.step(next) }
    }

    fn menu(&self, section: &Section<'_>) -> Step {
        const CHOICES: &str = "choices = { \"1\" = \"STEP\" }";
        let prompt = section.text("menu", "menu = \"prompts/menu.wav\"");
        let choices = section.pairs("choices", CHOICES);
        if choices.as_ref().map_or(!section.has("choices"), Vec::is_empty) {
            section.fault("this menu has no choices", format!("add {CHOICES}"));
        }
        let choice = |(key, step): (Written<String>, Written<String>)| {
            let mut keys = key.value.chars();
            let known = keys.next().filter(|key| KEYS_OF_A_PHONE.contains(*key) && keys.next().is_none());
            if known.is_none() {
                section.fault_at(&key.at, format!("`{}` is no key of a phone", key.value), "write one of 0-9 * #");
            }
            Some((known?, self.step(Some(step))))
        };
        Step::Menu {
            prompt: self.prompt(prompt),
            choices: choices.unwrap_or_default().into_iter().filter_map(choice).collect(),
            timeout_ms: section.limit(&MENU_TIMEOUT),
            tries: section.limit(&MENU_TRIES) as u8,
            otherwise: self.step(section.text("otherwise", "otherwise = \"STEP\"")),
        }
    }

    fn queue(&self, section: &Section<'_>) -> Step {
        let queue = section.text("queue", "queue = \"sales\"").and_then(|queue| self.queues.find(&queue));
        let overflow = section.optional_text("overflow", "overflow = \"STEP\"");
        Step::Enqueue {
            queue: QueueId(queue.unwrap_or_default() as u32),
            overflow: overflow.map(|step| self.step(Some(step))),
        }
    }

    fn prompt(&self, path: Option<Written<String>>) -> strowger_model::Digest {
        path.map(|path| self.prompts.find(&path)).unwrap_or_default()
    }

    fn step(&self, name: Option<Written<String>>) -> StepNo {
        name.and_then(|name| self.steps.find(&name)).unwrap_or_default() as StepNo
    }
}

fn hang_up(section: &Section<'_>) -> Step {
    if !section.flag("hang_up", true) {
        section.fault("this step does nothing", "write hang_up = true, or what it shall do");
    }
    Step::HangUp
}

/// A step nothing leads to is a slip: an operator believes that callers hear it.
fn check_reached(steps: &[Step], sections: &[Section<'_>]) {
    let mut reached = vec![false; steps.len()];
    let mut open = vec![0];
    while let Some(at) = open.pop() {
        if at < steps.len() && !std::mem::replace(&mut reached[at], true) {
            open.extend(leads_to(&steps[at]).map(usize::from));
        }
    }
    for (section, _) in sections.iter().zip(reached).filter(|(_, reached)| !reached) {
        section.fault("nothing leads to this step", "point another step to it, or remove it");
    }
}

fn leads_to(step: &Step) -> impl Iterator<Item = StepNo> {
    let (choices, other): (&[_], _) = match step {
        Step::Play { next, .. } => (&[], Some(*next)),
        Step::Menu { choices, otherwise, .. } => (choices, Some(*otherwise)),
        Step::Enqueue { overflow, .. } => (&[], *overflow),
        Step::HangUp => (&[], None),
    };
    choices.iter().map(|(_, step)| *step).chain(other)
}

/// Queues that overflow into each other turn a call in a circle, without pause, once they are full.
fn check_overflow(steps: &[Step], sections: &[Section<'_>]) {
    let overflow = |at: usize| match steps[at] {
        Step::Enqueue { overflow, .. } => overflow.map(usize::from),
        _ => None,
    };
    for (start, section) in sections.iter().enumerate() {
        let chain = std::iter::successors(overflow(start), |at| overflow(*at));
        if chain.take(steps.len()).any(|at| at == start) {
            let fix = "let the circle pass a play or menu, or end it with hang_up";
            section.fault("the overflow of this step leads back to it without a pause", fix);
        }
    }
}
