//! The token that `/api` asks for: the content of a file that only the service's user can read.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::{Problem, Rooms};
use crate::store::Chance;

/// The shortest token that is taken, in characters.
const SHORTEST: usize = 16;

/// A secret that a program shows to be let in.
pub struct Token(String);

/// Why there is no token.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TokenError {
    /// The file cannot be read or made.
    #[error("the token file {} cannot be {action}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What was tried.
        action: &'static str,
        /// Why it failed.
        source: io::Error,
    },
    /// The file holds too little.
    #[error(
        "the token in {} is shorter than {SHORTEST} characters: delete the file and a new one is made",
        path.display()
    )]
    TooShort {
        /// The file.
        path: PathBuf,
    },
}

impl Token {
    /// Reads the token from its file, or makes the file with a new one that nobody can guess.
    ///
    /// # Errors
    /// When the file can neither be read nor made, or holds no fit token.
    pub fn open(path: &Path, chance: &Chance) -> Result<Self, TokenError> {
        match Self::read(path) {
            Err(TokenError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                Self::make(path, chance)
            }
            other => other,
        }
    }

    /// Reads the token from its file.
    ///
    /// # Errors
    /// When the file cannot be read or holds no fit token.
    pub fn read(path: &Path) -> Result<Self, TokenError> {
        let text = std::fs::read_to_string(path).map_err(|source| TokenError::Io {
            path: path.to_owned(),
            action: "read",
            source,
        })?;
        let token = text.trim();
        if token.len() < SHORTEST {
            return Err(TokenError::TooShort {
                path: path.to_owned(),
            });
        }
        Ok(Self(token.to_owned()))
    }

    fn make(path: &Path, chance: &Chance) -> Result<Self, TokenError> {
        let token = format!("{}{}", chance.uuid().simple(), chance.uuid().simple());
        let write = || {
            if let Some(folder) = path.parent() {
                std::fs::create_dir_all(folder)?;
            }
            let mut options = std::fs::OpenOptions::new();
            options.write(true).create_new(true);
            #[cfg(unix)]
            std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
            let mut file = options.open(path)?;
            writeln!(file, "{token}")?;
            file.sync_all()
        };
        write().map_err(|source| TokenError::Io {
            path: path.to_owned(),
            action: "made",
            source,
        })?;
        Ok(Self(token))
    }

    /// Returns the header that shows it: `Bearer …`.
    pub fn header(&self) -> String {
        format!("Bearer {}", self.0)
    }

    /// Tells whether this header shows the token, in a time that says nothing about how near it
    /// came.
    fn is_shown_by(&self, header: &str) -> bool {
        let Some((scheme, shown)) = header.split_once(' ') else {
            return false;
        };
        let (shown, token) = (shown.trim().as_bytes(), self.0.as_bytes());
        let mut difference = u8::from(shown.len() != token.len());
        for (at, byte) in token.iter().enumerate() {
            difference |= byte ^ shown.get(at).copied().unwrap_or(!byte);
        }
        scheme.eq_ignore_ascii_case("bearer") && std::hint::black_box(difference) == 0
    }
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token(***)")
    }
}

/// Lets requests through that show the token.
pub(super) async fn ask(State(rooms): State<Rooms>, request: Request, next: Next) -> Response {
    let header = request.headers().get(header::AUTHORIZATION);
    let shown = header.and_then(|header| header.to_str().ok());
    if shown.is_some_and(|shown| rooms.token.is_shown_by(shown)) {
        return next.run(request).await;
    }
    let error = match shown {
        Some(_) => "the token is not the right one",
        None => "this needs a token",
    };
    let problem = Problem {
        field: Some("Authorization".to_owned()),
        ..Problem::new(StatusCode::UNAUTHORIZED, error)
    }
    .remedy("send `Authorization: Bearer …` with the content of the service's token file");
    let mut response = problem.into_response();
    let bearer = HeaderValue::from_static("Bearer");
    response
        .headers_mut()
        .insert(header::WWW_AUTHENTICATE, bearer);
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_made_once_and_only_its_owner_can_read_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state/token");
        let made = Token::open(&path, &Chance::unforeseeable()).unwrap();
        let read = Token::open(&path, &Chance::unforeseeable()).unwrap();
        assert_eq!(made.0, read.0);
        assert_eq!(made.0.len(), 64);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = std::fs::metadata(&path).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
    }

    #[test]
    fn an_empty_token_file_opens_no_door() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        std::fs::write(&path, "\n").unwrap();
        let error = Token::open(&path, &Chance::unforeseeable()).unwrap_err();
        assert!(matches!(error, TokenError::TooShort { .. }), "{error}");
    }

    #[test]
    fn only_the_whole_token_is_the_token() {
        let token = Token("0123456789abcdef".to_owned());
        assert!(token.is_shown_by(&token.header()));
        assert!(token.is_shown_by("bearer 0123456789abcdef"));
        for wrong in [
            "",
            "Bearer",
            "Bearer ",
            "Bearer 0123456789abcde",
            "Bearer 0123456789abcdef0",
            "Basic 0123456789abcdef",
            "Bearer 0123456789abcdeF",
        ] {
            assert!(!token.is_shown_by(wrong), "{wrong:?}");
        }
    }
}
