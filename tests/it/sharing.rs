//! Requests that share a server and its memory do not harm each other.

use std::thread;
use std::time::{Duration, Instant};

use llama_server_bin::Server;
use llama_tests::process::PATIENCE;
use llama_tests::server::start;
use llama_tests::tiny::{self, Arch};
use llama_tests::{http, needs};
use serde_json::{Value, json};

/// A model of noise, which writes as long as it may.
fn serve(arch: Arch, options: &str) -> Option<Server> {
    let program = needs::server()?;
    let folder = tempfile::tempdir().unwrap();
    let model = folder.path().join("model.gguf");
    tiny::write(arch, 1, &model);
    // It was made for a shorter context.
    let trained = format!("{}.context_length=int:16384", arch.name());
    let options = options.split(' ').chain(["--override-kv", &trained]);
    Some(start(&program, &model, &options.collect::<Vec<_>>()))
}

/// A completion of `words` words with these fields.
fn complete(server: &Server, words: usize, fields: &Value) -> Value {
    let prompt = "word ".repeat(words);
    let mut body = json!({ "prompt": prompt, "temperature": 0, "ignore_eos": true });
    body.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    http::post(&format!("{}/completion", server.url()), &body).ok()
}

/// Waits until slot 0 works.
fn await_work(server: &Server) {
    let begin = Instant::now();
    let slots = || http::get(&format!("{}/slots", server.url())).ok();
    while slots()[0]["is_processing"] != true {
        assert!(begin.elapsed() < PATIENCE, "it does not begin");
        thread::sleep(Duration::from_millis(1));
    }
}

/// A checkpoint of this model takes 0.02 MiB.
#[test]
fn checkpoints_of_all_slots_take_half_of_cache_ram_at_most() {
    let options = "--cache-ram 1 --checkpoint-min-step 0 -c 8192 -np 2 -ub 32 -lv 4";
    let Some(server) = serve(Arch::Mamba, options) else { return };
    let ask = |slot: usize, words: usize| {
        complete(&server, words, &json!({ "n_predict": 1, "id_slot": slot }))
    };
    for slot in [0, 1] {
        for turn in 1..=20 {
            ask(slot, 8 * turn);
        }
    }
    let log = server.log();
    let last = |before: &str| -> f64 {
        let after = |line: &String| line.split_once(before).map(|(_, after)| after.to_owned());
        let number = log.iter().rev().find_map(after).expect(before);
        number.split_whitespace().next().unwrap().parse().unwrap()
    };
    // With the newest there is one too many, and of those half are this slot's.
    let all = last("erasing a context checkpoint, all take ");
    let own = last("created context checkpoint ");
    assert!(all > 0.5 && all < 0.53 && own > 12.0 && own < 16.0, "{own} of {all} MiB");
    // One that is left spares most of a prompt that goes back.
    let timings = ask(0, 8 * 19)["timings"].clone();
    assert!(timings["cache_n"].as_u64() > timings["prompt_n"].as_u64(), "{timings}");
}

/// All slots share 512 cells.
#[test]
fn two_long_answers_do_not_end_each_other() {
    let Some(server) = serve(Arch::Llama, "-c 512") else { return };
    let fields = json!({ "n_predict": 400 });
    let answers = thread::scope(|scope| {
        let asked = [1, 2].map(|words| {
            scope.spawn({
                let (server, fields) = (&server, &fields);
                move || complete(server, words, fields)
            })
        });
        asked.map(|asked| asked.join().unwrap())
    });
    let cut = |answer: &&Value| answer["truncated"] == true && answer["stop_type"] == "limit";
    let whole = |answer: &&Value| answer["tokens_predicted"] == 400;
    let counts = [answers.iter().filter(cut).count(), answers.iter().filter(whole).count()];
    assert_eq!(counts, [1, 1], "{answers:?}");
}

#[test]
fn a_prompt_without_room_waits() {
    let Some(server) = serve(Arch::Llama, "-c 512") else { return };
    let tokens = |answer: &Value| answer["tokens_evaluated"].as_u64().unwrap();
    let words = 60;
    assert!(tokens(&complete(&server, words, &json!({ "n_predict": 1 }))) > 512 / 2);
    let refused = json!({ "prompt": "a", "grammar": "root ::= root" });
    thread::scope(|scope| {
        for words in [words, words, 2, words, 2, 2, words, 2] {
            let server = &server;
            scope.spawn(move || {
                let answer = complete(server, words, &json!({ "n_predict": 60 }));
                let whole = answer["tokens_predicted"] == 60 && answer["truncated"] == false;
                assert!(whole, "{answer}");
            });
        }
        // What is refused takes no slot, and those that wait behind it go on.
        for _ in 0..4 {
            let url = format!("{}/completion", server.url());
            assert_eq!(http::post(&url, &refused).status, 400);
        }
    });
}

#[test]
fn a_request_for_a_slot_that_works_waits_for_it() {
    let Some(server) = serve(Arch::Llama, "-c 16384 -np 2") else { return };
    let long = json!({ "n_predict": 1000, "id_slot": 0 });
    let short = json!({ "n_predict": 4, "id_slot": 0 });
    complete(&server, 9, &short);
    let alone = complete(&server, 2, &long)["content"].clone();
    complete(&server, 9, &short);
    let beside = thread::scope(|scope| {
        let asked = scope.spawn(|| complete(&server, 2, &long)["content"].clone());
        await_work(&server);
        complete(&server, 10, &short);
        asked.join().unwrap()
    });
    assert_eq!(beside, alone);
}

/// Its state takes more than the MiB of the prompt cache.
#[test]
fn a_long_chat_is_not_forgotten_for_another_one() {
    let Some(server) = serve(Arch::Llama, "-c 16384 --cache-ram 1") else { return };
    let ask =
        |words: usize| complete(&server, words, &json!({ "n_predict": 1 }))["timings"].clone();
    let first = ask(1500);
    assert!(first["prompt_n"].as_u64().unwrap() > 5000, "{first}");
    let body = json!({ "prompt": "Something else", "n_predict": 4 });
    http::post(&format!("{}/completion", server.url()), &body).ok();
    let again = ask(1501);
    assert!(again["prompt_n"].as_u64().unwrap() < 100, "{again}");
}
