//! Work in progress.

use std::collections::BTreeMap;

use super::finding::Finding;
use super::library::Intents;
use super::read::Document;
use super::{Flow, Phrases, Tenant};

pub(super) struct Common<'a> {
    pub(super) flows: &'a [Document<Flow>],
    pub(super) intents: Option<&'a Document<Intents>>,
    pub(super) phrases: Option<&'a Document<Phrases>>,
    pub(super) broken: bool,
}

impl Common<'_> {
    pub(super) fn check(&self, findings: &mut Vec<Finding>) {
        if self.broken {
            return;
        }
        if self.intents.is_none() {
            findings.push(Finding::of_file(
                "common/intents.yaml",
                "there is no such file",
            ));
        }
        if self.phrases.is_none() {
            findings.push(Finding::of_file(
                "common/phrases.yaml",
                "there is no such file",
            ));
        }
    }

    pub(super) fn check_tenant(
        &self,
        _folder: &str,
        _tenant: &Document<Tenant>,
        _own: &[Document<Flow>],
        _findings: &mut Vec<Finding>,
    ) {
        let _ = self.flows;
    }
}

pub(super) fn names(_flows: &[Document<Flow>], _findings: &mut Vec<Finding>) {}

pub(super) fn numbers(_tenants: &BTreeMap<String, Document<Tenant>>, _findings: &mut Vec<Finding>) {
}
