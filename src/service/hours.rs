//! Opening hours: weekly openings, holidays and exceptions of a department, in its time zone.
//!
//! Pure: the time is an argument.

use std::collections::BTreeMap;

use jiff::civil::Date;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The week: openings per weekday, such as `mon-thu: "09:00-15:00"`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Hours(pub BTreeMap<String, String>);

/// Which days are closed whatever the week says.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Holidays {
    /// Local choices by name: `may_1`, `june_5`, `dec_24`, `dec_31`, `friday_after_ascension`.
    #[serde(default)]
    pub closed: Vec<String>,
    /// Single days with other hours, or closed when empty.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, String>")]
    pub days: BTreeMap<Date, String>,
}
