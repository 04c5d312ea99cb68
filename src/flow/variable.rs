//! What templates and expressions in flows can speak of: the words that the dialog provides.
//!
//! The dialog's room gives them their values; the check and the documentation read this list.

/// A name that every flow knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Variable {
    /// What flows call it.
    pub name: &'static str,
    /// Its parts; empty for a plain value.
    pub parts: &'static [(&'static str, &'static str)],
    /// What it is.
    pub about: &'static str,
}

/// What a department tells about itself.
const DEPARTMENT: &[(&str, &str)] = &[
    ("id", "its id"),
    (
        "name",
        "what it is called aloud, in the language of the call",
    ),
    ("open", "whether it is open now"),
    (
        "opens",
        "when it opens next, written out; empty when not within a month",
    ),
    ("wait", "the expected wait in seconds"),
    (
        "long_wait",
        "whether that is so long that the tenant offers a callback",
    ),
    ("waiting", "how many callers are waiting"),
    ("agents_free", "how many agents could take a call now"),
    ("agents", "how many agents are logged in"),
    ("queue", "its queue on the PBX"),
    (
        "overflow",
        "the id of where callers go when it cannot take them",
    ),
    ("mail", "where its mail goes"),
    (
        "appointments",
        "whether it takes cancellations of appointments",
    ),
];

/// Every name that the dialog provides. Slots come on top of them by their own names.
pub const VARIABLES: &[Variable] = &[
    Variable {
        name: "tenant",
        parts: &[
            ("id", "its short name"),
            (
                "name",
                "what it is called aloud, in the language of the call",
            ),
        ],
        about: "whom the caller has called",
    },
    Variable {
        name: "caller",
        parts: &[
            ("number", "the number in E.164; empty when withheld"),
            ("known", "whether the number is known"),
            ("name", "the name that the PBX shows, if any"),
        ],
        about: "who calls",
    },
    Variable {
        name: "department",
        parts: DEPARTMENT,
        about: "the department chosen, once there is one: put an id into the slot to choose it",
    },
    Variable {
        name: "departments",
        parts: &[],
        about: "all departments by their ids, such as `departments.parking.open`",
    },
    Variable {
        name: "operator",
        parts: DEPARTMENT,
        about: "the department that takes everyone who wants a person",
    },
    Variable {
        name: "callback",
        parts: &[
            ("reason", "what the callback is about"),
            ("reference", "its reference"),
        ],
        about: "the callback that this call carries out; empty parts in other calls",
    },
    Variable {
        name: "modules",
        parts: &[
            ("callback", "whether callers may be called back"),
            ("message", "whether callers may leave messages"),
            (
                "cancel_appointment",
                "whether callers may cancel appointments",
            ),
        ],
        about: "what the tenant has switched on",
    },
    Variable {
        name: "language",
        parts: &[],
        about: "the language of the call, such as `da`",
    },
    Variable {
        name: "speech",
        parts: &[],
        about: "whether callers can be heard; by keys only when not",
    },
    Variable {
        name: "said",
        parts: &[],
        about: "the caller's words that the last intent was taken from; empty when it came by key",
    },
    Variable {
        name: "now",
        parts: &[],
        about: "the time of day, such as `14:30`, in the tenant's time zone",
    },
    Variable {
        name: "today",
        parts: &[],
        about: "the day, such as `2026-05-03`, in the tenant's time zone",
    },
    Variable {
        name: "phrases",
        parts: &[],
        about: "the dialog's own sentences by their names, such as `phrases.goodbye`",
    },
    Variable {
        name: "notices",
        parts: &[],
        about: "the notices in force, as a list of texts",
    },
];

/// The filters that the dialog adds to those of the template engine, with what they do.
pub const FILTERS: &[(&str, &str)] = &[
    ("number", "a number in words"),
    ("digits", "digit by digit"),
    ("phone", "a telephone number as it is spoken"),
    ("date", "a day, such as `2026-05-03`, in words"),
    ("time", "a time of day, such as `14:30`, in words"),
    ("wait", "seconds as a rough waiting time in words"),
    ("money", "an amount in kroner in words"),
    ("spell", "letter by letter"),
    ("list", "a list joined with commas and \"and\""),
];

/// Slots that are filled before a flow begins that carries out a callback.
pub(super) const CALLBACK_SLOTS: &[&str] = &["department", "reason", "reference"];

#[cfg(test)]
mod tests {
    use super::{FILTERS, VARIABLES};

    #[test]
    fn the_readme_names_everything_that_flows_can_use() {
        let readme = include_str!("../../flows/README.md");
        let parts = VARIABLES.iter().flat_map(|variable| variable.parts);
        let names = VARIABLES.iter().map(|variable| variable.name);
        for name in names.chain(parts.chain(FILTERS).map(|(name, _)| *name)) {
            assert!(readme.contains(&format!("`{name}`")), "{name}");
        }
    }

    #[test]
    fn every_filter_that_is_promised_is_there_when_a_flow_is_played() {
        let environment = crate::dialog::environment();
        for (name, about) in FILTERS {
            let missing = environment
                .empty_state()
                .apply_filter(name, &[])
                .is_err_and(|error| error.kind() == minijinja::ErrorKind::UnknownFilter);
            assert!(!missing, "{name}: {about}");
        }
    }
}
