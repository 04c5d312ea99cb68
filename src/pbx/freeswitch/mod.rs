//! FreeSWITCH over its Event Socket: calls come in by the dialplan's `socket … async full`, one
//! connection each; a link of our own beside them dials, reads queues and hears what happens to
//! callers who have been moved on. Audio goes by unicast.

// What this branch needs of the rooms that are written beside it.
#![allow(dead_code)]

mod commands;
pub mod link;
mod originate;
mod outcome;
mod queues;
pub mod told;
mod value;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use self::calls::Calls;
use self::link::{Link, Times};
use self::originate::Rung;
use self::told::Told;
use crate::pbx::news::Place;
use crate::words::QueueName;

struct Contexts {
    callback_agent: String,
    callback_caller: String,
}

struct Config {
    queue_domain: String,
    outbound: String,
    contexts: Contexts,
}

struct FreeSwitch {
    link: Link,
    news: Place<Told>,
    calls: Arc<Mutex<Calls>>,
    config: Config,
    times: Times,
    rung: Rung,
}

impl FreeSwitch {
    fn queue_name(&self, queue: &QueueName) -> String {
        queues::whole_name(&queue.0, &self.config.queue_domain)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

mod calls {
    use std::time::Instant;

    use crate::pbx::Arrival;
    use crate::words::CallId;

    #[derive(Default)]
    pub(super) struct Calls;

    impl Calls {
        pub(super) fn expect(&mut self, _: CallId, _: Arrival, _: Instant) {}
        pub(super) fn forget(&mut self, _: CallId) {}
    }
}

mod transfer {
    use crate::dialog::Handoff;

    pub(super) fn handoff_variables(handoff: &Handoff) -> Vec<(&'static str, String)> {
        vec![("hotline_reason", handoff.reason.clone())]
    }
}
