//! The XML dialplan: contexts of extensions, and which actions a call gets at one of them. Reading and
//! choosing only; `application` carries the actions out.

use std::collections::HashMap;

use quick_xml::events::{BytesStart, Event};
use quick_xml::{Reader, XmlVersion};

use super::pattern::Pattern;

/// All contexts by their names, and what the file sets for everybody.
#[derive(Debug, Default)]
pub(super) struct Dialplan {
    contexts: HashMap<String, Vec<Extension>>,
    pub(super) globals: Vec<(String, String)>,
}

#[derive(Debug)]
struct Extension {
    goes_on: bool,
    conditions: Vec<Condition>,
}

#[derive(Debug, Default)]
struct Condition {
    field: Option<(String, Pattern)>,
    leaves: Leaves,
    actions: Vec<Action>,
    otherwise: Vec<Action>,
}

/// When the conditions after this one are not looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Leaves {
    #[default]
    OnFalse,
    OnTrue,
    Always,
    Never,
}

/// An application and its data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Action {
    pub(super) application: String,
    pub(super) data: String,
    pub(super) inline: bool,
}

/// What a dialplan asks while it is read for a call.
pub(super) trait Asked {
    /// Expands variables in a text.
    fn expand(&self, text: &str) -> String;
    /// Returns a part of the call such as `destination_number`.
    fn field(&self, name: &str) -> String;
    /// Carries out an inline action at once.
    fn act(&self, action: &Action);
}

impl Dialplan {
    /// Reads a file's text into the contexts; the error says what is not understood.
    pub(super) fn read(&mut self, text: &str) -> Result<(), String> {
        let mut reader = Reader::from_str(text);
        let mut context: Option<String> = None;
        let mut extension: Option<Extension> = None;
        let mut condition: Option<Condition> = None;
        loop {
            let event = reader.read_event().map_err(|error| error.to_string())?;
            let empty = matches!(event, Event::Empty(_));
            match event {
                Event::Eof => return Ok(()),
                Event::Start(start) | Event::Empty(start) => {
                    let found = attributes(&start)?;
                    let get = |name: &str| found.get(name).cloned().unwrap_or_default();
                    match start.name().as_ref() {
                        "include" | "document" | "section" => {}
                        "X-PRE-PROCESS" => match get("data").split_once('=') {
                            Some((name, value)) if get("cmd") == "set" => {
                                self.globals.push((name.to_owned(), value.to_owned()));
                            }
                            _ => return Err(format!("X-PRE-PROCESS {} is not known", get("cmd"))),
                        },
                        "context" => {
                            self.contexts.entry(get("name")).or_default();
                            context = Some(get("name"));
                        }
                        "extension" => {
                            let made = Extension {
                                goes_on: get("continue") == "true",
                                conditions: Vec::new(),
                            };
                            extension = Some(made);
                        }
                        "condition" if condition.is_some() => {
                            return Err("a condition within a condition is not known".to_owned());
                        }
                        "condition" => {
                            let made = condition_of(&found)?;
                            match (&mut extension, empty) {
                                (Some(extension), true) => extension.conditions.push(made),
                                (Some(_), false) => condition = Some(made),
                                (None, _) => return Err("a condition without extension".to_owned()),
                            }
                        }
                        name @ ("action" | "anti-action") => {
                            let condition =
                                condition.as_mut().ok_or("an action without condition")?;
                            let list = match name {
                                "action" => &mut condition.actions,
                                _ => &mut condition.otherwise,
                            };
                            list.push(Action {
                                application: get("application"),
                                data: get("data"),
                                inline: get("inline") == "true",
                            });
                        }
                        other => return Err(format!("<{other}> is not known")),
                    }
                }
                Event::End(end) => match end.name().as_ref() {
                    "condition" => {
                        let extension =
                            extension.as_mut().ok_or("a condition without extension")?;
                        extension.conditions.extend(condition.take());
                    }
                    "extension" => {
                        let context = context.as_ref().ok_or("an extension without context")?;
                        let list = self.contexts.get_mut(context).ok_or("no context")?;
                        list.extend(extension.take());
                    }
                    "context" => context = None,
                    _ => {}
                },
                _ => {}
            }
        }
    }

    /// Tells whether there is a context.
    pub(super) fn knows(&self, context: &str) -> bool {
        self.contexts.contains_key(context)
    }

    /// Returns the actions of a call at an extension of a context; nothing without the context.
    pub(super) fn route(&self, context: &str, call: &dyn Asked) -> Option<Vec<Action>> {
        let extensions = self.contexts.get(context)?;
        let mut actions = Vec::new();
        for extension in extensions {
            let found = extension.walk(call, &mut actions);
            if found && !extension.goes_on {
                break;
            }
        }
        Some(actions)
    }
}

impl Extension {
    /// Adds the actions of all conditions that hold; tells whether one of them was reached.
    fn walk(&self, call: &dyn Asked, actions: &mut Vec<Action>) -> bool {
        let mut proceed = false;
        for condition in &self.conditions {
            let groups = match &condition.field {
                None => Some(Vec::new()),
                Some((field, pattern)) => {
                    let asked = match field.contains("${") {
                        true => call.expand(field),
                        false => call.field(field),
                    };
                    pattern.find(&asked)
                }
            };
            let holds = groups.is_some();
            let list = if holds {
                &condition.actions
            } else {
                &condition.otherwise
            };
            for action in list {
                let data = substitute(&action.data, groups.as_deref().unwrap_or_default());
                let action = Action {
                    data,
                    ..action.clone()
                };
                if action.inline {
                    call.act(&action);
                } else {
                    actions.push(action);
                }
            }
            proceed = holds || !condition.otherwise.is_empty();
            let leaves = match condition.leaves {
                Leaves::OnFalse => !holds,
                Leaves::OnTrue => holds,
                Leaves::Always => true,
                Leaves::Never => false,
            };
            if leaves {
                break;
            }
        }
        proceed
    }
}

fn condition_of(attributes: &HashMap<String, String>) -> Result<Condition, String> {
    let leaves = match attributes.get("break").map(String::as_str) {
        None | Some("on-false") => Leaves::OnFalse,
        Some("on-true") => Leaves::OnTrue,
        Some("always") => Leaves::Always,
        Some("never") => Leaves::Never,
        Some(other) => return Err(format!("break=\"{other}\" is not known")),
    };
    if let Some(name) = attributes
        .keys()
        .find(|name| !["field", "expression", "break"].contains(&name.as_str()))
    {
        return Err(format!("a condition's {name} is not known"));
    }
    let field = match (attributes.get("field"), attributes.get("expression")) {
        (Some(field), Some(expression)) => {
            let pattern =
                Pattern::new(expression).map_err(|error| format!("{expression}: {error}"))?;
            Some((field.clone(), pattern))
        }
        (None, None) => None,
        _ => return Err("a condition has a field or an expression, but not both".to_owned()),
    };
    Ok(Condition {
        field,
        leaves,
        ..Condition::default()
    })
}

/// Puts what the groups have found in place of `$1` and so on.
fn substitute(data: &str, groups: &[String]) -> String {
    let mut text = data.to_owned();
    for (number, group) in groups.iter().enumerate().skip(1) {
        text = text.replace(&format!("${number}"), group);
    }
    text
}

fn attributes(start: &BytesStart<'_>) -> Result<HashMap<String, String>, String> {
    let mut found = HashMap::new();
    for attribute in start.attributes() {
        let attribute = attribute.map_err(|error| error.to_string())?;
        let value = attribute
            .normalized_value(XmlVersion::Explicit1_0)
            .map_err(|error| error.to_string())?;
        found.insert(attribute.key.as_ref().to_owned(), value.into_owned());
    }
    Ok(found)
}

/// Replaces `${name}`, `${name:0:5}` and `${function(arguments)}`, and what the values hold in turn.
pub(super) fn expand(text: &str, value: &dyn Fn(&str) -> String) -> String {
    expand_to(text, value, 0)
}

fn expand_to(text: &str, value: &dyn Fn(&str) -> String, depth: usize) -> String {
    let mut expanded = String::new();
    let mut rest = text;
    while let Some(start) = rest.find("${") {
        expanded.push_str(&rest[..start]);
        let inner = &rest[start + 2..];
        let Some(end) = closing(inner) else {
            expanded.push_str(&rest[start..]);
            return expanded;
        };
        let name = expand_to(&inner[..end], value, depth + 1);
        let found = value(&name);
        // As in the switch: values are expanded again.
        match depth {
            0..8 => expanded.push_str(&expand_to(&found, value, depth + 1)),
            _ => expanded.push_str(&found),
        }
        rest = &inner[end + 1..];
    }
    expanded.push_str(rest);
    expanded
}

/// Returns where the brace is that closes the one before the text.
fn closing(text: &str) -> Option<usize> {
    let mut open = 1usize;
    for (at, c) in text.char_indices() {
        match c {
            '{' => open += 1,
            '}' => open -= 1,
            _ => {}
        }
        if open == 0 {
            return Some(at);
        }
    }
    None
}

/// Takes `name:from:length` apart and cuts a value accordingly.
pub(super) fn cut(name: &str, value: &dyn Fn(&str) -> String) -> String {
    let mut parts = name.split(':');
    let text = value(parts.next().unwrap_or_default());
    let numbers: Vec<i64> = parts.filter_map(|part| part.parse().ok()).collect();
    let Some(from) = numbers.first() else {
        return text;
    };
    let count = text.chars().count() as i64;
    let from = if *from < 0 {
        (count + from).max(0)
    } else {
        *from
    };
    let length = numbers.get(1).copied().unwrap_or(count);
    text.chars()
        .skip(from as usize)
        .take(length.max(0) as usize)
        .collect()
}
