//! Recording: what a caller leaves is stored before anything else is done with it.

use std::path::PathBuf;
use std::sync::Arc;

use super::super::house::House;
use super::{Call, Result, TRANSCRIPTION};
use crate::dialog::Recording;
use crate::words::Language;

impl Call {
    /// Stores the recording, has it transcribed, and tells the dialog.
    pub(super) async fn end_recording(&mut self) {
        let Some(recorder) = self.recorder.take() else {
            return;
        };
        let language = self.record_into.unwrap_or(Language::DA);
        let (house, results) = (self.house.clone(), self.results.clone());
        let file = format!("{}-{}.wav", self.call, self.orders + 1);
        let samples = recorder.finish();
        self.house.scope.spawn(async move {
            let recording = keep(&house, file, samples, language).await;
            let _ = results.send(Result::Transcribed(recording)).await;
        });
    }
}

/// Stores what was recorded so that it survives, then transcribes it.
async fn keep(
    house: &House,
    file: String,
    samples: Option<Vec<i16>>,
    language: Language,
) -> Recording {
    let nothing = Recording {
        file: String::new(),
        seconds: 0.0,
        transcript: None,
    };
    let Some(samples) = samples else {
        return nothing;
    };
    let samples: Arc<[i16]> = samples.into();
    let path: PathBuf = house.recordings.join(&file);
    let kept = samples.clone();
    let written =
        tokio::task::spawn_blocking(move || crate::speech::wav::write(&path, &kept)).await;
    let file = match written {
        Ok(Ok(())) => file,
        Ok(Err(error)) => {
            tracing::error!("a recording could not be stored: {error}");
            String::new()
        }
        Err(error) => {
            tracing::error!("a recording could not be stored: {error}");
            String::new()
        }
    };
    let seconds = samples.len() as f32 / 8000.0;
    let transcript = match &house.ears {
        Some(ears) => {
            let transcribed = ears.transcribe(samples, language);
            tokio::time::timeout(TRANSCRIPTION, transcribed)
                .await
                .ok()
                .flatten()
        }
        None => None,
    };
    Recording {
        file,
        seconds,
        transcript,
    }
}
