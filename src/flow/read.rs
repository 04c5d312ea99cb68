//! Reads a document out of a YAML tree and tells everything that does not fit, not only the first
//! thing: what is wrong is taken out of the tree and the rest is read again.
//!
//! Whether the names in a document mean anything is not looked at here.

use std::fmt;
use std::ops::Range;

use serde::de::value::StrDeserializer;
use serde::de::{self, DeserializeOwned, DeserializeSeed, IntoDeserializer, Unexpected, Visitor};

use super::finding::{Finding, Severity, did_you_mean};
use super::place::{Source, Style};
use super::tree::{self, Kind, Node, Segment, path_text};

/// So many mistakes of one file are told; after that it is hardly the file that was meant.
const MOST_FINDINGS: usize = 100;

/// A document with the tree it was read from.
#[derive(Debug)]
pub(super) struct Document<T> {
    /// Where it was written.
    pub(super) source: Source,
    /// What was read; lists and maps lack what was wrong.
    pub(super) value: T,
    /// The tree, as much of it as `value` came from.
    pub(super) tree: Node,
    /// Whether something was wrong and is missing from `value`.
    pub(super) damaged: bool,
}

/// Which bytes of a part are meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Aim {
    /// The name of an entry; the value where there is no name.
    Name,
    /// The value.
    Value,
}

impl<T> Document<T> {
    /// Makes an error about the part at a path.
    pub(super) fn error(&self, path: &[Segment], aim: Aim, message: impl Into<String>) -> Finding {
        let (node, name) = self.tree.find(path);
        let bytes = match (aim, name) {
            (Aim::Name, Some(name)) => name.bytes.clone(),
            _ => node.bytes.clone(),
        };
        self.source
            .finding(Severity::Error, bytes, path_text(path), message.into())
    }

    /// Makes an error about a part of the text at a path; `inside` counts the text's bytes.
    pub(super) fn error_inside(
        &self,
        path: &[Segment],
        inside: Range<usize>,
        message: impl Into<String>,
    ) -> Finding {
        let (node, _) = self.tree.find(path);
        let bytes = match &node.kind {
            Kind::Scalar(text, style) => self.source.part(node.bytes.clone(), *style, text, inside),
            Kind::List(_) | Kind::Map { .. } => node.bytes.clone(),
        };
        self.source
            .finding(Severity::Error, bytes, path_text(path), message.into())
    }
}

/// Reads a document. All that is wrong goes to `findings`; a document comes back when enough was
/// right to look at the rest.
pub(super) fn read<T: DeserializeOwned>(
    source: Source,
    findings: &mut Vec<Finding>,
) -> Option<Document<T>> {
    let before = findings.len();
    let mut tree = tree::read(&source, findings)?;
    loop {
        let fault = match T::deserialize(Reader::new(&tree)) {
            Ok(value) => {
                return Some(Document {
                    damaged: findings.len() > before,
                    source,
                    value,
                    tree,
                });
            }
            Err(fault) => fault,
        };
        let path: Vec<Segment> = fault.path.iter().rev().cloned().collect();
        if !fault.follows {
            findings.push(fault.finding(&source, &path));
        }
        if findings.len() - before >= MOST_FINDINGS || !tree.remove(&path) {
            return None;
        }
    }
}

/// Why a part does not fit.
#[derive(Debug)]
struct Fault {
    message: String,
    suggestion: Option<String>,
    bytes: Option<Range<usize>>,
    /// The way to it, the last step first.
    path: Vec<Segment>,
    /// The field that a map lacks, until it is known whether it was taken out before.
    missing: Option<&'static str>,
    /// Whether it only follows from another, which has been told.
    follows: bool,
}

impl Fault {
    fn new(message: String) -> Self {
        Self {
            message,
            suggestion: None,
            bytes: None,
            path: Vec::new(),
            missing: None,
            follows: false,
        }
    }

    /// Gives it a place, unless it has a narrower one.
    fn at(mut self, bytes: &Range<usize>) -> Self {
        self.bytes.get_or_insert_with(|| bytes.clone());
        self
    }

    /// Puts a step before the way to it.
    fn under(mut self, segment: impl Into<Segment>) -> Self {
        self.path.push(segment.into());
        self
    }

    fn finding(self, source: &Source, path: &[Segment]) -> Finding {
        let mut finding = source.finding(
            Severity::Error,
            self.bytes.unwrap_or(0..0),
            path_text(path),
            self.message,
        );
        finding.suggestion = self.suggestion;
        finding
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Fault {}

impl de::Error for Fault {
    fn custom<M: fmt::Display>(message: M) -> Self {
        Self::new(message.to_string())
    }

    fn invalid_type(unexpected: Unexpected<'_>, expected: &dyn de::Expected) -> Self {
        Self::new(match unexpected {
            Unexpected::Unit => format!("nothing stands here; wanted is {expected}"),
            other => format!("{} where {expected} is wanted", Found(other)),
        })
    }

    fn invalid_value(unexpected: Unexpected<'_>, expected: &dyn de::Expected) -> Self {
        Self::new(format!("{} where {expected} is wanted", Found(unexpected)))
    }

    fn unknown_field(field: &str, expected: &'static [&'static str]) -> Self {
        Self {
            suggestion: did_you_mean(field, expected.iter().copied()),
            ..Self::new(format!("unknown field `{field}`"))
        }
    }

    fn unknown_variant(variant: &str, expected: &'static [&'static str]) -> Self {
        Self {
            suggestion: did_you_mean(variant, expected.iter().copied()),
            ..Self::new(format!("`{variant}` is not known here"))
        }
    }

    fn missing_field(field: &'static str) -> Self {
        Self {
            missing: Some(field),
            ..Self::new(format!("`{field}` is missing"))
        }
    }
}

/// Says what was found, without the words of a programming language.
struct Found<'a>(Unexpected<'a>);

impl fmt::Display for Found<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Unexpected::Str(text) => write!(f, "the text {text:?}"),
            Unexpected::Unit => f.write_str("nothing"),
            other => other.fmt(f),
        }
    }
}

/// Reads one part of a tree.
#[derive(Clone, Copy)]
struct Reader<'t> {
    node: &'t Node,
    /// The name it has in the map around it: where a missing field is shown.
    name: Option<&'t Node>,
}

impl<'t> Reader<'t> {
    fn new(node: &'t Node) -> Self {
        Self { node, name: None }
    }

    fn named(node: &'t Node, name: &'t Node) -> Self {
        Self {
            node,
            name: Some(name),
        }
    }

    /// Finishes what a visitor made of this part: gives a fault its place.
    fn placed<T>(self, result: Result<T, Fault>) -> Result<T, Fault> {
        result.map_err(|mut fault| {
            if let Some(field) = fault.missing.take() {
                let Kind::Map { entries, holes } = &self.node.kind else {
                    return fault.at(&self.node.bytes);
                };
                fault.follows = holes.iter().any(|hole| hole == field);
                let named = self.name.or(entries.first().map(|(key, _)| key));
                return fault.at(named.map_or(&self.node.bytes, |key| &key.bytes));
            }
            fault.at(&self.node.bytes)
        })
    }

    fn any<V: Visitor<'t>>(self, visitor: V) -> Result<V::Value, Fault> {
        match &self.node.kind {
            Kind::Scalar(..) if self.node.is_null() => visitor.visit_unit(),
            Kind::Scalar(text, _) => visitor.visit_str(text),
            Kind::List(items) => visitor.visit_seq(Items { items, next: 0 }),
            Kind::Map { entries, .. } => visitor.visit_map(Entries { entries, next: 0 }),
        }
    }

    /// Says what stands here, for a message.
    fn unexpected(&self) -> Unexpected<'t> {
        match &self.node.kind {
            Kind::Scalar(..) if self.node.is_null() => Unexpected::Unit,
            Kind::Scalar(text, _) => Unexpected::Str(text),
            Kind::List(_) => Unexpected::Other("a list"),
            Kind::Map { .. } => Unexpected::Other("names with values"),
        }
    }

    /// Returns the text of a scalar without quotes that this type is made of.
    fn plain(&self) -> Option<&'t str> {
        match &self.node.kind {
            Kind::Scalar(text, Style::Plain) => Some(text),
            _ => None,
        }
    }
}

/// Reads a whole number; in quotes it is a text and no number.
macro_rules! numbers {
    ($($method:ident $visit:ident $type:ty),*) => {$(
        fn $method<V: Visitor<'t>>(self, visitor: V) -> Result<V::Value, Fault> {
            let result = match self.plain().and_then(|text| text.parse::<$type>().ok()) {
                Some(number) => visitor.$visit(number),
                None => Err(Fault::new(format!("{} where a number is wanted", Found(self.unexpected())))),
            };
            self.placed(result)
        }
    )*};
}

impl<'t> de::Deserializer<'t> for Reader<'t> {
    type Error = Fault;

    numbers! {
        deserialize_u8 visit_u8 u8, deserialize_u16 visit_u16 u16,
        deserialize_u32 visit_u32 u32, deserialize_u64 visit_u64 u64,
        deserialize_i8 visit_i8 i8, deserialize_i16 visit_i16 i16,
        deserialize_i32 visit_i32 i32, deserialize_i64 visit_i64 i64,
        deserialize_f32 visit_f32 f32, deserialize_f64 visit_f64 f64
    }

    fn deserialize_bool<V: Visitor<'t>>(self, visitor: V) -> Result<V::Value, Fault> {
        let result = match self.plain() {
            Some("true") => visitor.visit_bool(true),
            Some("false") => visitor.visit_bool(false),
            _ => Err(Fault::new(format!(
                "{} where `true` or `false` is wanted",
                Found(self.unexpected())
            ))),
        };
        self.placed(result)
    }

    fn deserialize_any<V: Visitor<'t>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.placed(self.any(visitor))
    }

    fn deserialize_str<V: Visitor<'t>>(self, visitor: V) -> Result<V::Value, Fault> {
        let result = match &self.node.kind {
            Kind::Scalar(text, _) if !self.node.is_null() => visitor.visit_str(text),
            _ => Err(de::Error::invalid_type(self.unexpected(), &"a text")),
        };
        self.placed(result)
    }

    fn deserialize_string<V: Visitor<'t>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.deserialize_str(visitor)
    }

    fn deserialize_char<V: Visitor<'t>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.deserialize_str(visitor)
    }

    fn deserialize_identifier<V: Visitor<'t>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.deserialize_str(visitor)
    }

    fn deserialize_option<V: Visitor<'t>>(self, visitor: V) -> Result<V::Value, Fault> {
        if self.node.is_null() {
            visitor.visit_none()
        } else {
            visitor.visit_some(self)
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'t>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Fault> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'t>>(self, visitor: V) -> Result<V::Value, Fault> {
        let result = match &self.node.kind {
            Kind::List(items) => visitor.visit_seq(Items { items, next: 0 }),
            _ => Err(de::Error::invalid_type(self.unexpected(), &"a list")),
        };
        self.placed(result)
    }

    fn deserialize_map<V: Visitor<'t>>(self, visitor: V) -> Result<V::Value, Fault> {
        let result = match &self.node.kind {
            Kind::Map { entries, .. } => visitor.visit_map(Entries { entries, next: 0 }),
            _ => Err(de::Error::invalid_type(self.unexpected(), &visitor)),
        };
        self.placed(result)
    }

    fn deserialize_struct<V: Visitor<'t>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        let result = match &self.node.kind {
            Kind::Map { entries, .. } => visitor.visit_map(Entries { entries, next: 0 }),
            _ => Err(Fault {
                suggestion: (!fields.is_empty())
                    .then(|| format!("the fields are `{}`", fields.join("`, `"))),
                ..Fault::new(match self.unexpected() {
                    Unexpected::Unit => "nothing stands here; fields are wanted".to_owned(),
                    other => format!("{} where fields are wanted", Found(other)),
                })
            }),
        };
        self.placed(result)
    }

    fn deserialize_enum<V: Visitor<'t>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        let result = match &self.node.kind {
            Kind::Scalar(text, _) if !self.node.is_null() => visitor.visit_enum(Choice {
                name: self.node,
                text,
                value: None,
            }),
            Kind::Map { entries, holes } => match entries.as_slice() {
                [(name, value)] => visitor.visit_enum(Choice {
                    name,
                    text: name.text().unwrap_or_default(),
                    value: Some(value),
                }),
                [(first, _), (second, _), ..] => Err(Fault {
                    suggestion: Some(
                        "give the second one a line of its own that begins with `- `, or indent \
                         it if it belongs to the first"
                            .to_owned(),
                    ),
                    ..Fault::new(format!(
                        "`{}` and `{}` stand in one step; a step has one key",
                        first.text().unwrap_or_default(),
                        second.text().unwrap_or_default()
                    ))
                }
                .at(&second.bytes)),
                [] => Err(Fault {
                    follows: !holes.is_empty(),
                    ..Fault::new("nothing stands here".to_owned())
                }),
            },
            _ => Err(Fault {
                suggestion: Some(format!("one of `{}`", variants.join("`, `"))),
                ..Fault::new(match self.unexpected() {
                    Unexpected::Unit => "nothing stands here".to_owned(),
                    other => format!("{} where a single key is wanted", Found(other)),
                })
            }),
        };
        self.placed(result)
    }

    fn deserialize_unit<V: Visitor<'t>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.deserialize_any(visitor)
    }

    fn deserialize_ignored_any<V: Visitor<'t>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_unit()
    }

    serde::forward_to_deserialize_any! {
        <V: Visitor<'t>>
        i128 u128 bytes byte_buf unit_struct tuple tuple_struct
    }
}

struct Items<'t> {
    items: &'t [Node],
    next: usize,
}

impl<'t> de::SeqAccess<'t> for Items<'t> {
    type Error = Fault;

    fn next_element_seed<S: DeserializeSeed<'t>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, Fault> {
        let Some(item) = self.items.get(self.next) else {
            return Ok(None);
        };
        self.next += 1;
        seed.deserialize(Reader::new(item))
            .map(Some)
            .map_err(|fault| fault.at(&item.bytes).under(self.next - 1))
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.items.len() - self.next)
    }
}

struct Entries<'t> {
    entries: &'t [(Node, Node)],
    next: usize,
}

impl<'t> de::MapAccess<'t> for Entries<'t> {
    type Error = Fault;

    fn next_key_seed<S: DeserializeSeed<'t>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, Fault> {
        let Some((name, _)) = self.entries.get(self.next) else {
            return Ok(None);
        };
        seed.deserialize(Reader::new(name))
            .map(Some)
            .map_err(|fault| fault.at(&name.bytes).under(owned(name)))
    }

    fn next_value_seed<S: DeserializeSeed<'t>>(&mut self, seed: S) -> Result<S::Value, Fault> {
        let Some((name, value)) = self.entries.get(self.next) else {
            return Err(Fault::new(
                "a value was asked for before its name".to_owned(),
            ));
        };
        self.next += 1;
        let place = if value.is_null() {
            &name.bytes
        } else {
            &value.bytes
        };
        seed.deserialize(Reader::named(value, name))
            .map_err(|fault| fault.at(place).under(owned(name)))
    }
}

/// A step or another thing of several kinds: the kind's name and what belongs to it.
struct Choice<'t> {
    name: &'t Node,
    text: &'t str,
    value: Option<&'t Node>,
}

impl<'t> de::EnumAccess<'t> for Choice<'t> {
    type Error = Fault;
    type Variant = Self;

    fn variant_seed<S: DeserializeSeed<'t>>(self, seed: S) -> Result<(S::Value, Self), Fault> {
        let name: StrDeserializer<'_, Fault> = self.text.into_deserializer();
        match seed.deserialize(name) {
            Ok(kind) => Ok((kind, self)),
            Err(fault) => Err(fault.at(&self.name.bytes)),
        }
    }
}

impl<'t> de::VariantAccess<'t> for Choice<'t> {
    type Error = Fault;

    fn unit_variant(self) -> Result<(), Fault> {
        match self.value {
            None => Ok(()),
            Some(value) => Err(Fault {
                suggestion: Some(format!("write `{}` alone", self.text)),
                ..Fault::new(format!("`{}` takes no value", self.text))
            }
            .at(&value.bytes)),
        }
    }

    fn newtype_variant_seed<S: DeserializeSeed<'t>>(self, seed: S) -> Result<S::Value, Fault> {
        match self.value {
            Some(value) => seed
                .deserialize(Reader::named(value, self.name))
                .map_err(|fault| {
                    let place = if value.is_null() { self.name } else { value };
                    fault.at(&place.bytes).under(owned(self.name))
                }),
            None => Err(Fault {
                suggestion: Some(format!("write `{}: ` and its value, or `{{}}`", self.text)),
                ..Fault::new(format!("`{}` wants a value", self.text))
            }
            .at(&self.name.bytes)),
        }
    }

    fn tuple_variant<V: Visitor<'t>>(self, _: usize, visitor: V) -> Result<V::Value, Fault> {
        self.struct_variant(&[], visitor)
    }

    fn struct_variant<V: Visitor<'t>>(
        self,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        Err(de::Error::invalid_type(Unexpected::StructVariant, &visitor))
    }
}

/// Returns the name of an entry as a step of a path.
fn owned(name: &Node) -> Segment {
    Segment::from(name.text().unwrap_or_default().to_owned())
}

#[cfg(test)]
mod tests;
