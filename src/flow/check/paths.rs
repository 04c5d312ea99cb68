//! The ways through flows: whether every state is reached, every way ends, and no way goes round
//! in a circle without waiting for the caller.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::survey::Path;
use crate::flow::finding::Finding;
use crate::flow::read::{Aim, Document};
use crate::flow::tree::Segment;
use crate::flow::{Branch, Flow, Step};
use crate::words::{FlowName, StateName};

/// Tells whether steps never go on to what stands after them.
pub(super) fn ends(steps: &[Step]) -> bool {
    steps.iter().any(|step| match step {
        Step::Goto(_) | Step::Transfer(_) | Step::Hangup(_) | Step::Return(_) => true,
        Step::When(branches) => {
            branches.iter().any(|branch| branch.otherwise.is_some())
                && branches.iter().all(|branch| ends(steps_of(branch)))
        }
        Step::Notices(_)
        | Step::Say(_)
        | Step::Ask(_)
        | Step::Call(_)
        | Step::Set(_)
        | Step::Record(_)
        | Step::Message(_)
        | Step::Cancel(_)
        | Step::Callback(_)
        | Step::Language(_) => false,
    })
}

fn steps_of(branch: &Branch) -> &[Step] {
    branch
        .steps
        .as_deref()
        .or(branch.otherwise.as_deref())
        .unwrap_or_default()
}

/// Checks the ways inside one flow.
pub(super) fn check(document: &Document<Flow>, findings: &mut Vec<Finding>) {
    let flow = &document.value;
    let mut ways: BTreeMap<&StateName, Ways<'_>> = BTreeMap::new();
    for (name, steps) in &flow.states {
        let path: Path = vec!["states".into(), name.0.clone().into()];
        if steps.is_empty() {
            findings.push(
                document
                    .error(&path, Aim::Name, format!("the state `{name}` has no steps"))
                    .suggest("write some, or remove it"),
            );
            continue;
        }
        if !ends(steps) {
            let last = [path.as_slice(), &[(steps.len() - 1).into()]].concat();
            findings.push(
                document
                    .error(
                        &last,
                        Aim::Value,
                        format!("the state `{name}` runs out of steps here"),
                    )
                    .suggest("end it with goto, transfer, hangup or return"),
            );
        }
        never_reached(document, steps, &path, findings);
        let mut way = Ways {
            // Running out of steps has its own finding.
            ends: !ends(steps),
            ..Ways::default()
        };
        way.steps(steps);
        ways.insert(name, way);
    }
    unreached(document, &ways, findings);
    endless(document, &ways, findings);
}

/// Where a state leads.
#[derive(Default)]
struct Ways<'a> {
    gotos: Vec<&'a StateName>,
    ends: bool,
}

impl<'a> Ways<'a> {
    fn steps(&mut self, steps: &'a [Step]) {
        for step in steps {
            match step {
                Step::Goto(state) => self.gotos.push(state),
                Step::Transfer(_) | Step::Hangup(_) | Step::Return(_) => self.ends = true,
                Step::When(branches) => {
                    for branch in branches {
                        self.steps(steps_of(branch));
                    }
                }
                Step::Ask(ask) => self.otherwise(&ask.otherwise),
                Step::Record(record) => self.otherwise(&record.otherwise),
                Step::Message(message) => self.otherwise(&message.otherwise),
                Step::Cancel(cancel) => self.otherwise(&cancel.otherwise),
                Step::Callback(callback) => self.otherwise(&callback.otherwise),
                Step::Notices(_)
                | Step::Say(_)
                | Step::Call(_)
                | Step::Set(_)
                | Step::Language(_) => {}
            }
            if ends(std::slice::from_ref(step)) {
                return;
            }
        }
    }

    fn otherwise(&mut self, steps: &'a [Step]) {
        // Without steps of its own it is the house's way: to a person.
        self.ends |= steps.is_empty();
        self.steps(steps);
    }
}

/// Warns of steps after one that never goes on.
fn never_reached(
    document: &Document<Flow>,
    steps: &[Step],
    path: &[Segment],
    findings: &mut Vec<Finding>,
) {
    for (index, step) in steps.iter().enumerate() {
        let here = [path, &[index.into()]].concat();
        let deeper = |names: &[Segment], steps: &[Step], findings: &mut Vec<Finding>| {
            never_reached(
                document,
                steps,
                &[here.as_slice(), names].concat(),
                findings,
            );
        };
        match step {
            Step::When(branches) => {
                for (number, branch) in branches.iter().enumerate() {
                    let name = if branch.steps.is_some() { "do" } else { "else" };
                    deeper(
                        &["when".into(), number.into(), name.into()],
                        steps_of(branch),
                        findings,
                    );
                }
            }
            Step::Ask(ask) => {
                deeper(
                    &["ask".into(), "otherwise".into()],
                    &ask.otherwise,
                    findings,
                );
            }
            _ => {}
        }
        if ends(std::slice::from_ref(step)) && index + 1 < steps.len() {
            let next = [path, &[(index + 1).into()]].concat();
            findings.push(
                document
                    .error(&next, Aim::Value, "this step is never reached")
                    .suggest("the step before it never goes on; remove one of them")
                    .warning(),
            );
            return;
        }
    }
}

/// Warns of states that no way leads to.
fn unreached(
    document: &Document<Flow>,
    ways: &BTreeMap<&StateName, Ways<'_>>,
    findings: &mut Vec<Finding>,
) {
    let flow = &document.value;
    let mut reached = BTreeSet::from([&flow.start]);
    let mut next = VecDeque::from([&flow.start]);
    while let Some(state) = next.pop_front() {
        for goto in ways.get(state).into_iter().flat_map(|way| &way.gotos) {
            if reached.insert(goto) {
                next.push_back(goto);
            }
        }
    }
    if !flow.states.contains_key(&flow.start) {
        return;
    }
    for name in flow.states.keys().filter(|name| !reached.contains(name)) {
        let path: Path = vec!["states".into(), name.0.clone().into()];
        findings.push(
            document
                .error(
                    &path,
                    Aim::Name,
                    format!("no way leads to the state `{name}`"),
                )
                .suggest("go to it from somewhere, or remove it")
                .warning(),
        );
    }
}

/// Tells of states from which the call can never end.
fn endless(
    document: &Document<Flow>,
    ways: &BTreeMap<&StateName, Ways<'_>>,
    findings: &mut Vec<Finding>,
) {
    let mut ending: BTreeSet<&StateName> = BTreeSet::new();
    loop {
        let before = ending.len();
        for (name, way) in ways {
            // A goto to a state that is not there has its own finding.
            let leads = way
                .gotos
                .iter()
                .any(|goto| ending.contains(goto) || !ways.contains_key(goto));
            if way.ends || leads {
                ending.insert(name);
            }
        }
        if ending.len() == before {
            break;
        }
    }
    let endless: Vec<&&StateName> = ways.keys().filter(|name| !ending.contains(*name)).collect();
    if let Some(first) = endless.first() {
        let names: Vec<&str> = endless.iter().map(|name| name.0.as_str()).collect();
        let path: Path = vec!["states".into(), first.0.clone().into()];
        findings.push(
            document
                .error(
                    &path,
                    Aim::Name,
                    format!("no way leads to an end from `{}`", names.join("`, `")),
                )
                .suggest("let one of them transfer, hang up or return"),
        );
    }
}

/// Checks the ways through all flows that a tenant's calls can take: none goes round in a circle
/// without asking or recording on the way.
pub(super) fn check_silence(flows: &[&Document<Flow>], findings: &mut Vec<Finding>) {
    let by_name: BTreeMap<&FlowName, &Document<Flow>> = flows
        .iter()
        .map(|document| (&document.value.flow, *document))
        .collect();
    let mut silent_returns: BTreeSet<&FlowName> = BTreeSet::new();
    let edges = loop {
        let mut edges: BTreeMap<Spot<'_>, Vec<(Spot<'_>, Path)>> = BTreeMap::new();
        let before = silent_returns.len();
        for (name, document) in &by_name {
            for (state, steps) in &document.value.states {
                let mut walk = Silence {
                    flow: name,
                    flows: &by_name,
                    silent_returns: &silent_returns,
                    edges: Vec::new(),
                    returns: false,
                };
                let path: Path = vec!["states".into(), state.0.clone().into()];
                walk.steps(steps, &path);
                edges.insert((name, state), walk.edges);
            }
            // A flow returns in silence when a return can be reached from its start by edges.
            let mut seen = BTreeSet::new();
            let mut next = vec![(*name, &document.value.start)];
            while let Some(spot) = next.pop() {
                if spot.0 != *name || !seen.insert(spot) {
                    continue;
                }
                let Some(steps) = document.value.states.get(spot.1) else {
                    continue;
                };
                let mut walk = Silence {
                    flow: name,
                    flows: &by_name,
                    silent_returns: &silent_returns,
                    edges: Vec::new(),
                    returns: false,
                };
                walk.steps(steps, &Vec::new());
                next.extend(walk.edges.iter().map(|(spot, _)| *spot));
                if walk.returns {
                    silent_returns.insert(name);
                    break;
                }
            }
        }
        if silent_returns.len() == before {
            break edges;
        }
    };
    circles(&edges, &by_name, findings);
}

/// A state of a flow.
type Spot<'a> = (&'a FlowName, &'a StateName);

/// Follows edges and tells of each that comes back to where it has been. Without recursion, for a
/// file may hold very many states.
fn circles<'a>(
    edges: &BTreeMap<Spot<'a>, Vec<(Spot<'a>, Path)>>,
    flows: &BTreeMap<&'a FlowName, &'a Document<Flow>>,
    findings: &mut Vec<Finding>,
) {
    let mut done: BTreeSet<Spot<'a>> = BTreeSet::new();
    for start in edges.keys() {
        if done.contains(start) {
            continue;
        }
        let mut trail: Vec<(Spot<'a>, usize)> = vec![(*start, 0)];
        let mut on_trail: BTreeMap<Spot<'a>, usize> = BTreeMap::from([(*start, 0)]);
        while let Some((spot, next)) = trail.last_mut() {
            let spot = *spot;
            let Some((to, path)) = edges.get(&spot).and_then(|edges| edges.get(*next)) else {
                done.insert(spot);
                on_trail.remove(&spot);
                trail.pop();
                continue;
            };
            *next += 1;
            if let Some(from) = on_trail.get(to) {
                let round: Vec<String> = trail[*from..]
                    .iter()
                    .map(|(spot, _)| spot)
                    .chain([to])
                    .map(|(flow, state)| format!("{flow}.{state}"))
                    .collect();
                if let Some(document) = flows.get(spot.0) {
                    findings.push(
                        document
                            .error(
                                path,
                                Aim::Value,
                                format!(
                                    "the flow can go round for ever without waiting for the \
                                     caller: {}",
                                    round.join(", ")
                                ),
                            )
                            .suggest("ask or record something on the way, or end it"),
                    );
                }
            } else if !done.contains(to) {
                on_trail.insert(*to, trail.len());
                trail.push((*to, 0));
            }
        }
    }
}

/// Walks along steps as far as nothing waits for the caller.
struct Silence<'a, 's> {
    flow: &'a FlowName,
    flows: &'s BTreeMap<&'a FlowName, &'a Document<Flow>>,
    silent_returns: &'s BTreeSet<&'a FlowName>,
    edges: Vec<(Spot<'a>, Path)>,
    returns: bool,
}

impl<'a> Silence<'a, '_> {
    /// Returns whether what stands after the steps can be reached in silence.
    fn steps(&mut self, steps: &'a [Step], path: &Path) -> bool {
        for (index, step) in steps.iter().enumerate() {
            let here =
                |names: &[Segment]| -> Path { [path.as_slice(), &[index.into()], names].concat() };
            match step {
                Step::Ask(_) | Step::Record(_) | Step::Transfer(_) | Step::Hangup(_) => {
                    return false;
                }
                Step::Return(_) => {
                    self.returns = true;
                    return false;
                }
                Step::Goto(state) => {
                    self.edges
                        .push(((self.flow, state), here(&["goto".into()])));
                    return false;
                }
                Step::Call(flow) => {
                    if let Some(document) = self.flows.get(flow) {
                        let spot = (&document.value.flow, &document.value.start);
                        self.edges.push((spot, here(&["call".into()])));
                    }
                    if !self.silent_returns.contains(flow) {
                        return false;
                    }
                }
                Step::When(branches) => {
                    let mut on = branches.iter().all(|branch| branch.otherwise.is_none());
                    for (number, branch) in branches.iter().enumerate() {
                        let name = if branch.steps.is_some() { "do" } else { "else" };
                        let path = here(&["when".into(), number.into(), name.into()]);
                        on |= self.steps(steps_of(branch), &path);
                    }
                    if !on {
                        return false;
                    }
                }
                Step::Message(message) => {
                    self.steps(
                        &message.otherwise,
                        &here(&["message".into(), "otherwise".into()]),
                    );
                }
                Step::Cancel(cancel) => {
                    self.steps(
                        &cancel.otherwise,
                        &here(&["cancel".into(), "otherwise".into()]),
                    );
                }
                Step::Callback(callback) => {
                    self.steps(
                        &callback.otherwise,
                        &here(&["callback".into(), "otherwise".into()]),
                    );
                }
                Step::Notices(_) | Step::Say(_) | Step::Set(_) | Step::Language(_) => {}
            }
        }
        true
    }
}
