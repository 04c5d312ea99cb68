//! What the contact centre around a PBX looks like, in words that every PBX has.

/// Agents, queues, where Hotline is, and what the admin has set.
#[derive(Clone, Debug, Default)]
pub struct Site {
    pub(crate) agents: Vec<(String, u16)>,
    pub(crate) queues: Vec<(String, Vec<String>)>,
    pub(crate) fallback_queue: Option<String>,
    pub(crate) hotlines: Vec<u16>,
    pub(crate) door: Option<u16>,
    pub(crate) announces: bool,
    pub(crate) settings: Vec<(String, String)>,
    pub(crate) numbers: Vec<(String, String)>,
}

impl Site {
    /// Makes a site without agents and queues.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an agent whose phone is on that loopback port.
    pub fn agent(mut self, name: &str, phone: u16) -> Self {
        self.agents.push((name.to_owned(), phone));
        self
    }

    /// Adds a queue with the agents that answer it; it may have none.
    pub fn queue(mut self, name: &str, agents: &[&str]) -> Self {
        let agents = agents.iter().map(|&agent| agent.to_owned()).collect();
        self.queues.push((name.to_owned(), agents));
        self
    }

    /// Names the ordinary queue, for callers whom Hotline does not serve.
    pub fn fallback_queue(mut self, name: &str) -> Self {
        self.fallback_queue = Some(name.to_owned());
        self
    }

    /// Says on which port a Hotline takes calls; a second one is tried when the first is away,
    /// where the PBX can do that.
    pub fn hotline(mut self, port: u16) -> Self {
        self.hotlines.push(port);
        self
    }

    /// Says on which port Hotline's HTTP door is.
    pub fn door(mut self, port: u16) -> Self {
        self.door = Some(port);
        self
    }

    /// Makes the PBX announce each call at Hotline's HTTP door first, where it knows that way.
    pub fn announcing(mut self) -> Self {
        self.announces = true;
        self
    }

    /// Sets one of the dialplan's settings: `ring` is `HOTLINE_RING` or `hotline_ring`.
    pub fn setting(mut self, name: &str, value: impl ToString) -> Self {
        self.settings.push((name.to_owned(), value.to_string()));
        self
    }

    /// Says whose number that is; a PBX passes the number on and needs no telling.
    pub fn number(mut self, number: &str, tenant: &str) -> Self {
        self.numbers.push((number.to_owned(), tenant.to_owned()));
        self
    }
}
