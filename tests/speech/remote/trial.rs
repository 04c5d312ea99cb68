//! Trials of engines before anybody calls, as `hotline doctor` makes them.

use std::time::Instant;

use hotline::speech::{Config, recognisers};
use street::engines::{self, Fault};
use tokio::runtime::Runtime;

use super::{PATIENCE, WAYS};
use crate::EN;

#[test]
fn each_engine_is_tried_and_those_that_are_wrong_are_named_by_their_setting() {
    for way in WAYS {
        let start = || engines::Engine::start(way.kind(), engines::script(&["yes"])).unwrap();
        let (well, mut down, page) = (start(), start(), start());
        down.stop();
        page.set_fault(Fault::Html);
        let servers = [&well, &down, &page];
        let config = Config {
            ears: [(EN, servers.map(|it| way.engine(&it.url())).to_vec())].into(),
            ..Config::default()
        };
        let runtime = Runtime::new().unwrap();
        let began = Instant::now();
        let trials = {
            let _inside = runtime.enter();
            recognisers::try_out(&config)
        };
        assert!(began.elapsed() < PATIENCE);
        assert_eq!(trials.len(), 3, "{way:?}");
        for (trial, server) in trials.iter().zip(servers) {
            assert_eq!((trial.language, &trial.url), (EN, &server.url()));
        }
        assert!(trials[0].outcome.is_ok(), "{way:?}: {:?}", trials[0]);
        for (place, wanted) in [(1, "cannot be reached"), (2, "web page")] {
            let error = trials[place].outcome.as_ref().unwrap_err().to_string();
            let setting = format!("speech.ears.en[{place}].url");
            assert!(error.starts_with(&setting), "{way:?}: {error}");
            assert!(error.contains(wanted), "{way:?}: {error}");
        }
        well.check().unwrap();
    }
}
