//! Keys: shown to the engine, read anew, and kept out of what is told.

use hotline::speech::recognisers::Engine;
use street::engines;

use super::{Pair, WAYS, Way, sound};

#[test]
fn a_key_is_shown_to_the_engine_and_to_nobody_else() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("key");
    for way in WAYS {
        let server = engines::Engine::start_with_key(
            way.kind(),
            engines::script(&["yes"]),
            Some("sk-right"),
        )
        .unwrap();
        let mut engine = way.engine(&server.url());
        match &mut engine {
            Engine::VoskServer(settings) => settings.key_file = Some(path.clone()),
            Engine::Transcription(settings) => settings.key_file = Some(path.clone()),
            Engine::Realtime(settings) => settings.key_file = Some(path.clone()),
            _ => unreachable!(),
        }
        let pair = Pair::with(engine, server);
        std::fs::write(&path, "sk-wrong\n").unwrap();
        let error = pair.question(&[]).fault(&sound()).to_string();
        assert!(error.contains("answers HTTP 401"), "{way:?}: {error}");
        if matches!(way, Way::Transcription | Way::Verbose) {
            assert!(error.contains("Incorrect API key: …"), "{error}");
        }
        assert!(!error.contains("sk-wrong"), "{error}");
        std::fs::write(&path, "sk-right\n").unwrap();
        let mut question = pair.question(&[]);
        question.say(&sound()).unwrap();
        assert_eq!(
            question.words().unwrap().text,
            "yes",
            "{way:?}: the key is read anew"
        );
        std::fs::remove_file(&path).unwrap();
        let error = pair.question(&[]).fault(&sound()).to_string();
        assert!(
            error.starts_with("speech.ears.en[0].key_file"),
            "{way:?}: {error}"
        );
        pair.server.check().unwrap();
    }
}
