//! The link to Asterisk against sessions recorded on a real one, and against an Asterisk played by
//! the test on an in-memory stream.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod callers;
mod decoded;
mod freeswitch;
mod link;
mod outgoing;
mod recording;
mod replay;
mod stage;

/// Where the snapshots of whole recorded sessions are kept: one file each.
fn snapshots(folder: &str) -> insta::Settings {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(folder);
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings
}
