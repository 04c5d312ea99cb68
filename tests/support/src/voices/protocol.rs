//! What each kind of server takes, and what it would refuse or misunderstand.

use serde_json::Value;

use super::request::Request;

/// A field of a JSON body, and what its value may be.
type Field = (&'static str, fn(&Value) -> bool);

/// A kind of voice server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// Coqui's `tts-server`: `GET` or `POST /api/tts`.
    Coqui,
    /// Piper's HTTP server as it is now: JSON to `POST /synthesize`.
    Piper,
    /// Piper's when it first knew several voices: JSON to `POST /`.
    PiperRoot,
    /// Piper's of before: the bare text to `POST /`.
    PiperText,
    /// OpenAI's speech; with a key that must be shown, if there is one.
    OpenAi {
        /// The key.
        key: Option<&'static str>,
    },
}

/// How a request is to be answered by a server that does well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// With audio: a WAV, or bare samples.
    Speak { wav: bool },
    /// With the list of voices.
    Voices,
    /// With a status that says no.
    Refuse(u16),
}

impl Protocol {
    /// Returns the rate that such servers commonly have, in Hz.
    pub(super) fn rate(self) -> u32 {
        match self {
            Self::OpenAi { .. } => 24_000,
            _ => 22_050,
        }
    }

    /// Returns the kind of its audio, as it is named in its answers.
    pub(super) fn kind(self, wav: bool) -> &'static str {
        match self {
            Self::Coqui => "audio/wav",
            // Flask names bytes so when nobody says otherwise.
            Self::Piper | Self::PiperRoot | Self::PiperText => "text/html; charset=utf-8",
            Self::OpenAi { .. } if wav => "audio/wav",
            Self::OpenAi { .. } => "audio/pcm",
        }
    }

    /// Tells whether it sends audio while it makes it.
    pub(super) fn streams(self) -> bool {
        matches!(self, Self::OpenAi { .. })
    }

    /// Judges a request.
    pub(super) fn judge(self, request: &Request, complaints: &mut Vec<String>) -> Verdict {
        let mut complain = |what: String| {
            complaints.push(format!("{} {}: {what}", request.method, request.path));
        };
        let asked = (request.method.as_str(), request.path.as_str());
        let (verdict, text) = match (self, asked) {
            (Self::Coqui, ("GET" | "POST", "/api/tts")) => coqui(request, &mut complain),
            (Self::Piper, ("POST", "/synthesize")) | (Self::PiperRoot, ("POST", "/")) => {
                piper(request, &mut complain)
            }
            (Self::PiperText, ("POST", "/")) => {
                if request.body.trim_start().starts_with('{') {
                    complain(format!("it would speak this aloud: {}", request.body));
                }
                (Verdict::Speak { wav: true }, request.body.clone())
            }
            (Self::OpenAi { key }, ("POST", "/v1/audio/speech")) => {
                openai(request, key, &mut complain)
            }
            (Self::Piper | Self::PiperRoot, ("GET", "/voices")) => return Verdict::Voices,
            (Self::Piper, ("POST", "/")) => return Verdict::Refuse(405),
            // Which of them it is, is found out so.
            (Self::PiperRoot | Self::PiperText, (_, "/synthesize" | "/voices")) => {
                return Verdict::Refuse(404);
            }
            _ => {
                complain("there is no such thing".to_owned());
                return Verdict::Refuse(404);
            }
        };
        if matches!(verdict, Verdict::Speak { .. }) && text.trim().is_empty() {
            complain("there is no text".to_owned());
        }
        if text.chars().any(char::is_control) {
            complain(format!("the text holds control characters: {text:?}"));
        }
        verdict
    }
}

fn coqui(request: &Request, complain: &mut impl FnMut(String)) -> (Verdict, String) {
    let known = [
        "text",
        "speaker_id",
        "language_id",
        "style_wav",
        "speaker_wav",
    ];
    for (name, _) in &request.query {
        if !known.contains(&name.as_str()) {
            complain(format!("it knows no {name}"));
        }
    }
    if request.method == "GET" && !request.body.is_empty() {
        complain("a body that nobody reads".to_owned());
    }
    let text = request.parameter("text").to_owned();
    match text.trim().is_empty() {
        true => (Verdict::Refuse(400), text),
        false => (Verdict::Speak { wav: true }, text),
    }
}

fn piper(request: &Request, complain: &mut impl FnMut(String)) -> (Verdict, String) {
    is_json(request, complain);
    let body = request.json();
    let fields: &[Field] = &[
        ("text", Value::is_string),
        ("voice", Value::is_string),
        ("speaker", Value::is_string),
        ("speaker_id", Value::is_u64),
        ("length_scale", Value::is_number),
        ("noise_scale", Value::is_number),
        ("noise_w_scale", Value::is_number),
    ];
    fits(&body, fields, complain);
    let text = body["text"].as_str().unwrap_or_default().to_owned();
    (Verdict::Speak { wav: true }, text)
}

fn openai(
    request: &Request,
    key: Option<&str>,
    complain: &mut impl FnMut(String),
) -> (Verdict, String) {
    if let Some(key) = key
        && request.header("authorization") != format!("Bearer {key}")
    {
        return (Verdict::Refuse(401), String::new());
    }
    is_json(request, complain);
    let body = request.json();
    let fields: &[Field] = &[
        ("model", Value::is_string),
        ("input", Value::is_string),
        ("voice", Value::is_string),
        ("response_format", |it| {
            matches!(it.as_str(), Some("pcm" | "wav"))
        }),
        ("speed", |it| {
            it.as_f64().is_some_and(|it| (0.25..=4.0).contains(&it))
        }),
        ("instructions", Value::is_string),
    ];
    let fit = fits(&body, fields, complain);
    for field in ["model", "input", "voice"] {
        if body[field].as_str().is_none_or(str::is_empty) {
            complain(format!("`{field}` is missing"));
        }
    }
    let text = body["input"].as_str().unwrap_or_default().to_owned();
    if text.chars().count() > 4096 {
        complain("the text is longer than 4096 characters".to_owned());
    }
    let wav = body["response_format"] == "wav";
    match fit {
        true => (Verdict::Speak { wav }, text),
        false => (Verdict::Refuse(400), text),
    }
}

fn is_json(request: &Request, complain: &mut impl FnMut(String)) {
    let kind = request.header("content-type");
    if kind.split(';').next() != Some("application/json") {
        complain(format!("its body is said to be {kind:?} and not JSON"));
    }
}

/// Tells whether a body has known fields of the right kinds only.
fn fits(body: &Value, fields: &[Field], complain: &mut impl FnMut(String)) -> bool {
    let Some(given) = body.as_object() else {
        complain("its body is no JSON object".to_owned());
        return false;
    };
    let mut fit = true;
    for (name, value) in given {
        let known = fields.iter().find(|(field, _)| field == name);
        match known {
            None => complain(format!("it knows no `{name}`")),
            Some((_, is_right)) if !is_right(value) => {
                complain(format!("`{name}` cannot be {value}"));
            }
            Some(_) => continue,
        }
        fit = false;
    }
    fit
}
