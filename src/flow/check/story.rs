//! Checks stories before they are played: times, flows, queues and targets that do not exist.

use super::View;
use crate::flow::Stories;
use crate::flow::finding::{Finding, did_you_mean};
use crate::flow::read::Aim;
use crate::flow::story::{Expectation, Story, Turn};
use crate::flow::tree::Segment;
use crate::words::{Key, QueueName};

/// Checks the stories of a file.
pub(super) fn check(view: &View<'_>, stories: &Stories, findings: &mut Vec<Finding>) {
    for (index, story) in stories.stories().iter().enumerate() {
        let mut reader = Reader {
            view,
            stories,
            path: vec![index.into()],
            findings,
        };
        reader.story(story);
    }
}

struct Reader<'a, 'f> {
    view: &'a View<'a>,
    stories: &'a Stories,
    path: Vec<Segment>,
    findings: &'f mut Vec<Finding>,
}

impl Reader<'_, '_> {
    fn tell(&mut self, below: &[Segment], message: String, suggestion: Option<String>) {
        self.tell_at(Aim::Value, below, message, suggestion);
    }

    fn tell_at(
        &mut self,
        aim: Aim,
        below: &[Segment],
        message: String,
        suggestion: Option<String>,
    ) {
        let path = [self.path.as_slice(), below].concat();
        let mut finding = self.stories.document().error(&path, aim, message);
        finding.suggestion = suggestion;
        self.findings.push(finding);
    }

    fn story(&mut self, story: &Story) {
        if story.at.trim().parse::<jiff::civil::DateTime>().is_err() {
            self.tell(
                &["at".into()],
                format!("{:?} is no day and time", story.at),
                Some("write it as \"2026-12-24 10:00\"".to_owned()),
            );
        }
        if let Some(flow) = &story.flow
            && !self.view.flows.contains_key(flow)
        {
            let known = self.view.flows.keys().map(|name| name.0.as_str());
            let near = did_you_mean(&flow.0, known);
            self.tell(&["flow".into()], format!("there is no flow `{flow}`"), near);
        }
        if story.turns.is_empty() {
            self.tell(
                &["turns".into()],
                "nothing happens in this story".to_owned(),
                None,
            );
        }
        for queue in story.queues.keys() {
            self.queue(queue, &["queues".into(), queue.0.clone().into()]);
        }
        for (name, texts) in &story.notices {
            if texts.is_empty() && !self.view.tenant.notices.contains_key(name) {
                let known = self.view.tenant.notices.keys().map(String::as_str);
                let near = did_you_mean(name, known);
                self.tell_at(
                    Aim::Name,
                    &["notices".into(), name.clone().into()],
                    format!("`{name}` is no prepared notice and has no text here"),
                    near,
                );
            }
        }
        for (index, turn) in story.turns.iter().enumerate() {
            self.path.extend(["turns".into(), index.into()]);
            self.turn(turn);
            self.path.truncate(self.path.len() - 2);
        }
    }

    fn turn(&mut self, turn: &Turn) {
        match turn {
            Turn::Presses(keys) => {
                if let Some(odd) = keys.chars().find(|key| Key::new(*key).is_none()) {
                    self.tell(
                        &["caller presses".into()],
                        format!("{odd:?} is no key"),
                        Some("write 0 to 9, * and #, one after the other".to_owned()),
                    );
                }
            }
            Turn::Queues(queues) => {
                for queue in queues.keys() {
                    self.queue(queue, &["queues change".into(), queue.0.clone().into()]);
                }
            }
            Turn::Expect(expectation) => self.expectation(expectation),
            Turn::Says(_)
            | Turn::Silent(_)
            | Turn::Records(_)
            | Turn::HangsUp(_)
            | Turn::TransferFails(_)
            | Turn::OrderFails(_)
            | Turn::SpeechFails(_) => {}
        }
    }

    fn expectation(&mut self, expectation: &Expectation) {
        if *expectation == Expectation::default() {
            self.tell(
                &["expect".into()],
                "nothing is expected".to_owned(),
                Some("write at least one thing, such as says or transfer".to_owned()),
            );
        }
        let orders = [
            ("callback", &expectation.callback),
            ("message", &expectation.message),
            ("cancel", &expectation.cancel),
        ];
        for (field, order) in orders {
            let Some(id) = order.as_ref().and_then(|order| order.department.as_ref()) else {
                continue;
            };
            if let Some((message, near)) = self.view.no_department(&id.0) {
                self.tell(
                    &["expect".into(), field.into(), "department".into()],
                    message,
                    near,
                );
            }
        }
    }

    fn queue(&mut self, queue: &QueueName, below: &[Segment]) {
        let queues = self.view.tenant.departments.values();
        let known: Vec<&str> = queues.map(|it| it.queue.0.as_str()).collect();
        if !known.contains(&queue.0.as_str()) {
            let near = did_you_mean(&queue.0, known);
            self.tell_at(
                Aim::Name,
                below,
                format!("no department has the queue `{queue}`"),
                near,
            );
        }
    }
}
