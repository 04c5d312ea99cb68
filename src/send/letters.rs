//! What mails say: templates per kind and language, built in or from a folder.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Serde, Value};
use minijinja::{Environment, UndefinedBehavior};
use serde::{Deserialize, Serialize};

use crate::words::Language;

/// What a mail is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LetterKind {
    /// A caller's message.
    Message,
    /// A caller's cancellation of an appointment.
    Cancellation,
    /// A callback that did not come about.
    CallbackFailed,
    /// A mail that did not arrive.
    Escalation,
}

impl LetterKind {
    const ALL: [Self; 4] = [
        Self::Message,
        Self::Cancellation,
        Self::CallbackFailed,
        Self::Escalation,
    ];

    /// Returns the first part of the template's file name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Message => "message",
            Self::Cancellation => "cancellation",
            Self::CallbackFailed => "callback_failed",
            Self::Escalation => "escalation",
        }
    }
}

/// What a mail says.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Letter {
    /// One line.
    pub subject: String,
    /// The text.
    pub body: String,
}

impl fmt::Debug for Letter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Letter({} characters)", self.body.chars().count())
    }
}

/// Templates, checked and ready to be filled in.
#[derive(Debug)]
pub struct Letters {
    own: Environment<'static>,
    built_in: Environment<'static>,
}

/// What is wrong with the templates of a folder.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LettersError {
    /// The folder or a file in it cannot be read.
    #[error("mail template {path} cannot be read: {why}")]
    Unreadable {
        /// The folder or file.
        path: PathBuf,
        /// The system's words.
        why: String,
    },
    /// The file's name says nothing.
    #[error(
        "mail template {path}: the name must be one of message, cancellation, callback_failed and \
         escalation, then the language and txt, such as message.da.txt"
    )]
    Name {
        /// The file.
        path: PathBuf,
    },
    /// The first line is not the subject.
    #[error("mail template {path}:1: the first line must be \"Subject: …\", the second empty")]
    NoSubject {
        /// The file.
        path: PathBuf,
    },
    /// It is no template.
    #[error("mail template {path}:{line}: {why}")]
    Template {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// The template engine's words.
        why: String,
    },
}

/// Steps a template may take; a long list of facts takes a few hundred.
const FUEL: u64 = 50_000;
/// Longest subject in characters; mail programs show far fewer.
const SUBJECT: usize = 180;
/// Longest body in characters; a transcript of ten minutes has a tenth of it.
const BODY: usize = 100_000;

const BUILT_IN: [(&str, &str); 8] = [
    ("message.da", include_str!("templates/message.da.txt")),
    ("message.en", include_str!("templates/message.en.txt")),
    (
        "cancellation.da",
        include_str!("templates/cancellation.da.txt"),
    ),
    (
        "cancellation.en",
        include_str!("templates/cancellation.en.txt"),
    ),
    (
        "callback_failed.da",
        include_str!("templates/callback_failed.da.txt"),
    ),
    (
        "callback_failed.en",
        include_str!("templates/callback_failed.en.txt"),
    ),
    ("escalation.da", include_str!("templates/escalation.da.txt")),
    ("escalation.en", include_str!("templates/escalation.en.txt")),
];

impl Letters {
    /// Takes the built-in templates.
    pub fn built_in() -> Self {
        let mut built_in = environment();
        for (name, source) in BUILT_IN {
            // A test reads them all; one that could not be read would be missed when filled in.
            let _ = built_in.add_template(name, source);
        }
        Self {
            own: environment(),
            built_in,
        }
    }

    /// Takes the built-in templates and puts those of a folder before them.
    ///
    /// # Errors
    /// All findings at once.
    pub fn with_folder(folder: &Path) -> Result<Self, Vec<LettersError>> {
        let mut letters = Self::built_in();
        let mut findings = Vec::new();
        let files = files_of(folder).map_err(|finding| vec![finding])?;
        for path in files {
            if let Err(finding) = letters.add(&path) {
                findings.push(finding);
            }
        }
        if findings.is_empty() {
            Ok(letters)
        } else {
            Err(findings)
        }
    }

    /// Fills in a template. One from the folder that cannot be filled in gives way to the built-in
    /// one, and the error says so; a promise is not lost for a slip in a text.
    pub fn write(&self, kind: LetterKind, language: Language, values: &impl Serialize) -> Letter {
        let wanted = format!("{}.{language}", kind.name());
        for (environment, name) in [
            (&self.own, wanted.as_str()),
            (&self.built_in, wanted.as_str()),
            (&self.built_in, &format!("{}.en", kind.name())),
        ] {
            let Ok(template) = environment.get_template(name) else {
                continue;
            };
            match template.render(Value::from(Serde(values))) {
                Ok(text) => return split(&text),
                Err(error) => tracing::error!(
                    template = name,
                    error = %error,
                    "a mail template could not be filled in; the next best is taken"
                ),
            }
        }
        // Reached only if a built-in template were broken: say the bare facts rather than nothing.
        Letter {
            subject: format!("Hotline: {}", kind.name()),
            body: serde_json::to_string_pretty(values).unwrap_or_default(),
        }
    }

    fn add(&mut self, path: &Path) -> Result<(), LettersError> {
        let name = path
            .file_name()
            .and_then(|name| name.to_str())
            .and_then(|name| name.strip_suffix(".txt"));
        let known = name.and_then(|name| {
            let (kind, language) = name.split_once('.')?;
            LetterKind::ALL.iter().find(|known| known.name() == kind)?;
            let language: Language = language.parse().ok()?;
            Some(format!("{kind}.{language}"))
        });
        let Some(known) = known else {
            return Err(LettersError::Name {
                path: path.to_owned(),
            });
        };
        let source = std::fs::read_to_string(path).map_err(|why| LettersError::Unreadable {
            path: path.to_owned(),
            why: why.to_string(),
        })?;
        if !source.starts_with("Subject:") {
            return Err(LettersError::NoSubject {
                path: path.to_owned(),
            });
        }
        self.own
            .add_template_owned(known, source)
            .map_err(|why| LettersError::Template {
                path: path.to_owned(),
                line: why.line().unwrap_or(1),
                why: why
                    .detail()
                    .map_or_else(|| why.kind().to_string(), str::to_owned),
            })
    }
}

fn environment() -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_fuel(Some(FUEL));
    // Lines with nothing but a block leave no empty line behind.
    let syntax = SyntaxConfig::builder()
        .trim_blocks(true)
        .lstrip_blocks(true)
        .build();
    if let Ok(syntax) = syntax {
        environment.set_syntax(syntax);
    }
    environment.set_auto_escape_callback(|_| minijinja::AutoEscape::None);
    environment
}

fn files_of(folder: &Path) -> Result<Vec<PathBuf>, LettersError> {
    let unreadable = |why: std::io::Error| LettersError::Unreadable {
        path: folder.to_owned(),
        why: why.to_string(),
    };
    let mut files = BTreeMap::new();
    for entry in std::fs::read_dir(folder).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        if path.extension().is_some_and(|ending| ending == "txt") {
            files.insert(path.clone(), path);
        }
    }
    Ok(files.into_values().collect())
}

/// Parts the subject from the body and takes out what has no place in either.
fn split(text: &str) -> Letter {
    let (first, rest) = text.split_once('\n').unwrap_or((text, ""));
    let subject = first.strip_prefix("Subject:").unwrap_or(first);
    let words: Vec<&str> = subject
        .split(|c: char| c.is_whitespace() || c.is_control())
        .filter(|word| !word.is_empty())
        .collect();
    let body: String = rest
        .trim_start_matches('\n')
        .chars()
        .filter(|c| !c.is_control() || matches!(c, '\n' | '\t'))
        .take(BODY)
        .collect();
    Letter {
        subject: words.join(" ").chars().take(SUBJECT).collect(),
        body: format!("{}\n", body.trim_end()),
    }
}
