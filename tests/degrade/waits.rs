//! What is under way takes long, though nothing is broken: the caller is told, once.

use std::time::Duration;

use serde_json::{Value, json};
use street::voices::{Manner, Protocol, VoiceServer};

use crate::scene::{FIRST, Scene, says, story, vosk};

#[tokio::test]
async fn while_a_prompt_is_being_made_the_caller_hears_that_it_takes_a_moment() {
    let _place = crate::MACHINE.read().await;
    let first = vosk(&[FIRST]).unwrap();
    let voice = VoiceServer::start(Protocol::Coqui).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let more = json!({ "speech": {
        "cache": folder.path(),
        "voices": { "da": [{ "engine": "coqui", "url": voice.url() }] },
    } });
    let scene = Scene::start(&[&first], more).await.unwrap();
    let mut call = scene.asked().await.unwrap();
    // What it says next depends on the call, so it was not made ahead.
    voice.manner(Manner::Late(Duration::from_millis(2500)));
    let pressed = call.press('0').await.unwrap();
    let waited = call.answer().await.unwrap().duration_since(pressed);
    scene
        .until(&mut call, "the answer", |line| says(line, "Du valgte"))
        .await
        .unwrap();
    let lines = scene.lines(call.id());
    let told = |line: &&Value| !line["command"]["reassure"].is_null();
    assert_eq!(lines.iter().filter(told).count(), 1, "{}", story(&lines));
    assert!(waited < Duration::from_millis(1900), "{waited:?}");
}
