//! Clients of a fleet: each one asks the next server when one refuses, as a proxy does.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Instant;

use llama_tests::http;
use llama_tests::process::{PATIENCE, wait_for};
use serde_json::{Value, json};

/// The key of servers that want one.
pub(super) const KEY: &str = "sesame";

/// The last event of a stream that came to its end.
const WHOLE: &str = r#""stop":true"#;

/// A whole stream of so many tokens from the first of `urls` that takes it, from the one with `number` on.
///
/// # Panics
/// When the stream is cut, or no server takes it.
pub(super) fn stream(urls: &[String], number: usize, tokens: u32) {
    let body =
        json!({ "prompt": "Hello", "n_predict": tokens, "stream": true, "ignore_eos": true });
    let start = Instant::now();
    for attempt in 0.. {
        assert!(start.elapsed() < PATIENCE, "no server takes the request");
        let url = format!("{}/completion", urls[(number + attempt) % urls.len()]);
        // Without an answer, or with 503, a request belongs to no server yet.
        let answer = http::try_post(&url, &body, Some(KEY)).filter(|answer| answer.status != 503);
        let Some(answer) = answer else { continue };
        assert_eq!(answer.status, 200, "{url}: {}", answer.body);
        let Value::String(events) = answer.body else { panic!("{url}: {}", answer.body) };
        assert!(events.contains(WHOLE), "{url}: cut: {events}");
        return;
    }
}

/// Keeps `clients` streams open while `work` runs, or until it wants no more; how many came to their end.
///
/// # Panics
/// When one is cut, or `work` does.
pub(super) fn under_load(
    urls: &[String],
    clients: usize,
    tokens: u32,
    work: impl FnOnce(&Clients),
) -> usize {
    let (all, whole) = (Clients(AtomicBool::new(false)), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for client in 0..clients {
            let (all, whole) = (&all, &whole);
            scope.spawn(move || {
                for round in 0.. {
                    stream(urls, client + round, tokens);
                    whole.fetch_add(1, Ordering::Relaxed);
                    if all.0.load(Ordering::Relaxed) {
                        return;
                    }
                }
            });
        }
        let _over = Over(&all);
        wait_for("streams", || (whole.load(Ordering::Relaxed) > 0).then_some(()));
        work(&all);
    });
    whole.into_inner()
}

/// Those who stream.
pub(super) struct Clients(AtomicBool);

impl Clients {
    /// Each one ends with the stream that it has.
    pub(super) fn ask_no_more(&self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Ends the clients also when the work panics.
struct Over<'a>(&'a Clients);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.ask_no_more();
    }
}
