//! What mod_callcenter answers about queues, agents and who serves where, read into our own words.
//! Reading is pure, and the switch's clock is part of what is read; the asking is at the end.

use std::collections::{BTreeMap, BTreeSet};

use super::{FreeSwitch, lock};
use crate::dialog::QueueState;
use crate::pbx::PbxError;
use crate::words::QueueName;

/// What mod_callcenter says, as it says it.
#[derive(Clone, Debug, Default)]
pub(super) struct Answers {
    /// `callcenter_config queue list`.
    pub(super) queues: String,
    /// `callcenter_config queue list members QUEUE`, by the queue's whole name.
    pub(super) members: BTreeMap<String, String>,
    /// `callcenter_config agent list`.
    pub(super) agents: String,
    /// `callcenter_config tier list`.
    pub(super) tiers: String,
    /// `strepoch`: the switch's clock, in seconds since 1970.
    pub(super) now: String,
}

/// An agent who could be rung now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Agent {
    /// Their whole name, such as `a1@default`.
    pub(super) name: String,
    /// How they are rung: a dial string.
    pub(super) contact: String,
}

/// One table: names of columns, then rows. Columns are counted from both ends around the one that
/// may hold the separator itself.
struct Table<'a> {
    names: Vec<&'a str>,
    /// The place of the column that people or admins fill freely.
    free: usize,
    rows: Vec<Vec<&'a str>>,
}

impl<'a> Table<'a> {
    fn read(text: &'a str, free: &str) -> Self {
        let mut lines = text.lines().map(str::trim_end);
        let names: Vec<&str> = lines.next().unwrap_or_default().split('|').collect();
        let free = names.iter().position(|name| *name == free);
        let rows = lines
            .map(|line| line.split('|').collect::<Vec<_>>())
            .filter(|row| row.len() >= names.len() && names.len() > 1)
            .collect();
        Self {
            free: free.unwrap_or(names.len()),
            names,
            rows,
        }
    }

    fn rows(&self) -> impl Iterator<Item = Row<'_>> {
        self.rows.iter().map(|cells| Row { table: self, cells })
    }
}

/// One row of a table.
#[derive(Clone, Copy)]
struct Row<'a> {
    table: &'a Table<'a>,
    cells: &'a [&'a str],
}

impl Row<'_> {
    fn get(&self, name: &str) -> &str {
        let names = &self.table.names;
        let Some(column) = names.iter().position(|known| *known == name) else {
            return "";
        };
        let surplus = self.cells.len() - names.len();
        let cell = if column > self.table.free {
            column + surplus
        } else {
            column
        };
        self.cells.get(cell).copied().unwrap_or_default()
    }

    /// Returns all of the column that may hold the separator.
    fn free(&self) -> String {
        let surplus = self.cells.len() - self.table.names.len();
        let first = self.table.free;
        self.cells
            .get(first..=first + surplus)
            .unwrap_or_default()
            .join("|")
    }

    fn number(&self, name: &str) -> u64 {
        self.get(name).parse().unwrap_or_default()
    }
}

impl Answers {
    /// Returns the whole names of all queues.
    pub(super) fn names(&self) -> BTreeSet<String> {
        names(&self.queues)
    }

    /// Returns the state of all queues, which are named without the domain that goes without saying.
    /// mod_callcenter reckons no average waits, so that these are ours.
    pub(super) fn states(&self, domain: &str, waits: &Waits) -> BTreeMap<QueueName, QueueState> {
        let names = self.names();
        let states = names.iter().map(|queue| {
            let state = self.state(queue, waits.average(queue));
            (short(queue, domain), state)
        });
        states.collect()
    }

    fn state(&self, queue: &str, average_wait: u32) -> QueueState {
        let text = self
            .members
            .get(queue)
            .map(String::as_str)
            .unwrap_or_default();
        let members = Table::read(text, "cid_name");
        let waiting: Vec<u64> = members
            .rows()
            .filter(|row| matches!(row.get("state"), "Waiting" | "Trying"))
            .map(|row| row.number("joined_epoch"))
            .collect();
        let first = waiting.iter().copied().filter(|joined| *joined > 0).min();
        let longest = first.map_or(0, |first| self.now().saturating_sub(first));
        let served = self.served(queue);
        let mut agents = served.iter().map(|post| &post.agent).collect::<Vec<_>>();
        agents.sort();
        agents.dedup();
        let free: BTreeSet<_> = served
            .iter()
            .filter(|post| post.free)
            .map(|post| &post.agent)
            .collect();
        QueueState {
            waiting: small(waiting.len() as u64),
            agents_free: small(free.len() as u64),
            agents: small(agents.len() as u64),
            longest_wait: small(longest),
            average_wait,
        }
    }

    /// Returns the agents of a queue who could be rung now, in the order in which they should be:
    /// by level and position, and among equals who has been without a call for longest.
    pub(super) fn free_agents(&self, queue: &str) -> Vec<Agent> {
        let mut posts = self.served(queue);
        posts.retain(|post| post.free && post.rung);
        posts.sort_by_key(|post| (post.level, post.position, post.idle_since));
        posts
            .into_iter()
            .map(|post| Agent {
                name: post.agent,
                contact: post.contact,
            })
            .collect()
    }

    /// Lists those who are logged in and serve a queue.
    fn served(&self, queue: &str) -> Vec<Post> {
        let queues = Table::read(&self.queues, "moh_sound");
        // Where an older release does not say, it does not skip either.
        let skips = queues.rows().any(|row| {
            row.get("name") == queue && row.get("skip_agents_with_external_calls") == "true"
        });
        let agents = Table::read(&self.agents, "contact");
        let tiers = Table::read(&self.tiers, "");
        let now = self.now();
        let mut posts = Vec::new();
        for tier in tiers.rows().filter(|tier| tier.get("queue") == queue) {
            let is_agent = |row: &Row<'_>| row.get("name") == tier.get("agent");
            let Some(agent) = agents.rows().find(is_agent) else {
                continue;
            };
            if !matches!(agent.get("status"), "Available" | "Available (On Demand)") {
                continue;
            }
            let rested = agent.number("last_bridge_end") + agent.number("wrap_up_time");
            let free = matches!(tier.get("state"), "Ready" | "No Answer")
                && agent.get("state") == "Waiting"
                && !(skips && agent.number("external_calls_count") > 0)
                && agent.number("ready_time") <= now
                && (agent.number("last_bridge_end") == 0 || rested < now);
            posts.push(Post {
                agent: agent.get("name").to_owned(),
                contact: agent.free(),
                rung: agent.get("type") == "callback",
                free,
                level: tier.number("level"),
                position: tier.number("position"),
                idle_since: agent
                    .number("last_bridge_end")
                    .max(agent.number("last_offered_call")),
            });
        }
        posts
    }

    fn now(&self) -> u64 {
        self.now.trim().parse().unwrap_or_default()
    }
}

/// An agent at their post in one queue.
struct Post {
    agent: String,
    contact: String,
    /// Whether they are rung for each call, instead of waiting on the line.
    rung: bool,
    free: bool,
    level: u64,
    position: u64,
    idle_since: u64,
}

/// Reads the whole names of all queues out of `callcenter_config queue list`.
pub(super) fn names(list: &str) -> BTreeSet<String> {
    let table = Table::read(list, "moh_sound");
    table.rows().map(|row| row.get("name").to_owned()).collect()
}

/// Adds the default domain to a queue's name that has none.
pub(super) fn full(queue: &QueueName, domain: &str) -> String {
    match queue.0.contains('@') {
        true => queue.0.clone(),
        false => format!("{}@{domain}", queue.0),
    }
}

/// Takes the default domain off a queue's name.
pub(super) fn short(queue: &str, domain: &str) -> QueueName {
    let name = queue
        .strip_suffix(domain)
        .and_then(|name| name.strip_suffix('@'));
    QueueName::from(name.filter(|name| !name.is_empty()).unwrap_or(queue))
}

fn small(number: u64) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

/// Average waits of queues, in seconds, of which each new one counts a quarter.
#[derive(Clone, Debug, Default)]
pub(super) struct Waits(BTreeMap<String, u32>);

impl Waits {
    /// Notes how many seconds a caller has waited who was served now.
    pub(super) fn note(&mut self, queue: &str, waited: u32) {
        match self.0.get_mut(queue) {
            Some(average) => {
                let sum = 3 * u64::from(*average) + u64::from(waited);
                *average = small((sum + 2) / 4);
            }
            None => {
                self.0.insert(queue.to_owned(), waited);
            }
        }
    }

    /// Returns the average wait in a queue, in seconds; none when nobody has been served yet.
    pub(super) fn average(&self, queue: &str) -> u32 {
        self.0.get(queue).copied().unwrap_or_default()
    }
}

impl FreeSwitch {
    /// Reads the state of all queues.
    pub(super) async fn read_queues(&self) -> Result<BTreeMap<QueueName, QueueState>, PbxError> {
        let mut answers = self.ask_posts().await?;
        for queue in answers.names() {
            // A name that no tenant could write could be more than a name in a command, too.
            if super::value::extension("the queue's name", &queue).is_err() {
                tracing::debug!(queue, "a queue's name cannot be used");
                continue;
            }
            let command = format!("callcenter_config queue list members {queue}");
            let members = self.link.api(command).await?;
            answers.members.insert(queue, members);
        }
        let waits = lock(&self.calls).waits().clone();
        Ok(answers.states(&self.config.queue_domain, &waits))
    }

    /// Asks which queues there are and who serves them, but not who waits.
    pub(super) async fn ask_posts(&self) -> Result<Answers, PbxError> {
        let list = |what: &str| self.link.api(format!("callcenter_config {what} list"));
        Ok(Answers {
            queues: list("queue").await?,
            agents: list("agent").await?,
            tiers: list("tier").await?,
            now: self.link.api("strepoch".to_owned()).await?,
            members: BTreeMap::new(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUEUES: &str = "\
name|strategy|moh_sound|time_base_score|tier_rules_apply|tier_rule_wait_second|tier_rule_wait_multiply_level|tier_rule_no_agent_no_wait|discard_abandoned_after|abandoned_resume_allowed|max_wait_time|max_wait_time_with_no_agent|max_wait_time_with_no_agent_time_reached|record_template|calls_answered|calls_abandoned|ring_progressively_delay|skip_agents_with_external_calls|agent_no_answer_status
support@default|longest-idle-agent|tone_stream://%(400,600,300);loops=-1|system|false|0|false|true|60|false|0|0|5||1|2|0|true|On Break
+OK";

    const MEMBERS: &str = "\
queue|instance_id|uuid|session_uuid|cid_number|cid_name|system_epoch|joined_epoch|rejoined_epoch|bridge_epoch|abandoned_epoch|base_score|skill_score|serving_agent|serving_system|state|score
support@default|single_box|b13666fd-3938-4526-823a-77ea54f8cf76||+4500000017|Søren Ærø|1795335967|1795335967|0|0|1795335969|0|0|||Abandoned|7
support@default|single_box|3f7c3d4d-9d67-4365-ae37-ed96cbda25b7|90ef509f-5c80-4b59-9c9b-0d398ec713c4|+4500000017|Søren Ærø|1795335971|1795335971|0|0|0|0|0|||Waiting|3
support@default|single_box|404a30c6-7dab-4e50-9edc-10ecfc0cb374|31de0e1c-b532-4d90-9037-8dbbe532df33|+4500000018|Pipe | Name|1795335973|1795335973|0|0|0|0|0|||Waiting|1
+OK";

    const AGENTS: &str = "\
name|instance_id|uuid|type|contact|status|state|max_no_answer|wrap_up_time|reject_delay_time|busy_delay_time|no_answer_delay_time|last_bridge_start|last_bridge_end|last_offered_call|last_status_change|no_answer_count|calls_answered|talk_time|ready_time|external_calls_count
a1@default|single_box||callback|[leg_timeout=10]sofia/internal/sip:a1@127.0.0.1:5091|Available|Waiting|3|1|1|1|0|1795335963|1795335965|1795335970|1795335971|0|0|0|0|0
a2@default|single_box||callback|sofia/internal/a2@one|sofia/internal/a2@two|Available (On Demand)|Waiting|3|1|1|1|0|0|0|0|1795335953|0|0|0|0|0
+OK";

    const TIERS: &str = "\
queue|agent|state|level|position
support@default|a1@default|Ready|1|1
support@default|a2@default|Ready|1|1
+OK";

    fn answers() -> Answers {
        let members = [("support@default".to_owned(), MEMBERS.to_owned())];
        Answers {
            queues: QUEUES.to_owned(),
            members: members.into(),
            agents: AGENTS.to_owned(),
            tiers: TIERS.to_owned(),
            now: "1795335974".to_owned(),
        }
    }

    fn state(answers: &Answers) -> QueueState {
        let states = answers.states("default", &Waits::default());
        states[&QueueName::from("support")]
    }

    fn names(agents: Vec<Agent>) -> Vec<String> {
        agents.into_iter().map(|agent| agent.name).collect()
    }

    #[test]
    fn only_those_who_wait_are_counted_even_when_a_name_holds_the_separator() {
        let found = state(&answers());
        assert_eq!((found.waiting, found.longest_wait), (2, 3));
        assert_eq!((found.agents, found.agents_free), (2, 2));
        let cases = [
            (MEMBERS.replace("Waiting", "Trying"), (2, 3)),
            (MEMBERS.replace("Pipe | Name", "|||a||"), (2, 3)),
            (MEMBERS.replacen("Waiting", "Answered", 1), (1, 1)),
            (MEMBERS.replace("Waiting", "Answered"), (0, 0)),
        ];
        for (members, expected) in cases {
            let mut changed = answers();
            changed
                .members
                .insert("support@default".to_owned(), members);
            let found = state(&changed);
            assert_eq!((found.waiting, found.longest_wait), expected);
        }
    }

    #[test]
    fn a_queue_without_anybody_is_there_and_an_unknown_one_is_not() {
        let mut empty = answers();
        empty.members.clear();
        empty.tiers = "queue|agent|state|level|position\n+OK".to_owned();
        let states = empty.states("default", &Waits::default());
        assert_eq!(states.len(), 1);
        assert_eq!(states[&QueueName::from("support")].agents, 0);
        for nothing in ["", "+OK", "-ERR callcenter_config Command not found!"] {
            let none = Answers {
                queues: nothing.to_owned(),
                ..answers()
            };
            assert!(
                none.states("default", &Waits::default()).is_empty(),
                "{nothing:?}"
            );
        }
    }

    #[test]
    fn agents_are_those_who_are_logged_in_and_free_those_whom_the_queue_would_ring() {
        let cases = [
            // (what is changed in the list of agents, agents, free)
            (("Available|", "Logged Out|"), 1, 1),
            (("Available|", "On Break|"), 1, 1),
            (("Available|Waiting", "Available|Receiving"), 2, 1),
            (("Available|Waiting", "Available|In a queue call"), 2, 1),
            (("1795335971|0|0|0|0|0", "1795335971|0|0|0|0|1"), 2, 1),
            (
                ("1795335971|0|0|0|0|0", "1795335971|0|0|0|1795335990|0"),
                2,
                1,
            ),
            (("1795335963|1795335965", "1795335963|1795335974"), 2, 1),
        ];
        for ((from, to), agents, free) in cases {
            let changed = Answers {
                agents: AGENTS.replacen(from, to, 1),
                ..answers()
            };
            let state = state(&changed);
            assert_eq!(
                (state.agents, state.agents_free),
                (agents, free),
                "{from} -> {to}"
            );
        }
        let standby = TIERS.replacen("Ready", "Standby", 1);
        let state = state(&Answers {
            tiers: standby,
            ..answers()
        });
        assert_eq!((state.agents, state.agents_free), (2, 1));
    }

    #[test]
    fn a_call_besides_the_queue_counts_only_where_the_queue_minds_it() {
        let busy = Answers {
            agents: AGENTS.replacen("1795335971|0|0|0|0|0", "1795335971|0|0|0|0|1", 1),
            ..answers()
        };
        assert_eq!(state(&busy).agents_free, 1);
        let queues = QUEUES.replace("|0|true|On Break", "|0|false|On Break");
        assert_eq!(state(&Answers { queues, ..busy }).agents_free, 2);
    }

    #[test]
    fn free_agents_come_by_tier_and_then_by_how_long_they_have_been_without_a_call() {
        let agents = answers().free_agents("support@default");
        assert_eq!(
            agents[0].contact,
            "sofia/internal/a2@one|sofia/internal/a2@two"
        );
        assert_eq!(
            agents[1].contact,
            "[leg_timeout=10]sofia/internal/sip:a1@127.0.0.1:5091"
        );
        assert_eq!(names(agents), ["a2@default", "a1@default"]);
        let tiers = TIERS.replace("a2@default|Ready|1|1", "a2@default|Ready|2|1");
        let tiered = Answers { tiers, ..answers() };
        assert_eq!(
            names(tiered.free_agents("support@default")),
            ["a1@default", "a2@default"]
        );
        let standing = Answers {
            agents: AGENTS.replacen("callback", "uuid-standby", 1),
            ..answers()
        };
        assert_eq!(
            names(standing.free_agents("support@default")),
            ["a2@default"]
        );
        assert!(answers().free_agents("other@default").is_empty());
    }

    #[test]
    fn a_queue_is_named_without_the_domain_that_goes_without_saying() {
        assert_eq!(
            short("support@default", "default"),
            QueueName::from("support")
        );
        assert_eq!(
            short("support@other", "default"),
            QueueName::from("support@other")
        );
        assert_eq!(
            short("supportdefault", "default"),
            QueueName::from("supportdefault")
        );
        assert_eq!(short("@default", "default"), QueueName::from("@default"));
        assert_eq!(
            full(&QueueName::from("support"), "default"),
            "support@default"
        );
        assert_eq!(
            full(&QueueName::from("support@other"), "default"),
            "support@other"
        );
    }

    #[test]
    fn each_wait_counts_a_quarter_of_the_average() {
        let mut waits = Waits::default();
        assert_eq!(waits.average("support@default"), 0);
        waits.note("support@default", 40);
        assert_eq!(waits.average("support@default"), 40);
        waits.note("support@default", 80);
        assert_eq!(waits.average("support@default"), 50);
        waits.note("support@default", u32::MAX);
        assert_eq!(waits.average("support@default"), 1_073_741_861);
        assert_eq!(waits.average("other@default"), 0);
        assert_eq!(
            answers().states("default", &waits)[&QueueName::from("support")].average_wait,
            1_073_741_861
        );
    }
}
