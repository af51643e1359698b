//! Compares what llama.cpp's planner says with what a server allocates on the cards of this machine:
//! `cargo run --release -p gguf-packer --example compare_estimate -- LLAMA-SERVER --model FILE [OPTION...]`, after
//! `cargo build --release -p gguf-packer`. The planner gets cards that are made up, of the same names and sizes.

#![expect(clippy::disallowed_methods, reason = "it starts programs and watches them")]

use std::collections::BTreeMap;
use std::error::Error;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use gguf_packer::PLANNER;
use gguf_packer::estimate::planner::Answer;

type Done<T> = Result<T, Box<dyn Error>>;

/// MiB by device and what they are for.
type Sizes = BTreeMap<(String, &'static str), f64>;

const MIB: f64 = 1_048_576.0;
/// How far apart they may be.
const WITHIN: f64 = 0.02;

fn main() -> Done<()> {
    let mut words = std::env::args().skip(1);
    let server = words.next().ok_or("name a llama-server, and its options after it")?;
    let options: Vec<String> = words.collect();
    let cards = cards(&server)?;
    let planned = planned(&cards, &options)?;
    let allocated = allocated(&server, &cards, &options)?;
    println!("{:<10} {:<8} {:>12} {:>12}", "DEVICE", "WHAT", "PLANNED", "ALLOCATED");
    let mut apart = 0;
    let mut keys: Vec<_> = planned.keys().chain(allocated.keys()).collect();
    keys.sort();
    keys.dedup();
    for key in keys {
        let [plan, is] = [&planned, &allocated].map(|sizes| sizes.get(key).copied().unwrap_or(0.0));
        // The log has two decimals.
        let differs = (plan - is).abs() > WITHIN * is + 0.02;
        apart += usize::from(differs);
        let mark = if differs { "  differs" } else { "" };
        println!("{:<10} {:<8} {plan:>8.2} MiB {is:>8.2} MiB{mark}", key.0, key.1);
    }
    if apart == 0 { Ok(()) } else { Err(format!("{apart} sizes differ by more than 2 %").into()) }
}

/// Names and free MiB, from lines such as `  CUDA0: NVIDIA H100 (81559 MiB, 80995 MiB free)`.
fn cards(server: &str) -> Done<Vec<(String, u64)>> {
    let output = Command::new(server).arg("--list-devices").output()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let mut cards = Vec::new();
    for line in text.lines().filter(|line| line.ends_with(" MiB free)")) {
        let (name, rest) = line.trim().split_once(": ").ok_or("a device without a name")?;
        let free = rest.trim_end_matches(" MiB free)").rsplit(' ').next().unwrap_or_default();
        cards.push((name.to_owned(), free.parse()?));
    }
    Ok(cards)
}

fn planned(cards: &[(String, u64)], options: &[String]) -> Done<Sizes> {
    let own = std::env::current_exe()?;
    let built = own.ancestors().nth(2).ok_or("an example is in a folder of its profile")?;
    let mut command = Command::new(built.join("gguf-packer"));
    command.arg(PLANNER);
    for (name, free) in cards {
        command.args(["--virtual", &format!("gpu:{}:{name}", free << 20)]);
    }
    let output = command.arg("--").args(options).output()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let answer = text.lines().find_map(|line| line.strip_prefix("__answer "));
    let Some(answer) = answer else {
        return Err(format!("no plan: {}", String::from_utf8_lossy(&output.stderr)).into());
    };
    let answer: Answer = serde_json::from_str(answer)?;
    let mut sizes = Sizes::new();
    for memory in
        answer.runs.iter().take(1).flat_map(|run| &run.parts).flat_map(|part| &part.memory)
    {
        let what =
            [("weights", memory.weights), ("context", memory.context), ("compute", memory.compute)];
        for (what, bytes) in what {
            *sizes.entry((memory.device.clone(), what)).or_default() += bytes as f64 / MIB;
        }
    }
    Ok(sizes)
}

/// What the server says until it is ready.
fn allocated(server: &str, cards: &[(String, u64)], options: &[String]) -> Done<Sizes> {
    let mut command = Command::new(server);
    command.args(options).args(["--port", "0", "--verbosity", "4", "--no-warmup", "--fit", "off"]);
    let mut child =
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn()?;
    let log = BufReader::new(child.stderr.take().ok_or("its output is piped")?);
    let mut sizes = Sizes::new();
    let mut ready = false;
    for line in log.lines() {
        let line = line?;
        if line.ends_with("model loaded") {
            ready = true;
            break;
        }
        let Some((before, after)) = line.split_once(" buffer size =") else { continue };
        let mut words = before.split_whitespace().rev();
        let what = match words.next() {
            Some("model") => "weights",
            Some("output" | "compute") => "compute",
            _ => "context",
        };
        let place = words.next().unwrap_or_default();
        let is_card = cards.iter().any(|(name, _)| name == place);
        let device = if is_card { place } else { "Host" };
        let size: f64 = after.split_whitespace().next().unwrap_or_default().parse()?;
        *sizes.entry((device.to_owned(), what)).or_default() += size;
    }
    child.kill()?;
    child.wait()?;
    if ready { Ok(sizes) } else { Err("the server ended before it was ready".into()) }
}
