//! Requests that share a server and its memory do not harm each other.

use std::io::Write as _;
use std::net::TcpStream;
use std::path::Path;
use std::thread;

use llama_server_bin::Server;
use llama_tests::process::wait_for;
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

fn body(words: usize, fields: &Value) -> Value {
    let prompt = "word ".repeat(words);
    let mut body = json!({ "prompt": prompt, "temperature": 0, "ignore_eos": true });
    body.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    body
}

/// A completion of `words` words, of five tokens each, with these fields.
fn complete(server: &Server, words: usize, fields: &Value) -> Value {
    http::post(&format!("{}/completion", server.url()), &body(words, fields)).ok()
}

/// A request for one whose client goes away with the stream.
fn begin(server: &Server, words: usize, fields: &Value) -> TcpStream {
    let body = body(words, fields).to_string();
    let mut stream = TcpStream::connect(server.url().strip_prefix("http://").unwrap()).unwrap();
    let length = body.len();
    let head = format!("POST /completion HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n");
    write!(stream, "{head}Content-Type: application/json\r\n\r\n{body}").unwrap();
    stream
}

/// The slots that work.
fn working(server: &Server) -> Vec<u64> {
    let slots = http::get(&format!("{}/slots", server.url())).ok();
    let work = slots.as_array().unwrap().iter().filter(|slot| slot["is_processing"] == true);
    work.map(|slot| slot["id"].as_u64().unwrap()).collect()
}

fn await_work(server: &Server, slots: &[u64]) {
    wait_for("the work of slots", || (working(server) == slots).then_some(()));
}

/// Waits until so many requests wait.
fn await_waiting(server: &Server, count: usize) {
    let line = format!("llamacpp:requests_deferred {count}");
    wait_for(&line, || {
        let metrics = http::get(&format!("{}/metrics", server.url())).ok();
        metrics.as_str().unwrap().lines().any(|found| found == line).then_some(())
    });
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
        await_work(&server, &[0]);
        complete(&server, 10, &short);
        asked.join().unwrap()
    });
    assert_eq!(beside, alone);
}

/// Nobody knows how long the answer of a request without a limit will be, and a short one needs little.
#[test]
fn a_short_request_begins_beside_one_that_takes_most_of_the_context() {
    let Some(server) = serve(Arch::Llama, "-c 4096 -np 2 --kv-unified") else { return };
    let long = begin(&server, 640, &json!({ "id_slot": 0 }));
    await_work(&server, &[0]);
    complete(&server, 1, &json!({ "n_predict": 8 }));
    assert_eq!(working(&server), [0], "it waited");
    drop(long);
}

/// Each has 256 of 1024 cells at most, and never ends.
#[test]
fn slots_that_always_fit_work_together() {
    let options = "-c 1024 -np 4 --kv-unified --kv-unified-per-slot 256 --context-shift";
    let Some(server) = serve(Arch::Llama, options) else { return };
    let streams = [(); 4].map(|()| begin(&server, 40, &json!({})));
    await_work(&server, &[0, 1, 2, 3]);
    drop(streams);
}

/// Slot 1 has 2416 tokens of an earlier chat when its short request waits for the long prompt in slot 0. That one is as
/// long as 53 batches, and half of the last one finds no cells.
#[test]
fn what_a_slot_had_before_gives_way_and_no_request() {
    let Some(server) = serve(Arch::Llama, "-c 4096 -b 32 -ub 32 --cache-ram 0") else { return };
    let earlier = json!({ "prompt": vec![65; 2416], "n_predict": 1, "id_slot": 1 });
    complete(&server, 0, &earlier);
    let long = json!({ "prompt": vec![65; 53 * 32], "n_predict": 4, "id_slot": 0, "n": 2 });
    let short = json!({ "prompt": "Title?", "n_predict": 4, "id_slot": 1 });
    thread::scope(|scope| {
        let long = scope.spawn(|| complete(&server, 0, &long));
        wait_for("slot 0", || working(&server).contains(&0).then_some(()));
        complete(&server, 0, &short);
        let answers = long.join().unwrap();
        let whole = |answer: &Value| answer["tokens_predicted"] == 4;
        assert!(answers.as_array().unwrap().iter().all(whole), "{answers}");
    });
}

/// The second one has no room beside the first, which never ends; the third has.
#[test]
fn those_that_wait_go_on_when_the_one_before_them_goes_away() {
    let options = "-c 1024 --kv-unified-per-slot 700 --context-shift --metrics";
    let Some(server) = serve(Arch::Llama, options) else { return };
    let first = begin(&server, 120, &json!({ "id_slot": 0, "n_keep": -1 }));
    await_work(&server, &[0]);
    // One that names a slot which rests is not overtaken either.
    for slot in [-1, 2] {
        let second = begin(&server, 96, &json!({ "id_slot": slot }));
        await_waiting(&server, 1);
        thread::scope(|scope| {
            let third = scope.spawn(|| complete(&server, 1, &json!({ "n_predict": 4 })));
            await_waiting(&server, 2);
            drop(second);
            third.join().unwrap();
        });
        assert_eq!(working(&server), [0]);
    }
    drop(first);
}

/// All slots share 512 cells, and four answers ask for 800.
#[test]
fn answers_to_one_prompt_end_one_by_one() {
    let Some(server) = serve(Arch::Llama, "-c 512") else { return };
    let answers: Vec<Value> = thread::scope(|scope| {
        let several = scope.spawn(|| complete(&server, 1, &json!({ "n_predict": 200, "n": 3 })));
        let one = complete(&server, 2, &json!({ "n_predict": 200 }));
        [several.join().unwrap().as_array().unwrap(), &[one][..]].concat()
    });
    let cut = |answer: &&Value| answer["truncated"] == true && answer["stop_type"] == "limit";
    let whole = |answer: &&Value| answer["tokens_predicted"] == 200;
    let counts = [answers.iter().filter(cut).count(), answers.iter().filter(whole).count()];
    assert!(counts == [2, 2] || counts == [1, 3], "{answers:?}");
}

/// Its state takes more than the MiB of the prompt cache.
#[test]
fn a_long_chat_is_not_forgotten_for_others() {
    let options = "-c 16384 --cache-ram 1 --override-kv tokenizer.ggml.fim_pre_token_id=int:5 \
        --override-kv tokenizer.ggml.fim_suf_token_id=int:6 --override-kv tokenizer.ggml.fim_mid_token_id=int:7";
    let Some(server) = serve(Arch::Llama, options) else { return };
    let ask =
        |words: usize| complete(&server, words, &json!({ "n_predict": 1 }))["timings"].clone();
    let first = ask(1500);
    assert!(first["prompt_n"].as_u64().unwrap() > 5000, "{first}");
    let infill = json!({ "input_prefix": "a", "input_suffix": "b", "n_predict": 4 });
    for turn in 1..5 {
        complete(&server, turn, &json!({ "prompt": "Something else", "n_predict": 4, "n": 2 }));
        http::post(&format!("{}/infill", server.url()), &infill).ok();
    }
    let again = ask(1501);
    assert!(again["prompt_n"].as_u64().unwrap() < 100, "{again}");
}

/// A chat of 5000 tokens, and its copy: there are 8192 cells.
#[test]
fn a_chat_stays_until_a_saved_one_needs_its_cells() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_str().unwrap();
    let options = format!("-c 8192 --cache-ram 1 --slot-save-path {path}");
    let Some(server) = serve(Arch::Llama, &options) else { return };
    let ask = |words: usize| {
        let answer = complete(&server, words, &json!({ "n_predict": 1 }));
        answer["timings"]["prompt_n"].as_u64().unwrap()
    };
    let act = |slot: usize, action: &str, name: &str| {
        let url = format!("{}/slots/{slot}?action={action}", server.url());
        http::post(&url, &json!({ "filename": name })).status
    };
    complete(&server, 1000, &json!({ "n_predict": 1, "id_slot": 0 }));
    assert_eq!(act(0, "save", "chat"), 200);
    assert_eq!(act(1, "restore", "none"), 400);
    std::fs::write(Path::new(path).join("broken"), [7; 99]).unwrap();
    assert_eq!(act(1, "restore", "broken"), 400);
    assert!(ask(1001) < 100, "for a file that needs no cells it was forgotten");
    assert_eq!(act(2, "restore", "chat"), 200);
    assert!(ask(1001) < 100);
}
