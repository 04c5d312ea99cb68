//! Moving: where callers are sent, and what becomes of them when that fails.

use jiff::Timestamp;

use super::super::command::{Command, Outcome};
use super::super::order::{Handoff, Target};
use super::super::scope::{SlotValue, text_in};
use super::{Dialog, Fault, Waiting};
use crate::flow;
use crate::language::tongue;
use crate::words::{DepartmentId, Language, PhoneNumber};

impl Dialog {
    pub(super) fn aim(
        &self,
        transfer: &flow::Transfer,
        now: Timestamp,
    ) -> Result<(Target, Handoff), Fault> {
        let reason = transfer
            .reason
            .as_deref()
            .map(|t| self.render(t, now))
            .transpose()?;
        if let Some(extension) = &transfer.extension {
            let handoff = self.handoff(reason.unwrap_or_default());
            return Ok((Target::Extension(extension.clone()), handoff));
        }
        if let Some(number) = &transfer.number {
            let number = PhoneNumber::parse(&self.text_of(number, now)?);
            let number = number.map_err(|error| error.to_string())?;
            return Ok((
                Target::External(number),
                self.handoff(reason.unwrap_or_default()),
            ));
        }
        let id =
            self.department_in(transfer.department.as_deref().unwrap_or("operator.id"), now)?;
        let department = self
            .playbook
            .department(&id)
            .ok_or(format!("no department {id}"))?;
        let target = Target::Queue {
            queue: department.queue.clone(),
            priority: transfer.priority,
        };
        let name = || self.playbook.department_name(&id, self.agents_language());
        Ok((target, self.handoff(reason.unwrap_or_else(name))))
    }

    /// Returns where callers of a department go when it cannot take them.
    pub(super) fn overflow_of(
        &self,
        transfer: &flow::Transfer,
        handoff: &Handoff,
        now: Timestamp,
    ) -> Option<(DepartmentId, Target, Handoff)> {
        let id = self
            .department_in(transfer.department.as_deref()?, now)
            .ok()?;
        let overflow = self.playbook.department(&id)?.overflow.as_ref()?;
        let queue = self.playbook.department(overflow)?.queue.clone();
        let target = Target::Queue {
            queue,
            priority: transfer.priority,
        };
        Some((overflow.clone(), target, handoff.clone()))
    }

    pub(super) fn agents_language(&self) -> Language {
        self.playbook
            .shelf
            .tenant
            .mail
            .language
            .unwrap_or_else(|| self.playbook.first_language())
    }

    pub(super) fn handoff(&self, reason: String) -> Handoff {
        let agents = self.agents_language();
        let tenant = &self.playbook.shelf.tenant.name;
        let tenant = tenant
            .get(&agents)
            .or(tenant.values().next())
            .cloned()
            .unwrap_or_default();
        let phrase = text_in(&self.playbook.shelf.phrases.whisper, agents);
        let values = minijinja::context! {
            tenant => tenant.clone(), reason => reason.clone(), language => agents.code(),
            spoken => self.language.code(),
            spoken_name => tongue(self.language).name.get(&agents),
        };
        let summary = self
            .playbook
            .environment
            .render_str(phrase, values)
            .unwrap_or_default();
        Handoff {
            caller: self.caller.number.clone(),
            language: Some(self.language),
            reason,
            summary,
            agents: Some(agents),
            tenant,
            reference: self
                .slots
                .get("reference")
                .and_then(SlotValue::as_str)
                .map(Into::into),
            whisper: None,
        }
    }

    pub(super) fn transfer(&mut self, target: Target, handoff: Handoff, to_operator: bool) {
        self.commands.push(Command::Deafen);
        self.commands.push(Command::Transfer { target, handoff });
        // The call reports in its own time, after all is said; there is no deadline here.
        self.waiting = Waiting::Transfer { to_operator };
        self.deadline = None;
    }

    /// Sends the caller to a person, the end of every path that does not work out.
    pub(super) fn call_operator(&mut self) {
        let phrase = self.playbook.shelf.phrases.to_person.clone();
        self.phrase(&phrase, &[]);
        let operator = self.playbook.shelf.tenant.operator.clone();
        let Some(department) = self.playbook.department(&operator) else {
            return self.fall_back();
        };
        self.bound_for = Some(operator.clone());
        let target = Target::Queue {
            queue: department.queue.clone(),
            priority: 0,
        };
        let reason = match self.department() {
            Some(id) => self.playbook.department_name(&id, self.agents_language()),
            None => self
                .playbook
                .department_name(&operator, self.agents_language()),
        };
        let handoff = self.handoff(reason);
        self.transfer(target, handoff, true);
    }

    pub(super) fn fault(&mut self, fault: Fault) {
        self.note_fault(fault);
        if self.falling_back {
            return self.fall_back();
        }
        self.falling_back = true;
        self.call_operator();
    }

    pub(super) fn fall_back(&mut self) {
        self.commands.push(Command::HangUp {
            outcome: Outcome::FellBack,
        });
        self.over();
    }

    pub(super) fn finish(&mut self) {
        self.commands.push(Command::HangUp {
            outcome: Outcome::Completed,
        });
        self.over();
    }

    pub(super) fn over(&mut self) {
        self.waiting = Waiting::Over;
        self.deadline = None;
        self.stack.clear();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use jiff::Timestamp;

    use super::super::super::{Caller, Command, Dialog, Event, Heard, Outcome, Playbook, Target};
    use crate::flow::Library;
    use crate::words::{DepartmentId, Key, Language};

    /// A dialog with Egekøbing, whose job centre overflows to parking, on a working day.
    fn dialog() -> (Dialog, Timestamp) {
        let (library, findings) = Library::embedded();
        let library = library.unwrap_or_else(|| panic!("{findings:?}"));
        let mut shelf = (**library.shelf(&"egekoebing".into()).unwrap()).clone();
        let job_centre = shelf.tenant.departments.get_mut("job_centre").unwrap();
        job_centre.overflow = Some(DepartmentId::from("parking"));
        let playbook = Playbook::new(Arc::new(shelf)).unwrap();
        let now = "2026-11-24T10:00:00Z".parse().unwrap();
        let mut dialog = Dialog::new(Arc::new(playbook), Caller::default(), None);
        dialog.handle(Event::Answered, now);
        (dialog, now)
    }

    fn queue(commands: &[Command]) -> Option<String> {
        commands.iter().find_map(|command| match command {
            Command::Transfer {
                target: Target::Queue { queue, .. },
                ..
            } => Some(queue.0.clone()),
            _ => None,
        })
    }

    fn speaks(commands: &[Command]) -> bool {
        commands
            .iter()
            .any(|command| matches!(command, Command::Say(_)))
    }

    #[test]
    fn a_transfer_that_fails_overflows_without_a_word_then_to_a_person_then_to_the_dialplan() {
        let (mut dialog, now) = dialog();
        let failed = || Event::TransferFailed {
            reason: "nobody there".to_owned(),
        };
        let first = dialog.handle(Event::Key(Key::new('2').unwrap()), now);
        assert_eq!(queue(&first).as_deref(), Some("jobcenter"));
        assert!(dialog.has_overflow());

        let second = dialog.handle(failed(), now);
        assert_eq!(queue(&second).as_deref(), Some("parkering"));
        assert!(!speaks(&second));
        assert_eq!(dialog.bound_for(), Some(DepartmentId::from("parking")));

        let third = dialog.handle(failed(), now);
        assert_eq!(queue(&third).as_deref(), Some("omstilling"));
        assert!(speaks(&third));
        assert_eq!(dialog.bound_for(), Some(DepartmentId::from("switchboard")));

        let last = dialog.handle(failed(), now);
        assert!(last.contains(&Command::HangUp {
            outcome: Outcome::FellBack
        }));
    }

    #[test]
    fn a_wish_for_another_language_is_no_yes_to_the_question() {
        let (mut dialog, now) = dialog();
        dialog.handle(
            Event::Heard(Heard::written(Language::DA, "jeg vil gerne ringes op")),
            now,
        );
        dialog.handle(
            Event::Heard(Heard::written(Language::DA, "borgerservice")),
            now,
        );
        let number = "+4520123456";
        for key in "20123456".chars() {
            dialog.handle(Event::Key(Key::new(key).unwrap()), now);
        }
        // The hash that the prompt asks for ends what has ended: the number stays.
        let hash = dialog.handle(Event::Key(Key::new('#').unwrap()), now);
        assert!(hash.is_empty(), "{hash:?}");
        dialog.handle(
            Event::Heard(Heard::written(Language::EN, "in english please")),
            now,
        );
        assert_eq!(dialog.language(), Language::EN);
        assert_ne!(
            dialog.slot("callback_number").and_then(|it| it.as_str()),
            Some(number)
        );
    }
}
