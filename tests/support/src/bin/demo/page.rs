//! What the demo prints: a time, who it is about, and words. Colour only on a terminal.

use std::io::{self, IsTerminal as _, Write as _};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

/// Columns of a line.
const WIDTH: usize = 100;
/// Columns before the words: time and who.
const MARGIN: usize = 21;

/// Whom a line is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Who {
    /// A person who calls.
    Caller,
    /// What Hotline's recogniser made of the caller's voice.
    Heard,
    /// What Hotline took the words for.
    Understood,
    /// What Hotline says and does.
    Hotline,
    /// What Asterisk does.
    Pbx,
    /// The agent and her phone.
    Agent,
    /// The mail box.
    Mail,
    /// A step that happened.
    Shown,
    /// A step that did not happen.
    Failed,
}

impl Who {
    fn label(self) -> &'static str {
        match self {
            Self::Caller => "caller",
            Self::Heard => "heard",
            Self::Understood => "understood",
            Self::Hotline => "Hotline",
            Self::Pbx => "Asterisk",
            Self::Agent => "agent",
            Self::Mail => "mail box",
            Self::Shown => "✓",
            Self::Failed => "✗",
        }
    }

    /// Returns the terminal's code for the colour.
    fn colour(self) -> &'static str {
        match self {
            Self::Caller => "33",
            Self::Heard | Self::Understood => "36",
            Self::Hotline => "1",
            Self::Pbx => "35",
            Self::Agent => "34",
            Self::Mail | Self::Shown => "32",
            Self::Failed => "1;31",
        }
    }
}

/// Standard output; lines of several tasks never mix.
#[derive(Debug)]
pub(crate) struct Page {
    coloured: bool,
    /// When the chapter began: times count from there.
    began: Mutex<Instant>,
}

impl Page {
    /// Opens the page.
    pub(crate) fn new() -> Self {
        let wanted = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        Self {
            coloured: wanted && io::stdout().is_terminal(),
            began: Mutex::new(Instant::now()),
        }
    }

    /// Begins a chapter: a rule with a title, and the clock at zero.
    pub(crate) fn chapter(&self, title: &str) {
        *self.began.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
        let rule = "─".repeat(WIDTH.saturating_sub(title.chars().count() + 4));
        self.write(&format!(
            "\n{}\n\n",
            self.paint("1", &format!("── {title} {rule}"))
        ));
    }

    /// Prints a paragraph without time and speaker.
    pub(crate) fn text(&self, text: &str) {
        let lines: Vec<String> = wrap(text, WIDTH).collect();
        self.write(&format!("{}\n", lines.join("\n")));
    }

    /// Prints a paragraph beside its name.
    pub(crate) fn item(&self, name: &str, text: &str) {
        const NAME: usize = 12;
        let mut lines = wrap(text, WIDTH - NAME);
        let name = self.paint("1", &format!("{name:<10}"));
        let mut out = format!("  {name}{}\n", lines.next().unwrap_or_default());
        for more in lines {
            out.push_str(&format!("{:NAME$}{more}\n", ""));
        }
        self.write(&out);
    }

    /// Prints a line to be copied: unbroken, however long.
    pub(crate) fn copy(&self, text: &str) {
        self.write(&format!("  {text}\n"));
    }

    /// Prints what somebody says or does, with the time in seconds since the chapter began.
    pub(crate) fn line(&self, who: Who, text: &str) {
        let seconds = self
            .began
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .elapsed();
        let time = self.paint("2", &format!("{:>6.1} s", seconds.as_secs_f64()));
        let label = self.paint(who.colour(), &format!("{:<10}", who.label()));
        let mut lines = wrap(text, WIDTH - MARGIN);
        let mut out = format!("{time}  {label} {}\n", lines.next().unwrap_or_default());
        for more in lines {
            out.push_str(&format!("{:MARGIN$}{more}\n", ""));
        }
        self.write(&out);
    }

    /// Prints further words below the last line, paler and unbroken unless they are long.
    pub(crate) fn more(&self, text: &str) {
        let mut out = String::new();
        for paragraph in text.lines() {
            let mut any = false;
            for line in wrap(paragraph, WIDTH - MARGIN - 2) {
                any = true;
                out.push_str(&format!("{:MARGIN$}  {}\n", "", self.paint("2", &line)));
            }
            if !any {
                out.push('\n');
            }
        }
        self.write(&out);
    }

    fn paint(&self, code: &str, text: &str) -> String {
        if self.coloured {
            format!("\u{1b}[{code}m{text}\u{1b}[0m")
        } else {
            text.to_owned()
        }
    }

    fn write(&self, text: &str) {
        let mut out = io::stdout().lock();
        // Whoever no longer reads misses nothing that they wanted.
        let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    }
}

/// Breaks text between words into lines of at most that many columns where that can be done.
fn wrap(text: &str, width: usize) -> impl Iterator<Item = String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    // Leading space is somebody's indentation.
    let indent: String = text.chars().take_while(|letter| *letter == ' ').collect();
    lines.into_iter().map(move |line| format!("{indent}{line}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_text_is_broken_between_words_and_keeps_its_indentation() {
        let lines: Vec<String> = wrap("  Velkommen til Egekøbing Kommune", 14).collect();
        assert_eq!(lines, ["  Velkommen til", "  Egekøbing", "  Kommune"]);
    }
}
