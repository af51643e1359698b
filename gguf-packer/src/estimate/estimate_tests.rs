//! Tests of the report on answers that the planner gave: of a model like Qwen2 0.5B in Q8_0, on a card and beside it.

use std::cell::RefCell;

use super::planner::Device;
use super::*;
use crate::gguf::write::Writer;
use crate::registry::Peeked;

const MIB: u64 = 1 << 20;

fn words(line: &str) -> Vec<String> {
    line.split_whitespace().map(str::to_owned).collect()
}

fn package() -> Package {
    let model = crate::gguf::Model::new(vec![Writer::tiny_model().header()]).unwrap();
    let models = std::collections::BTreeMap::from([("/m.gguf".to_owned(), model)]);
    Package::remote(&Peeked { command: words("-m /m.gguf -c 8192"), models }).unwrap()
}

/// What the planner said with so many of 25 layers on the card.
fn run(on_card: u32) -> String {
    let (layers, output) = (on_card.saturating_sub(1), on_card > 0);
    let left = 24 - layers;
    format!(
        r#"{{"gpu_layers":{on_card},"parts":[{{"role":"model","memory":[
        {{"device":"Host","weights":144643072,"context":{},"compute":16354848,"layers":{left},"input":true,"output":{}}},
        {{"device":"GPU0","weights":525166336,"context":100663296,"compute":45627520,"layers":{layers},"input":false,
        "output":{output}}}]}}]}}"#,
        left * 4 * 1024 * 1024,
        !output,
    )
}

fn answer(runs: &[u32], fit: &str) -> Answer {
    let runs: Vec<String> = runs.iter().map(|layers| run(*layers)).collect();
    let runs = runs.join(",");
    let text = format!(
        r#"{{"architecture":"qwen2","context_size":8192,"context_trained":32768,"batch":2048,"ubatch":512,"parallel":1,
        "layers":25,"flash_attention":true,"checkpoints":true,"mmap":true,"embedding":false,"reranking":false,"devices":[
        {{"name":"GPU0","kind":"gpu","total":1125899906842624,"free":1125899906842624}},
        {{"name":"Host","kind":"cpu","total":25276063744,"free":25276063744}}],"runs":[{runs}],"fit":{fit}}}"#
    );
    serde_json::from_str(&text).unwrap()
}

fn asked(question: &Question<'_>, answers: Vec<Answer>) -> (Estimate, Vec<Request>) {
    let (requests, answers) = (RefCell::new(Vec::new()), RefCell::new(answers));
    let estimate = estimate_by(&package(), question, &|request| {
        requests.borrow_mut().push(request.clone());
        Ok(answers.borrow_mut().remove(0))
    });
    (estimate.unwrap(), requests.into_inner())
}

fn question(cards: &Cards) -> Question<'_> {
    let footprint = (150 * MIB, 250 * MIB);
    Question { options: &[], cards, fit: false, step: None, footprint, metrics: &[] }
}

#[test]
fn the_table_is_that_of_the_document() {
    let (estimate, requests) = asked(&question(&Cards::Any), vec![answer(&[25], "null")]);
    let [request] = &requests[..] else { panic!("{requests:?}") };
    assert_eq!(request.arguments[2..], words("-c 8192"));
    assert_eq!(
        (request.gpus[0].name.as_str(), request.gpus.len(), request.real),
        ("GPU0", 1, false)
    );
    let expected = r"
+-------+--------------+--------------------+-----------------+-----------+----------------+---------------+---------------+----------------+----------------+--------------------------------------------+---------------------------------------+
| ARCH  | CONTEXT SIZE | BATCH SIZE (L / P) | FLASH ATTENTION | MMAP LOAD | EMBEDDING ONLY |   RERANKING   | DISTRIBUTABLE | OFFLOAD LAYERS | FULL OFFLOADED |                    RAM                     |                VRAM 0                 |
|       |              |                    |                 |           |                |               |               |                |                +--------------------+-----------+-----------+----------------+------------+-----------+
|       |              |                    |                 |           |                |               |               |                |                | LAYERS (I + T + O) |    UMA    |  NONUMA   | LAYERS (T + O) |    UMA     |  NONUMA   |
+-------+--------------+--------------------+-----------------+-----------+----------------+---------------+---------------+----------------+----------------+--------------------+-----------+-----------+----------------+------------+-----------+
| qwen2 |     8192     |     2048 / 512     |     Enabled     |  Enabled  |       No       | Not Supported |   Supported   |  25 (24 + 1)   |      Yes       |     1 + 0 + 0      | 15.60 MiB | 165.60 MiB |     24 + 1     | 139.51 MiB | 890.35 MiB |
+-------+--------------+--------------------+-----------------+-----------+----------------+---------------+---------------+----------------+----------------+--------------------+-----------+-----------+----------------+------------+-----------+
";
    let table = estimate.table(false, None);
    let cells = |table: &str| -> Vec<Vec<String>> {
        let line = |line: &str| line.split('|').map(|cell| cell.trim().to_owned()).collect();
        table.lines().filter(|line| line.starts_with('|')).map(line).collect()
    };
    assert_eq!(cells(&table)[0], cells(expected)[0]);
    assert_eq!(cells(&table)[2..], cells(expected)[2..]);
    let widths: Vec<usize> = table.lines().map(str::len).collect();
    assert!(widths.iter().all(|width| *width == widths[0]), "{table}");
}

#[test]
fn a_short_table_is_the_memory_alone() {
    let (estimate, _) = asked(&question(&Cards::Any), vec![answer(&[25], "null")]);
    let expected = r"
+----------------+----------------+---------------------------------------------+------------------------------------------+
| OFFLOAD LAYERS | FULL OFFLOADED |                     RAM                     |                  VRAM 0                  |
|                |                +--------------------+-----------+------------+----------------+------------+------------+
|                |                | LAYERS (I + T + O) |    UMA    |   NONUMA   | LAYERS (T + O) |    UMA     |   NONUMA   |
+----------------+----------------+--------------------+-----------+------------+----------------+------------+------------+
|  25 (24 + 1)   |      Yes       |     1 + 0 + 0      | 15.60 MiB | 165.60 MiB |     24 + 1     | 139.51 MiB | 890.35 MiB |
+----------------+----------------+--------------------+-----------+------------+----------------+------------+------------+
";
    assert_eq!(estimate.table(true, None), expected[1..]);
}

#[test]
fn a_narrow_terminal_gets_it_turned_over() {
    let question = Question { step: Some(13), ..question(&Cards::Any) };
    let answers = vec![answer(&[25], "null"), answer(&[25, 0, 13, 25], "null")];
    let (estimate, requests) = asked(&question, answers);
    assert_eq!(requests[1].gpu_layers, [0, 13, 25]);
    let table = estimate.table(false, Some(80));
    assert!(table.lines().all(|line| line.chars().count() <= 80), "{table}");
    let lines: Vec<&str> = table.lines().map(str::trim_end).collect();
    assert_eq!(lines[..2], ["ARCH                qwen2", "CONTEXT SIZE        8192"]);
    let at =
        lines.iter().position(|line| line.starts_with("OFFLOAD LAYERS      13 (12 + 1)")).unwrap();
    let expected = [
        "FULL OFFLOADED      No",
        "                    LAYERS (I + T + O)          UMA       NONUMA",
        "RAM                 1 + 12 + 0            63.60 MiB   351.54 MiB",
        "VRAM 0              12 + 1               139.51 MiB   890.35 MiB",
    ];
    assert_eq!(lines[at + 1..at + 5], expected, "{table}");
    assert_eq!(table.matches("NONUMA").count(), 3);
}

#[test]
fn json_has_the_original_s_keys_and_the_bytes() {
    let fit = r#"{"status":"fits","arguments":["--ctx-size","8192"]}"#;
    let metrics = ["10TFLOPS;100GBps".parse().unwrap(), "80TFLOPS;1000GBps".parse().unwrap()];
    let question = Question { fit: true, metrics: &metrics, ..question(&Cards::None) };
    let (estimate, requests) = asked(&question, vec![answer(&[25], fit)]);
    assert!(requests[0].fit && requests[0].gpus.is_empty());
    let json = estimate.json();
    let json = &json["estimate"];
    assert_eq!(json["architecture"], "qwen2");
    assert_eq!(json["fit"]["arguments"][0], "--ctx-size");
    assert_eq!(json["promptCache"], 8192 * MIB);
    assert_eq!(json["contextCheckpoints"], 4096 * MIB);
    assert_eq!(estimate.earlier_prompts().matches(" MiB of RAM more").count(), 2);
    let item = &json["items"][0];
    assert_eq!((&item["offloadLayers"], &item["fullOffloaded"]), (&25.into(), &true.into()));
    assert_eq!(item["ram"]["uma"], 16_354_848);
    assert_eq!(item["ram"]["nonuma"], 16_354_848 + 150 * MIB);
    assert_eq!(item["vrams"][0]["nonuma"], 525_166_336_u64 + 100_663_296 + 45_627_520 + 250 * MIB);
    assert_eq!(json["runs"][0]["memory"][1]["weights"], 525_166_336);
    // The card alone reads its weights and its context.
    let seconds = (525_166_336.0 + 100_663_296.0) / 1e12;
    let told = item["maximumTokensPerSecond"].as_f64().unwrap();
    assert!((told - 1.0 / seconds).abs() < 1e-6, "{told}");
    assert!(estimate.table(false, None).contains("| MAX TPS |"));
}

#[test]
fn an_error_of_the_planner_s_is_told_as_it_is() {
    let refused = estimate_by(&package(), &question(&Cards::Any), &|_| {
        Err(Error::new("error: invalid argument"))
    });
    assert_eq!(refused.unwrap_err().to_string(), "error: invalid argument");
}

/// llama.cpp says that it fits when no layer is on the card, whose buffers it does not compare.
#[test]
fn a_card_that_is_too_small_for_its_buffers_is_left_out() {
    let fits = r#"{"status":"fits","arguments":["--ctx-size","2048","--gpu-layers","0"]}"#;
    let alone = r#"{"status":"fits","arguments":["--ctx-size","4096"]}"#;
    let buffers = r#"{"device":"GPU0","weights":0,"context":0,"compute":7000000,"layers":0,
        "input":false,"output":false}"#;
    let on = |bytes: u64, memory: &str, fit: &str| {
        let mut answer = answer(&[0], fit);
        (answer.devices[0].total, answer.devices[0].free) = (bytes, bytes);
        let host = answer.runs[0].parts[0].memory.swap_remove(0);
        let card = (!memory.is_empty()).then(|| serde_json::from_str(memory).unwrap());
        answer.runs[0].parts[0].memory = std::iter::once(host).chain(card).collect();
        answer
    };
    let question = Question { fit: true, ..question(&Cards::Any) };
    let told = |answers| {
        let (estimate, requests) = asked(&question, answers);
        let fit = estimate.fit().unwrap().clone();
        (fit.status, fit.arguments.join(" "), requests.len())
    };
    // The buffers, and the footprint of 250 MiB.
    let small = 256 * MIB;
    let found = told(vec![on(small, buffers, fits), on(small, "", alone)]);
    assert_eq!(found, ("fits".into(), "--ctx-size 4096 --device none".into(), 2));
    let (_, requests) = asked(&question, vec![on(small, buffers, fits), on(small, "", alone)]);
    assert_eq!(requests[1].arguments[2..], words("-c 8192 --device none"));
    let found = told(vec![on(small, buffers, fits), on(small, buffers, alone)]);
    assert_eq!((found.0.as_str(), found.2), ("cannot", 2), "a projector stays there");
    let found = told(vec![on(257 * MIB, buffers, fits)]);
    assert_eq!(found, ("fits".into(), "--ctx-size 2048 --gpu-layers 0".into(), 1));
    let mut two = on(small, buffers, fits);
    two.devices.insert(1, Device { name: "GPU1".into(), ..two.devices[0].clone() });
    let found = told(vec![two, on(small, "", alone)]);
    assert_eq!(found, ("fits".into(), "--ctx-size 4096 --device GPU1".into(), 2));
}
