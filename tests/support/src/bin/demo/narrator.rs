//! Reads Hotline's journal as it is written and tells it in words that people use.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::Value;
use street::Record;

use crate::page::{Page, Who};

/// Tells the calls of a journal until it is dropped.
#[derive(Debug)]
pub(crate) struct Narrator {
    task: tokio::task::JoinHandle<()>,
    skips_next: Arc<AtomicBool>,
}

impl Narrator {
    /// Begins to tell.
    pub(crate) fn start(journal: Record<Value>, page: Arc<Page>) -> Self {
        let skips_next = Arc::new(AtomicBool::new(false));
        let skips = Arc::clone(&skips_next);
        let task = tokio::spawn(async move {
            let mut skipped = BTreeSet::new();
            for next in 0.. {
                let within = Duration::from_secs(3600);
                let line = loop {
                    let line = journal
                        .wait_from(next, within, |line| Some(line.clone()))
                        .await;
                    if let Some(line) = line {
                        break line;
                    }
                };
                let call = line["call"].as_str().unwrap_or_default();
                if line.get("came").is_some() && skips.swap(false, Ordering::Relaxed) {
                    skipped.insert(call.to_owned());
                }
                if !skipped.contains(call) {
                    tell(&line, &page);
                }
            }
        });
        Self { task, skips_next }
    }

    /// Says nothing of the next call that comes.
    pub(crate) fn skip_next(&self) {
        self.skips_next.store(true, Ordering::Relaxed);
    }
}

impl Drop for Narrator {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Tells one line; many are of no interest to a listener.
fn tell(line: &Value, page: &Page) {
    if let Some(came) = line.get("came") {
        let text = format!(
            "hands the audio to Hotline: {} dialled, caller {} (masked)",
            word(&came["did"]),
            word(&came["caller"])
        );
        page.line(Who::Pbx, &text);
    } else if let Some(event) = line.get("event") {
        happened(event, page);
    } else if let Some(command) = line.get("command") {
        done(command, page);
    } else if let Some(text) = line.get("pbx").and_then(Value::as_str) {
        // The script tells of queues in Asterisk's own words.
        if !text.starts_with("in queue") && text != "the caller has arrived" {
            page.line(Who::Pbx, text);
        }
    } else if let Some(ended) = line.get("ended") {
        let outcome = word(&ended["outcome"]).replace('_', " ");
        let seconds = ended["seconds"].as_f64().unwrap_or_default();
        page.line(
            Who::Hotline,
            &format!("is done with the call after {seconds:.1} s: {outcome}"),
        );
    }
}

fn happened(event: &Value, page: &Page) {
    if event == "speech_unavailable" {
        page.line(Who::Hotline, "cannot hear: keys only");
    }
    if let Some(hypotheses) = event["heard"]["hypotheses"].as_array() {
        for (place, heard) in hypotheses.iter().enumerate() {
            let confidence = heard["confidence"].as_f64().unwrap_or_default();
            let text = format!(
                "“{}” ({}, {confidence:.2})",
                word(&heard["text"]),
                word(&heard["language"])
            );
            if place == 0 {
                page.line(Who::Heard, &text);
            } else {
                page.more(&format!("or {text}"));
            }
        }
    } else if let Some(key) = event.get("key") {
        page.line(Who::Heard, &format!("key {}", word(key)));
    } else if let Some(recorded) = event.get("recorded") {
        let seconds = recorded["seconds"].as_f64().unwrap_or_default();
        let words = recorded["transcript"]
            .as_str()
            .filter(|words| !words.is_empty());
        let words = words.map_or(String::new(), |words| format!(", heard as “{words}”"));
        page.line(Who::Hotline, &format!("has recorded {seconds:.1} s{words}"));
    } else if let Some(reference) = event["done"]["noted"]["reference"].as_str() {
        page.line(
            Who::Hotline,
            &format!("has stored it durably under reference {reference}"),
        );
    } else if let Some(reason) = event["transfer_failed"]["reason"].as_str() {
        page.line(Who::Pbx, &format!("did not move the caller: {reason}"));
    }
}

fn done(command: &Value, page: &Page) {
    if let Some(text) = command["say"]["text"].as_str() {
        page.line(Who::Hotline, &format!("“{text}”"));
    } else if command.get("record").is_some() {
        page.line(Who::Hotline, "beeps and records");
    } else if let Some(transfer) = command.get("transfer") {
        let target = &transfer["target"];
        let place = target["queue"]["queue"]
            .as_str()
            .map(|queue| format!("queue {queue}"));
        let place = place.unwrap_or_else(|| target.to_string());
        page.line(
            Who::Hotline,
            &format!("makes Asterisk put the caller into {place}"),
        );
    } else if let Some(order) = command["do"]
        .as_object()
        .and_then(|order| order.keys().next())
    {
        page.line(Who::Hotline, &format!("orders a {order}"));
    } else if let Some(understood) = command["note"].get("understood") {
        let confidence = understood["confidence"].as_f64().unwrap_or_default();
        let meaning = understood["meaning"].as_str().unwrap_or("nothing");
        let verdict = word(&understood["verdict"]);
        page.line(
            Who::Understood,
            &format!("{meaning}  (confidence {confidence:.2}: {verdict})"),
        );
        for why in understood["why"].as_array().into_iter().flatten() {
            page.more(&format!("because {}", word(why)));
        }
    } else if let Some(fault) = command["note"]["fault"]["message"].as_str() {
        page.line(Who::Hotline, &format!("found a fault in the flow: {fault}"));
    }
}

fn word(value: &Value) -> &str {
    value.as_str().unwrap_or("?")
}
