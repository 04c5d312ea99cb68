//! The way of commands to the switch: one at a time per connection, each in a task of its own, so that
//! whoever gives up waiting leaves no answer behind for the next command to be taken for its own.
//! Nothing else in the house may call a method of `EslClient` that waits.

use std::time::{Duration, Instant};

use freeswitch_esl_tokio::{EslClient, EslError, EslEvent, EslResult};

use crate::pbx::PbxError;

/// How long a command may stay unanswered.
pub(super) const LIMIT: Duration = Duration::from_secs(5);

/// One connection's commands. The last clone that is dropped closes the connection.
#[derive(Clone)]
pub(super) struct Commands(EslClient);

impl Commands {
    pub(super) fn new(client: EslClient) -> Self {
        client.set_command_timeout(LIMIT);
        Self(client)
    }

    /// Runs an `api` command, which must be quick, and returns what it prints without a closing
    /// line break.
    pub(super) async fn api(&self, command: String) -> Result<String, PbxError> {
        let action = one_line(&command)?;
        let response = self
            .run(action.clone(), move |client| async move {
                client.api(&command).await
            })
            .await?;
        match response.api_result() {
            Ok(text) => Ok(text.trim_end_matches('\n').to_owned()),
            Err(error) => Err(refused(action, &error)),
        }
    }

    /// Starts a background job; its result comes as an event.
    pub(super) async fn start(&self, command: String) -> Result<(), PbxError> {
        let action = one_line(&command)?;
        let response = self
            .run(action.clone(), move |client| async move {
                client.bgapi(&command).await
            })
            .await?;
        response.check().map_err(|error| refused(action, &error))
    }

    /// Sends a message to the channel that this connection belongs to.
    pub(super) async fn message(
        &self,
        command: &str,
        headers: &[(&str, String)],
    ) -> Result<(), PbxError> {
        let mut message = EslEvent::new();
        message.set_header("call-command", command);
        for (name, value) in headers {
            message.set_header(*name, value.as_str());
        }
        let response = self
            .run(command.to_owned(), move |client| async move {
                client.sendmsg(None, message).await
            })
            .await?;
        response
            .check()
            .map_err(|error| refused(command.to_owned(), &error))
    }

    /// Runs anything else.
    pub(super) async fn run<T, F, W>(&self, action: String, work: W) -> Result<T, PbxError>
    where
        T: Send + 'static,
        F: Future<Output = EslResult<T>> + Send,
        W: FnOnce(EslClient) -> F + Send + 'static,
    {
        let client = self.0.clone();
        let begun = Instant::now();
        let done = tokio::spawn(async move { work(client).await });
        match done.await {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(EslError::Timeout { timeout_ms })) => Err(PbxError::Unanswered {
                action,
                after: Duration::from_millis(timeout_ms),
            }),
            Ok(Err(error @ EslError::NotConnected)) => {
                Err(PbxError::NotConnected(error.to_string()))
            }
            // The connection broke; the command may have been carried out before.
            Ok(Err(error)) if error.is_connection_error() => Err(PbxError::Unanswered {
                action,
                after: begun.elapsed(),
            }),
            Ok(Err(error)) => Err(refused(action, &error)),
            Err(_) => Err(PbxError::NotConnected(
                "the connection is being closed".to_owned(),
            )),
        }
    }

    /// Closes the connection without waiting for the switch.
    pub(super) async fn close(&self) {
        // A connection that is gone already needs no closing.
        let _ = self
            .run("closing".to_owned(), |client| async move {
                client.disconnect().await
            })
            .await;
    }

    /// Returns how many events were lost because nobody read them in time.
    pub(super) fn lost(&self) -> u64 {
        self.0.dropped_event_count()
    }
}

/// Refuses what would be more than one command, and returns the first word for messages: arguments
/// may hold people's numbers.
fn one_line(command: &str) -> Result<String, PbxError> {
    let action = command.split(' ').next().unwrap_or_default();
    match command.contains(['\r', '\n', '\0']) {
        true => Err(PbxError::Unsendable {
            field: action.lines().next().unwrap_or_default().to_owned(),
            why: "a command is one line".to_owned(),
        }),
        false => Ok(action.to_owned()),
    }
}

/// Sorts out a refusal; a channel that is gone is its own result.
fn refused(action: String, error: &EslError) -> PbxError {
    let message = match error
        .command_failure()
        .and_then(|failure| failure.payload())
    {
        Some(text) => text.trim().to_owned(),
        None => error.to_string(),
    };
    let gone = message.starts_with("No such channel") || message.starts_with("invalid session id");
    match gone {
        true => PbxError::NoSuchCall,
        false => PbxError::Refused { action, message },
    }
}
