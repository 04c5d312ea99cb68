//! A prompt that may still be growing: whoever makes it adds to it at one end while calls play it
//! from the other. When the last one who wants it lets it go, its making ends.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};

use tokio::sync::watch;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::super::SpeechError;

/// Samples at the end of a prompt that broke off which are faded out, so that it does not click.
pub(super) const FADE: usize = 40;

/// Where a prompt comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// The program's own tones.
    Tone,
    /// A recording.
    Recorded(PathBuf),
    /// Made earlier and kept on disk.
    Kept {
        /// Names the engine.
        engine: String,
        /// Its place in the language's list of voices, from 0.
        rank: usize,
    },
    /// Made now.
    Made {
        /// Names the engine.
        engine: String,
        /// Its place in the language's list of voices, from 0.
        rank: usize,
        /// Where it would be kept.
        kept: PathBuf,
    },
}

impl Source {
    /// Tells whether it is the best that can be had, and not what stood in for it.
    pub(super) fn is_first_choice(&self) -> bool {
        match self {
            Self::Tone | Self::Recorded(_) => true,
            Self::Kept { rank, .. } | Self::Made { rank, .. } => *rank == 0,
        }
    }
}

/// The audio of a text, 8 kHz, whole or still growing. Clones are the same prompt.
#[derive(Clone, Debug)]
pub struct Prompt(Arc<Growing>);

#[derive(Debug)]
pub(super) struct Growing {
    state: Mutex<State>,
    /// All samples, once there will be no more.
    whole: OnceLock<Arc<[i16]>>,
    progress: watch::Sender<Progress>,
    /// Tells the maker when nobody wants it any more.
    _wanted: DropGuard,
}

#[derive(Debug, Default)]
struct State {
    samples: Vec<i16>,
    /// Whether somebody has heard some of it.
    heard: bool,
    source: Option<Source>,
}

/// How far a prompt has come.
#[derive(Clone, Debug, Default)]
pub(super) struct Progress {
    /// There is something to be heard.
    begun: bool,
    /// A caller waits for it.
    awaited: bool,
    /// It is over, and whether well.
    end: Option<Result<(), Arc<SpeechError>>>,
}

impl Prompt {
    /// Makes a prompt of samples that are there already.
    pub fn whole(samples: Arc<[i16]>) -> Self {
        let (prompt, making) = Self::growing();
        making.complete(samples, Source::Tone);
        prompt
    }

    /// Begins a prompt, and returns what adds to it.
    pub(crate) fn growing() -> (Self, Making) {
        let wanted = CancellationToken::new();
        let unwanted = wanted.clone();
        let growing = Arc::new(Growing {
            state: Mutex::default(),
            whole: OnceLock::new(),
            progress: watch::Sender::default(),
            _wanted: wanted.drop_guard(),
        });
        let making = Making {
            growing: Arc::downgrade(&growing),
            unwanted,
        };
        (Self(growing), making)
    }

    /// Waits until something can be heard.
    ///
    /// # Errors
    /// When nothing could be made.
    pub async fn begun(&self) -> Result<(), Arc<SpeechError>> {
        self.0.progress.send_if_modified(|it| {
            let changed = !it.awaited;
            it.awaited = true;
            changed
        });
        let mut progress = self.0.progress.subscribe();
        // The sender lives as long as this prompt does.
        match progress.wait_for(|it| it.begun || it.end.is_some()).await {
            Ok(it) if it.begun => Ok(()),
            Ok(it) => it.end.clone().unwrap_or(Ok(())),
            Err(_) => Ok(()),
        }
    }

    /// Waits for all of it.
    ///
    /// # Errors
    /// When it could not be made, or broke off.
    pub async fn all(&self) -> Result<Arc<[i16]>, Arc<SpeechError>> {
        let mut progress = self.0.progress.subscribe();
        if let Ok(it) = progress.wait_for(|it| it.end.is_some()).await {
            it.end.clone().unwrap_or(Ok(()))?;
        }
        Ok(self.0.whole.get().cloned().unwrap_or_default())
    }

    /// Returns how many samples there are behind a place, and whether no more will come.
    pub fn there(&self, at: usize) -> (usize, bool) {
        let state = match self.0.whole.get() {
            Some(whole) => return (whole.len().saturating_sub(at), true),
            None => self.0.lock(),
        };
        // It may have become whole before the lock was had.
        match self.0.whole.get() {
            Some(whole) => (whole.len().saturating_sub(at), true),
            None => (state.samples.len().saturating_sub(at), false),
        }
    }

    /// Copies samples from a place on and returns how many there were.
    pub fn read(&self, at: usize, into: &mut [i16]) -> usize {
        let copy = |samples: &[i16], into: &mut [i16]| {
            let rest = samples.get(at..).unwrap_or_default();
            let count = rest.len().min(into.len());
            into[..count].copy_from_slice(&rest[..count]);
            count
        };
        let mut state = match self.0.whole.get() {
            Some(whole) => return copy(whole, into),
            None => self.0.lock(),
        };
        state.heard = true;
        match self.0.whole.get() {
            Some(whole) => copy(whole, into),
            None => copy(&state.samples, into),
        }
    }

    /// Returns where it comes from, once that is known.
    pub fn source(&self) -> Option<Source> {
        self.0.lock().source.clone()
    }

    /// Returns the engine and the place in the list of voices of one that stands in for a better.
    pub fn stands_in(&self) -> Option<(String, usize)> {
        match self.source()? {
            Source::Kept { engine, rank } | Source::Made { engine, rank, .. } if rank > 0 => {
                Some((engine, rank))
            }
            Source::Tone | Source::Recorded(_) | Source::Kept { .. } | Source::Made { .. } => None,
        }
    }

    /// Tells whether it could not be made, or broke off.
    pub(super) fn has_failed(&self) -> bool {
        matches!(self.0.progress.borrow().end, Some(Err(_)))
    }

    pub(super) fn downgrade(&self) -> Weak<Growing> {
        Arc::downgrade(&self.0)
    }

    pub(super) fn upgrade(weak: &Weak<Growing>) -> Option<Self> {
        weak.upgrade().map(Self)
    }

    pub(super) fn is_same(&self, weak: &Weak<Growing>) -> bool {
        std::ptr::eq(Arc::as_ptr(&self.0), weak.as_ptr())
    }
}

impl Growing {
    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing in there panics half way through a change.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn end(&self, end: Result<(), Arc<SpeechError>>) {
        let mut state = self.lock();
        let samples = std::mem::take(&mut state.samples);
        let _ = self.whole.set(samples.into());
        drop(state);
        self.progress.send_modify(|it| {
            it.end.get_or_insert(end);
        });
    }
}

/// The end at which a prompt is made. A prompt whose making is dropped ends there, as a fault.
pub(crate) struct Making {
    growing: Weak<Growing>,
    unwanted: CancellationToken,
}

impl Making {
    /// Waits until nobody wants the prompt any more.
    pub(super) async fn unwanted(&self) {
        self.unwanted.cancelled().await;
    }

    /// Waits until a caller waits for the prompt.
    pub(super) async fn awaited(&self) {
        let Some(mut progress) = self.growing.upgrade().map(|it| it.progress.subscribe()) else {
            return;
        };
        // Where the prompt has gone, nobody waits for what comes of this.
        let _ = progress.wait_for(|it| it.awaited).await;
    }

    /// Returns the prompt itself, if somebody still wants it.
    pub(crate) fn prompt(&self) -> Option<Prompt> {
        self.growing.upgrade().map(Prompt)
    }

    /// Tells from where samples will come.
    pub(super) fn comes_from(&self, source: Source) {
        if let Some(growing) = self.growing.upgrade() {
            growing.lock().source = Some(source);
        }
    }

    /// Adds samples.
    pub(crate) fn push(&self, samples: &[i16]) {
        let Some(growing) = self.growing.upgrade().filter(|_| !samples.is_empty()) else {
            return;
        };
        growing.lock().samples.extend_from_slice(samples);
        growing.progress.send_if_modified(|it| {
            let changed = !it.begun;
            it.begun = true;
            changed
        });
    }

    /// Forgets what was made so that it can be made otherwise; false when some was heard already.
    pub(super) fn restart(&self) -> bool {
        let Some(growing) = self.growing.upgrade() else {
            return false;
        };
        let mut state = growing.lock();
        if !state.heard {
            state.samples.clear();
        }
        !state.heard
    }

    /// Ends a prompt that is complete.
    pub(crate) fn finish(self) {
        if let Some(growing) = self.growing.upgrade() {
            growing.end(Ok(()));
        }
    }

    /// Ends a prompt with all of its samples at once.
    pub(super) fn complete(self, samples: Arc<[i16]>, source: Source) {
        let Some(growing) = self.growing.upgrade() else {
            return;
        };
        growing.lock().source = Some(source);
        let _ = growing.whole.set(samples);
        growing.progress.send_modify(|it| {
            it.begun = true;
            it.end = Some(Ok(()));
        });
    }

    /// Ends a prompt that cannot be made, or not to its end.
    pub(super) fn fail(self, fault: SpeechError) {
        self.break_off(fault);
    }

    fn break_off(&self, fault: SpeechError) {
        let Some(growing) = self.growing.upgrade() else {
            return;
        };
        if growing.whole.get().is_some() {
            return;
        }
        let mut state = growing.lock();
        let from = state.samples.len().saturating_sub(FADE);
        fade_out(&mut state.samples[from..]);
        drop(state);
        growing.end(Err(Arc::new(fault)));
    }
}

impl Drop for Making {
    fn drop(&mut self) {
        self.break_off(SpeechError::Synthesiser {
            engine: "the making of a prompt".to_owned(),
            reason: "it was given up".to_owned(),
        });
    }
}

/// Lets samples become silent.
pub(crate) fn fade_out(samples: &mut [i16]) {
    let count = samples.len() as i32;
    for (index, sample) in samples.iter_mut().enumerate() {
        *sample = (i32::from(*sample) * (count - 1 - index as i32) / count.max(1)) as i16;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault() -> SpeechError {
        SpeechError::Unspeakable {
            length: 0,
            reason: "test",
        }
    }

    #[tokio::test]
    async fn what_is_there_can_be_read_while_the_rest_is_made() {
        let (prompt, making) = Prompt::growing();
        making.push(&[1; 100]);
        prompt.begun().await.unwrap();
        assert_eq!(prompt.there(40), (60, false));
        let mut heard = [0; 160];
        assert_eq!(prompt.read(40, &mut heard), 60);
        making.push(&[2; 100]);
        making.finish();
        assert_eq!(prompt.there(100), (100, true));
        assert_eq!(prompt.read(100, &mut heard), 100);
        assert_eq!(prompt.all().await.unwrap().len(), 200);
    }

    #[tokio::test]
    async fn when_the_last_one_lets_it_go_the_maker_is_told() {
        let (prompt, making) = Prompt::growing();
        let other = prompt.clone();
        drop(prompt);
        assert!(!making.unwanted.is_cancelled());
        drop(other);
        making.unwanted().await;
        making.push(&[1; 100]);
        assert!(!making.restart());
    }

    #[tokio::test]
    async fn a_maker_that_dies_ends_the_prompt_as_a_fault() {
        let (prompt, making) = Prompt::growing();
        drop(making);
        assert!(prompt.begun().await.is_err());
        assert!(prompt.has_failed());
        assert_eq!(prompt.there(0), (0, true));
    }

    #[tokio::test]
    async fn what_nobody_has_heard_can_be_made_otherwise() {
        let (prompt, making) = Prompt::growing();
        making.push(&[1; 100]);
        assert!(making.restart());
        making.push(&[2; 100]);
        assert_eq!(prompt.read(0, &mut [0; 10]), 10);
        assert!(!making.restart());
        making.fail(fault());
        let mut heard = [0; 100];
        assert_eq!(prompt.read(0, &mut heard), 100);
        assert_eq!((heard[59], heard[99]), (2, 0), "it ends softly");
        assert!(prompt.all().await.is_err());
    }
}
