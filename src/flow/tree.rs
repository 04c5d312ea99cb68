//! A YAML file as a tree whose every part knows the bytes it was written with.
//!
//! The tree is read with the event parser under serde-saphyr and not with serde itself, because
//! serde stops at the first mistake and people want to see them all.

use std::borrow::Cow;
use std::collections::HashMap;
use std::ops::Range;

use serde_saphyr::granit_parser::{ErrorKind, Event, Parser, ScalarStyle, Span};

use super::finding::{Finding, Severity};
use super::place::{Source, Style};

/// The most parts one file may have, aliases written out. A large flow has some two thousand.
const MOST_NODES: usize = 250_000;
/// The deepest that parts may lie in one another.
const DEEPEST: usize = 64;
/// The longest file that is read, in bytes.
const LONGEST_FILE: usize = 4 * 1024 * 1024;

/// A part of a YAML file.
#[derive(Clone, Debug)]
pub(super) struct Node {
    /// The bytes it was written with.
    pub(super) bytes: Range<usize>,
    /// What it is.
    pub(super) kind: Kind,
}

/// What a part of a YAML file is.
#[derive(Clone, Debug)]
pub(super) enum Kind {
    /// A text or number, as written, with its style.
    Scalar(String, Style),
    /// A list.
    List(Vec<Node>),
    /// Names with values; `holes` are the names of entries that were taken out as wrong.
    Map {
        entries: Vec<(Node, Node)>,
        holes: Vec<String>,
    },
}

/// One step down a tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Segment {
    /// Into the entry of this name.
    Name(Cow<'static, str>),
    /// Into the item of this index.
    Index(usize),
}

impl From<usize> for Segment {
    fn from(index: usize) -> Self {
        Self::Index(index)
    }
}

impl From<&'static str> for Segment {
    fn from(name: &'static str) -> Self {
        Self::Name(Cow::Borrowed(name))
    }
}

impl From<String> for Segment {
    fn from(name: String) -> Self {
        Self::Name(Cow::Owned(name))
    }
}

/// Writes a path as people read it: `states.menu.2.ask.into`.
pub(super) fn path_text(path: &[Segment]) -> String {
    let parts: Vec<String> = path
        .iter()
        .map(|segment| match segment {
            Segment::Name(name) => name.to_string(),
            Segment::Index(index) => index.to_string(),
        })
        .collect();
    parts.join(".")
}

impl Node {
    /// Returns the text of a scalar.
    pub(super) fn text(&self) -> Option<&str> {
        match &self.kind {
            Kind::Scalar(text, _) => Some(text),
            Kind::List(_) | Kind::Map { .. } => None,
        }
    }

    /// Tells whether nothing was written here, or `~` or `null`.
    pub(super) fn is_null(&self) -> bool {
        matches!(&self.kind, Kind::Scalar(text, Style::Plain) if matches!(text.as_str(), "" | "~" | "null"))
    }

    /// Goes down a path as far as it leads. Returns the last part found and the name it has there.
    pub(super) fn find(&self, path: &[Segment]) -> (&Self, Option<&Self>) {
        let mut node = self;
        let mut name = None;
        for segment in path {
            let next = match (&node.kind, segment) {
                (Kind::List(items), Segment::Index(index)) => {
                    items.get(*index).map(|item| (None, item))
                }
                (Kind::Map { entries, .. }, Segment::Name(wanted)) => entries
                    .iter()
                    .find(|(key, _)| key.text() == Some(wanted))
                    .map(|(key, value)| (Some(key), value)),
                _ => None,
            };
            let Some((key, value)) = next else { break };
            node = value;
            name = key;
        }
        (node, name)
    }

    /// Takes out the part at a path. Returns whether there was one.
    pub(super) fn remove(&mut self, path: &[Segment]) -> bool {
        let Some((first, rest)) = path.split_first() else {
            return false;
        };
        match (&mut self.kind, first) {
            (Kind::List(items), Segment::Index(index)) if *index < items.len() => {
                if rest.is_empty() {
                    items.remove(*index);
                    return true;
                }
                items[*index].remove(rest)
            }
            (Kind::Map { entries, holes }, Segment::Name(name)) => {
                let Some(at) = entries.iter().position(|(key, _)| key.text() == Some(name)) else {
                    return false;
                };
                if rest.is_empty() {
                    entries.remove(at);
                    holes.push(name.to_string());
                    return true;
                }
                entries[at].1.remove(rest)
            }
            _ => false,
        }
    }
}

/// Reads a file into a tree. Findings are added to `findings`; nothing comes back only when the
/// file cannot be read as YAML at all.
pub(super) fn read(source: &Source, findings: &mut Vec<Finding>) -> Option<Node> {
    if source.text.len() > LONGEST_FILE {
        findings.push(Finding::of_file(
            &source.file,
            format!(
                "the file is {} bytes long; at most {LONGEST_FILE} are read",
                source.text.len()
            ),
        ));
        return None;
    }
    let mut builder = Builder {
        source,
        findings,
        parser: Parser::new_from_str(&source.text),
        anchors: HashMap::new(),
        nodes: 0,
    };
    match builder.document() {
        Ok(node) => Some(node),
        Err(Broken {
            bytes,
            message,
            suggestion,
        }) => {
            let mut finding = source.finding(Severity::Error, bytes, String::new(), message);
            finding.suggestion = suggestion;
            findings.push(finding);
            None
        }
    }
}

struct Builder<'a, 'f> {
    source: &'a Source,
    findings: &'f mut Vec<Finding>,
    parser: Parser<'a, serde_saphyr::granit_parser::StrInput<'a>>,
    anchors: HashMap<usize, (Node, usize)>,
    nodes: usize,
}

/// Why there is no tree.
struct Broken {
    bytes: Range<usize>,
    message: String,
    suggestion: Option<String>,
}

impl Broken {
    fn new(bytes: Range<usize>, message: impl Into<String>) -> Self {
        Self {
            bytes,
            message: message.into(),
            suggestion: None,
        }
    }
}

impl<'a> Builder<'a, '_> {
    /// Reads the one document of a file.
    fn document(&mut self) -> Result<Node, Broken> {
        loop {
            let (event, span) = self.next()?;
            match event {
                Event::StreamStart | Event::DocumentStart(..) => {}
                Event::StreamEnd | Event::DocumentEnd => {
                    return Err(Broken::new(0..0, "the file is empty"));
                }
                event => {
                    let node = self.node(event, &span, 0)?;
                    self.end()?;
                    return Ok(node);
                }
            }
        }
    }

    /// Sees to it that nothing follows the document.
    fn end(&mut self) -> Result<(), Broken> {
        loop {
            let (event, span) = self.next()?;
            match event {
                Event::StreamEnd => return Ok(()),
                Event::DocumentEnd => {}
                _ => {
                    return Err(Broken::new(
                        bytes(&span),
                        "a second document begins here; a file holds one",
                    ));
                }
            }
        }
    }

    /// Returns the next event that is no comment.
    fn next(&mut self) -> Result<(Event<'a>, Span), Broken> {
        loop {
            match self.parser.next_event() {
                Some(Ok((Event::Comment(..), _))) => {}
                Some(Ok(event)) => return Ok(event),
                Some(Err(error)) => {
                    let at = error
                        .marker()
                        .byte_offset()
                        .unwrap_or(self.source.text.len());
                    return Err(match error.kind() {
                        ErrorKind::UnknownAnchor => Broken {
                            suggestion: Some(
                                "put a text that begins with `*` in quotes".to_owned(),
                            ),
                            ..Broken::new(at..at + 1, "nothing has this name to point to")
                        },
                        _ => Broken {
                            suggestion: Some(
                                "look at the indentation, the quotes and the brackets on this \
                                 line and the one before"
                                    .to_owned(),
                            ),
                            ..Broken::new(at..at + 1, format!("not YAML: {}", error.info()))
                        },
                    });
                }
                None => return Err(Broken::new(0..0, "the file is empty")),
            }
        }
    }

    /// Builds the part that begins with this event.
    fn node(&mut self, event: Event<'a>, span: &Span, depth: usize) -> Result<Node, Broken> {
        self.count(1, span)?;
        if depth > DEEPEST {
            return Err(Broken::new(
                bytes(span),
                format!("parts lie in one another more than {DEEPEST} deep"),
            ));
        }
        let before = self.nodes;
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                self.refuse_tag(tag.is_some(), span);
                let node = Node {
                    bytes: bytes(span),
                    kind: Kind::Scalar(text.into_owned(), style_of(style)),
                };
                self.keep(anchor, &node, before);
                Ok(node)
            }
            Event::SequenceStart(_, anchor, tag) => {
                self.refuse_tag(tag.is_some(), span);
                let start = bytes(span);
                let mut items = Vec::new();
                let end = loop {
                    let (event, span) = self.next()?;
                    if matches!(event, Event::SequenceEnd) {
                        break bytes(&span).end;
                    }
                    items.push(self.node(event, &span, depth + 1)?);
                };
                let node = Node {
                    bytes: start.start..end.max(start.end),
                    kind: Kind::List(items),
                };
                self.keep(anchor, &node, before);
                Ok(node)
            }
            Event::MappingStart(_, anchor, tag) => {
                self.refuse_tag(tag.is_some(), span);
                let node = self.mapping(span, depth)?;
                self.keep(anchor, &node, before);
                Ok(node)
            }
            Event::Alias(id) => match self.anchors.get(&id) {
                Some((node, size)) => {
                    let (node, size) = (node.clone(), *size);
                    self.count(size, span)?;
                    Ok(node)
                }
                None => Err(Broken::new(
                    bytes(span),
                    "an alias inside the part that it names",
                )),
            },
            _ => Err(Broken::new(bytes(span), "not YAML that a flow can hold")),
        }
    }

    /// Builds names with values; a name that comes again is told and left out.
    fn mapping(&mut self, span: &Span, depth: usize) -> Result<Node, Broken> {
        let start = bytes(span);
        let mut entries: Vec<(Node, Node)> = Vec::new();
        let mut seen: HashMap<String, Range<usize>> = HashMap::new();
        let end = loop {
            let (event, span) = self.next()?;
            if matches!(event, Event::MappingEnd) {
                break bytes(&span).end;
            }
            let key = self.node(event, &span, depth + 1)?;
            let (event, span) = self.next()?;
            let value = self.node(event, &span, depth + 1)?;
            let Some(name) = key.text() else {
                return Err(Broken::new(
                    key.bytes,
                    "a name is a word, not a list or a map",
                ));
            };
            match seen.get(name) {
                Some(first) => {
                    let line = self.source.text[..first.start].matches('\n').count() + 1;
                    self.findings.push(
                        self.source
                            .finding(
                                Severity::Error,
                                key.bytes.clone(),
                                name.to_owned(),
                                format!("`{name}` stands here twice, first in line {line}"),
                            )
                            .suggest("keep one of them"),
                    );
                }
                None => {
                    seen.insert(name.to_owned(), key.bytes.clone());
                    entries.push((key, value));
                }
            }
        };
        Ok(Node {
            bytes: start.start..end.max(start.end),
            kind: Kind::Map {
                entries,
                holes: Vec::new(),
            },
        })
    }

    /// Keeps a part that has an anchor, with its size.
    fn keep(&mut self, anchor: usize, node: &Node, before: usize) {
        if anchor != 0 {
            let size = self.nodes - before + 1;
            self.anchors.insert(anchor, (node.clone(), size));
        }
    }

    /// Counts parts against the budget.
    fn count(&mut self, nodes: usize, span: &Span) -> Result<(), Broken> {
        self.nodes = self.nodes.saturating_add(nodes);
        if self.nodes > MOST_NODES {
            return Err(Broken::new(
                bytes(span),
                format!("the file has more than {MOST_NODES} parts once aliases are written out"),
            ));
        }
        Ok(())
    }

    fn refuse_tag(&mut self, tagged: bool, span: &Span) {
        if tagged {
            self.findings.push(
                self.source
                    .finding(
                        Severity::Error,
                        bytes(span),
                        String::new(),
                        "YAML tags mean nothing here".to_owned(),
                    )
                    .suggest("leave out the word with the exclamation mark"),
            );
        }
    }
}

fn style_of(style: ScalarStyle) -> Style {
    match style {
        ScalarStyle::Plain => Style::Plain,
        ScalarStyle::SingleQuoted => Style::Single,
        ScalarStyle::DoubleQuoted => Style::Double,
        _ => Style::Block,
    }
}

/// Returns the bytes that an event covers.
fn bytes(span: &Span) -> Range<usize> {
    let start = span.start.byte_offset().unwrap_or_default();
    start..span.end.byte_offset().unwrap_or(start).max(start)
}
