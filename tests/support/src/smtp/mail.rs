//! A mail as it arrived, and as much of MIME as a test needs to look into it.

/// A mail that the server has taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mail {
    /// The envelope's sender.
    pub sender: String,
    /// The envelope's recipients.
    pub recipients: Vec<String>,
    /// The message as it came, without the doubled dots.
    pub raw: Vec<u8>,
    part: Part,
}

/// A file in a mail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attachment {
    /// The file's name, if it has one.
    pub name: String,
    /// The content type without its parameters, such as `audio/wav`.
    pub kind: String,
    /// The decoded content.
    pub bytes: Vec<u8>,
}

/// A MIME part: headers, and either content or further parts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Part {
    headers: Vec<(String, String)>,
    content: Vec<u8>,
    parts: Vec<Part>,
}

impl Mail {
    pub(super) fn new(sender: String, recipients: Vec<String>, raw: Vec<u8>) -> Self {
        let part = Part::read(&raw, 0);
        Self {
            sender,
            recipients,
            raw,
            part,
        }
    }

    /// Returns a header with its encoded words decoded.
    pub fn header(&self, name: &str) -> Option<String> {
        self.part.header(name).map(decode_words)
    }

    /// Returns the subject.
    pub fn subject(&self) -> String {
        self.header("Subject").unwrap_or_default()
    }

    /// Returns the `Message-ID`.
    pub fn id(&self) -> String {
        self.header("Message-ID").unwrap_or_default()
    }

    /// Returns the plain text of the mail.
    pub fn text(&self) -> String {
        let mut leaves = Vec::new();
        self.part.leaves(&mut leaves);
        let text = leaves
            .iter()
            .find(|part| part.kind() == "text/plain" && !part.is_attachment());
        text.map(|part| part.text()).unwrap_or_default()
    }

    /// Returns the HTML of the mail, if it has any.
    pub fn html(&self) -> Option<String> {
        let mut leaves = Vec::new();
        self.part.leaves(&mut leaves);
        let html = leaves
            .iter()
            .find(|part| part.kind() == "text/html" && !part.is_attachment());
        html.map(|part| part.text())
    }

    /// Returns the files in the mail.
    pub fn attachments(&self) -> Vec<Attachment> {
        let mut leaves = Vec::new();
        self.part.leaves(&mut leaves);
        let files = leaves.into_iter().filter(|part| part.is_attachment());
        files
            .map(|part| Attachment {
                name: part.file_name(),
                kind: part.kind(),
                bytes: part.content.clone(),
            })
            .collect()
    }
}

impl Part {
    fn read(raw: &[u8], depth: usize) -> Self {
        let (head, body) = split(raw);
        let mut headers: Vec<(String, String)> = Vec::new();
        for line in String::from_utf8_lossy(head).lines() {
            if line.starts_with([' ', '\t']) {
                if let Some((_, value)) = headers.last_mut() {
                    value.push(' ');
                    value.push_str(line.trim());
                }
            } else if let Some((name, value)) = line.split_once(':') {
                headers.push((name.trim().to_owned(), value.trim().to_owned()));
            }
        }
        let mut part = Self {
            headers,
            ..Self::default()
        };
        let boundary = part
            .header("Content-Type")
            .and_then(|kind| parameter(kind, "boundary"));
        match boundary {
            Some(boundary) if part.kind().starts_with("multipart/") && depth < 8 => {
                part.parts = pieces(body, &boundary)
                    .into_iter()
                    .map(|piece| Self::read(piece, depth + 1))
                    .collect();
            }
            _ => {
                let encoding = part.header("Content-Transfer-Encoding").unwrap_or_default();
                part.content = match encoding.to_ascii_lowercase().as_str() {
                    "base64" => base64(body),
                    "quoted-printable" => quoted_printable(body),
                    _ => body.to_vec(),
                };
            }
        }
        part
    }

    fn header(&self, name: &str) -> Option<&str> {
        let found = self
            .headers
            .iter()
            .find(|(key, _)| key.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    fn kind(&self) -> String {
        let kind = self.header("Content-Type").unwrap_or("text/plain");
        kind.split(';')
            .next()
            .unwrap_or_default()
            .trim()
            .to_ascii_lowercase()
    }

    fn is_attachment(&self) -> bool {
        let disposition = self.header("Content-Disposition").unwrap_or_default();
        disposition.to_ascii_lowercase().starts_with("attachment")
            || !(self.kind().starts_with("text/"))
    }

    fn file_name(&self) -> String {
        let places = [
            ("Content-Disposition", "filename"),
            ("Content-Type", "name"),
        ];
        let mut names = places.iter().filter_map(|(header, name)| {
            self.header(header).and_then(|value| parameter(value, name))
        });
        names
            .next()
            .map(|name| decode_words(&name))
            .unwrap_or_default()
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.content).replace("\r\n", "\n")
    }

    fn leaves<'a>(&'a self, found: &mut Vec<&'a Part>) {
        if self.parts.is_empty() {
            found.push(self);
        }
        for part in &self.parts {
            part.leaves(found);
        }
    }
}

fn split(raw: &[u8]) -> (&[u8], &[u8]) {
    if let Some(rest) = raw.strip_prefix(b"\r\n") {
        return (&[], rest);
    }
    match raw.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
        Some(end) => (&raw[..end], &raw[end + 4..]),
        None => (raw, &[]),
    }
}

/// Cuts a multipart body at its boundary lines.
fn pieces<'a>(body: &'a [u8], boundary: &str) -> Vec<&'a [u8]> {
    let mark = format!("--{boundary}");
    let mut pieces = Vec::new();
    let mut begin: Option<usize> = None;
    let mut position = 0;
    for line in body.split_inclusive(|&byte| byte == b'\n') {
        let end = position + line.len();
        if line.starts_with(mark.as_bytes()) {
            if let Some(begin) = begin {
                // The line end before the boundary belongs to the boundary.
                pieces.push(&body[begin..position.saturating_sub(2).max(begin)]);
            }
            begin = Some(end);
            if line[mark.len()..].starts_with(b"--") {
                return pieces;
            }
        }
        position = end;
    }
    pieces
}

/// Returns a parameter of a structured header, quoted or not, plain or in the extended form.
fn parameter(header: &str, name: &str) -> Option<String> {
    for piece in header.split(';').skip(1) {
        let Some((key, value)) = piece.split_once('=') else {
            continue;
        };
        let (key, value) = (key.trim(), value.trim().trim_matches('"'));
        if key.eq_ignore_ascii_case(name) {
            return Some(value.to_owned());
        }
        if key
            .strip_suffix('*')
            .is_some_and(|key| key.eq_ignore_ascii_case(name))
        {
            let encoded = value.rsplit('\'').next().unwrap_or(value);
            return Some(String::from_utf8_lossy(&escaped(encoded.as_bytes(), b'%')).into_owned());
        }
    }
    None
}

/// Decodes `=?utf-8?b?…?=` and `=?utf-8?q?…?=`.
fn decode_words(text: &str) -> String {
    let mut result = String::new();
    let mut rest = text;
    let mut after_word = false;
    while let Some(start) = rest.find("=?") {
        let before = &rest[..start];
        // White space between two encoded words is not part of the text.
        if !(after_word && before.trim().is_empty()) {
            result.push_str(before);
        }
        let fields: Vec<&str> = rest[start + 2..].splitn(4, '?').collect();
        let [_, encoding, word, tail] = fields[..] else {
            break;
        };
        let Some(tail) = tail.strip_prefix('=') else {
            break;
        };
        let bytes = if encoding.eq_ignore_ascii_case("b") {
            base64(word.as_bytes())
        } else {
            escaped(word.replace('_', " ").as_bytes(), b'=')
        };
        result.push_str(&String::from_utf8_lossy(&bytes));
        rest = tail;
        after_word = true;
    }
    result.push_str(rest);
    result
}

fn base64(text: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3);
    let (mut bits, mut count) = (0u32, 0);
    for &letter in text {
        let value = match letter {
            b'A'..=b'Z' => letter - b'A',
            b'a'..=b'z' => letter - b'a' + 26,
            b'0'..=b'9' => letter - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => continue,
        };
        bits = bits << 6 | u32::from(value);
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count) as u8);
        }
    }
    bytes
}

fn quoted_printable(text: &[u8]) -> Vec<u8> {
    let mut joined = Vec::with_capacity(text.len());
    for line in text.split_inclusive(|&byte| byte == b'\n') {
        let trimmed = line.trim_ascii_end();
        match trimmed.strip_suffix(b"=") {
            Some(soft) => joined.extend_from_slice(soft),
            None => joined.extend_from_slice(line),
        }
    }
    escaped(&joined, b'=')
}

/// Decodes bytes written as a sign and two hexadecimal digits.
fn escaped(text: &[u8], sign: u8) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut position = 0;
    while let Some(&byte) = text.get(position) {
        let digits = text
            .get(position + 1..position + 3)
            .and_then(|d| std::str::from_utf8(d).ok());
        let value = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok());
        if let (true, Some(value)) = (byte == sign, value) {
            bytes.push(value);
            position += 3;
        } else {
            bytes.push(byte);
            position += 1;
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mail_with_text_and_a_sound_is_taken_apart() {
        let raw = "Subject: =?utf-8?b?QmVza2VkIGZyYSDDhXNl?= =?utf-8?q?_S=C3=A6d?=\r\n\
            Message-ID: <1@street>\r\nContent-Type: multipart/mixed;\r\n boundary=\"xyz\"\r\n\r\n\
            preamble\r\n--xyz\r\nContent-Type: text/plain; charset=utf-8\r\n\
            Content-Transfer-Encoding: quoted-printable\r\n\r\nHun vil gerne ringes =\r\nop p=C3=A5 1.\r\n\
            --xyz\r\nContent-Type: audio/wav\r\nContent-Disposition: attachment; filename=\"besked.wav\"\r\n\
            Content-Transfer-Encoding: base64\r\n\r\nUklG\r\nRg==\r\n--xyz--\r\n";
        let mail = Mail::new(String::new(), Vec::new(), raw.as_bytes().to_vec());
        assert_eq!(mail.subject(), "Besked fra Åse Sæd");
        assert_eq!(mail.text(), "Hun vil gerne ringes op på 1.");
        let attachments = mail.attachments();
        assert_eq!(attachments.len(), 1);
        assert_eq!(attachments[0].name, "besked.wav");
        assert_eq!(attachments[0].bytes, b"RIFF");
    }

    #[test]
    fn what_is_no_mime_does_no_harm() {
        for raw in [
            &b""[..],
            b"\r\n",
            b"Content-Type: multipart/mixed; boundary=x\r\n\r\n--x",
            b"=?a?",
        ] {
            let mail = Mail::new(String::new(), Vec::new(), raw.to_vec());
            assert!(mail.attachments().len() < 2);
        }
    }
}
