//! What a scripted switch is like: its agents, queues, settings and dialplan.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, anyhow};

use super::super::config;
use super::callcenter::Centre;
use super::dialplan::Dialplan;
use crate::pbx::Site;

/// Agents, queues, global variables and the dialplan.
#[derive(Clone, Debug)]
pub struct Plan {
    agents: Vec<(String, u16)>,
    queues: Vec<(String, Vec<String>)>,
    variables: Vec<(String, String)>,
    dialplans: Vec<String>,
    inbound: String,
}

impl Plan {
    /// Makes a plan whose dialplan is the one the project ships.
    pub fn new() -> Result<Self> {
        let path = dialplan();
        let shipped = fs::read_to_string(&path)
            .with_context(|| format!("cannot read the dialplan {}", path.display()))?;
        Ok(Self::bare().dialplan(&shipped).inbound("hotline-inbound"))
    }

    /// Makes the plan of a site, with the dialplan the project ships.
    pub fn of(site: &Site) -> Result<Self> {
        let mut plan = Self::new()?;
        plan.agents.clone_from(&site.agents);
        plan.queues.clone_from(&site.queues);
        plan.variables = config::settings_of(site);
        Ok(plan.dialplan(&format!("<include>{}</include>", config::PUBLIC)))
    }

    /// Makes a plan without any dialplan.
    pub fn bare() -> Self {
        Self {
            agents: Vec::new(),
            queues: Vec::new(),
            variables: Vec::new(),
            dialplans: Vec::new(),
            inbound: "default".to_owned(),
        }
    }

    /// Adds an agent whose phone is on that loopback port; `anna` is `anna@default`.
    pub fn agent(mut self, name: &str, phone: u16) -> Self {
        self.agents.push((name.to_owned(), phone));
        self
    }

    /// Adds a queue with the agents that answer it.
    pub fn queue(mut self, name: &str, agents: &[&str]) -> Self {
        let agents = agents.iter().map(|&agent| agent.to_owned()).collect();
        self.queues.push((name.to_owned(), agents));
        self
    }

    /// Sets a global variable, such as `hotline_socket`.
    pub fn variable(mut self, name: &str, value: impl ToString) -> Self {
        self.variables.push((name.to_owned(), value.to_string()));
        self
    }

    /// Adds contexts, as XML.
    pub fn dialplan(mut self, xml: &str) -> Self {
        self.dialplans.push(xml.to_owned());
        self
    }

    /// Says into which context calls come.
    pub fn inbound(mut self, context: &str) -> Self {
        context.clone_into(&mut self.inbound);
        self
    }

    pub(super) fn context(&self) -> &str {
        &self.inbound
    }

    pub(super) fn centre(&self) -> Centre {
        Centre::new(&self.agents, &self.queues)
    }

    /// Reads the dialplan and the variables.
    pub(super) fn read(&self) -> Result<(Dialplan, HashMap<String, String>)> {
        let mut dialplan = Dialplan::default();
        for text in &self.dialplans {
            dialplan
                .read(text)
                .map_err(|error| anyhow!("the dialplan: {error}"))?;
        }
        let mut globals: HashMap<String, String> = dialplan.globals.iter().cloned().collect();
        globals.insert("domain".to_owned(), "default".to_owned());
        globals.extend(self.variables.iter().cloned());
        Ok((dialplan, globals))
    }
}

/// Returns where the project's dialplan is.
fn dialplan() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../freeswitch/conf/dialplan/hotline.xml")
}
