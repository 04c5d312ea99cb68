//! Engines behind TLS with a certificate authority of one's own: reached when it is named, and not
//! reached when it is not.

use std::path::{Path, PathBuf};

use hotline::speech::SpeechError;
use hotline::speech::recognisers::{Engine, RemoteFault};
use street::engines;
use street::engines::tls::Front;

use super::{Pair, WAYS, Way, sound};

/// An engine behind a door with TLS, and the file with the authority for it.
struct Secured {
    pair: Pair,
    _front: Front,
    _folder: tempfile::TempDir,
}

impl Secured {
    /// Trusts what `ca_file` makes of the file with the authority of the door.
    fn new(way: Way, name: &str, ca_file: impl FnOnce(&Path) -> Option<PathBuf>) -> Self {
        let server = engines::Engine::start(way.kind(), engines::script(&["yes please"])).unwrap();
        let front = Front::open(server.address(), name).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let authority = folder.path().join("authority.pem");
        std::fs::write(&authority, front.authority()).unwrap();
        let mut engine = way.engine(&front.url(&server.url()));
        let ca_file = ca_file(&authority);
        match &mut engine {
            Engine::VoskServer(settings) => settings.ca_file = ca_file,
            Engine::Transcription(settings) => settings.ca_file = ca_file,
            Engine::Realtime(settings) => settings.ca_file = ca_file,
            _ => unreachable!(),
        }
        Self {
            pair: Pair::with(engine, server),
            _front: front,
            _folder: folder,
        }
    }

    /// Tells why the engine is not trusted.
    fn distrust(&self) -> String {
        let error = self.pair.question(&[]).fault(&sound());
        let is_distrust = matches!(
            &error,
            SpeechError::Remote {
                fault: RemoteFault::Untrusted(_),
                ..
            }
        );
        assert!(is_distrust, "{error:?}");
        assert_eq!(self.pair.server.connections(), 0, "not a word was said");
        error.to_string()
    }
}

#[test]
fn an_engine_behind_tls_is_reached_with_the_authority_that_is_named() {
    for way in WAYS {
        let secured = Secured::new(way, "127.0.0.1", |authority| Some(authority.to_owned()));
        let mut question = secured.pair.question(&[]);
        question.say(&sound()).unwrap();
        assert_eq!(question.words().unwrap().text, "yes please", "{way:?}");
        secured.pair.server.check().unwrap();
    }
}

#[test]
fn an_engine_whose_authority_is_not_named_is_not_talked_to_and_the_setting_is() {
    for way in WAYS {
        let error = Secured::new(way, "127.0.0.1", |_| None).distrust();
        assert!(
            error.starts_with("speech.ears.en[0].ca_file: "),
            "{way:?}: {error}"
        );
        assert!(error.contains("not trusted (UnknownIssuer)"), "{error}");
    }
}

#[test]
fn an_engine_with_the_certificate_of_another_is_not_talked_to() {
    for way in [Way::VoskServer, Way::Transcription] {
        let trusting = |authority: &Path| Some(authority.to_owned());
        let error = Secured::new(way, "engine.example", trusting).distrust();
        assert!(error.contains("engine.example"), "{way:?}: {error}");
    }
}

#[test]
fn a_file_without_an_authority_is_told_of_before_any_call() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("authority.pem");
    for (text, why) in [
        (None, "No such file"),
        (Some("nothing of the kind"), "no certificate in PEM"),
    ] {
        if let Some(text) = text {
            std::fs::write(&path, text).unwrap();
        }
        let Engine::VoskServer(mut settings) = Way::VoskServer.engine("wss://127.0.0.1:1") else {
            unreachable!()
        };
        settings.ca_file = Some(path.clone());
        let error = super::open(Engine::VoskServer(settings)).err().unwrap();
        let error = error.to_string();
        assert!(error.starts_with("speech.ears.en[0].ca_file: "), "{error}");
        assert!(error.contains(why), "{error}");
    }
}
