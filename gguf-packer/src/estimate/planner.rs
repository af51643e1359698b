//! llama.cpp's planner, in a process of its own: it reads the server's options as the server does, lays models out on
//! devices without allocating anything, and says what each device holds. It needs no weights: a file with a header, of
//! the size that the header says, is enough.

use llama_src::sh::Cmd;
use serde::{Deserialize, Serialize};

use crate::process;
use crate::{Error, PLANNER};

/// What stands before the answer, among the lines of llama.cpp's log.
const ANSWER: &str = "__answer ";

/// What the planner adds when llama-server's parser refuses the options.
const REFUSED: &str = "error: llama-server does not take these options";

/// Lines of the log that an error shows.
const TAIL: usize = 12;

/// What is asked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Request {
    /// Options of `llama-server`; `--model` and the like name files that are here.
    pub arguments: Vec<String>,
    /// Cards that are made up; none: the processor alone.
    pub gpus: Vec<Gpu>,
    /// The devices of this machine instead.
    pub real: bool,
    /// Whether the largest context and the best split that fit are looked for.
    pub fit: bool,
    /// Numbers of layers on the cards to try besides what the options say: one run each.
    pub gpu_layers: Vec<i32>,
}

/// A card that is made up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gpu {
    /// As options name it, such as `GPU0`.
    pub name: String,
    /// Its memory.
    pub bytes: u64,
    /// Whether it shares the processor's memory.
    pub unified: bool,
}

/// What the planner says.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
pub struct Answer {
    /// Of the main model, such as `qwen2`.
    pub architecture: String,
    /// Tokens of the context, all sequences together.
    pub context_size: u64,
    /// Tokens that the model was trained with.
    pub context_trained: u64,
    /// Tokens of a logical batch.
    pub batch: u64,
    /// Tokens of a physical batch.
    pub ubatch: u64,
    /// Sequences at once.
    pub parallel: u64,
    /// Whether flash attention is used.
    pub flash_attention: bool,
    /// Whether the server keeps snapshots of the context, because the model cannot step back in it.
    pub checkpoints: bool,
    /// Whether weights are mapped rather than read.
    pub mmap: bool,
    /// Whether the server gives embeddings only.
    pub embedding: bool,
    /// Whether it ranks documents.
    pub reranking: bool,
    /// Layers, the output's among them, as `--gpu-layers` counts.
    pub layers: u32,
    /// What the model may be laid out on, the processor last.
    pub devices: Vec<Device>,
    /// One for the options as they are (and as they fit, when that was asked for), then one for each of
    /// [`Request::gpu_layers`].
    pub runs: Vec<Run>,
    /// When it was asked for.
    pub fit: Option<Fit>,
}

/// A device of llama.cpp's.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
pub struct Device {
    /// As options name it; the processor is `Host`.
    pub name: String,
    /// `gpu`, `igpu` (of the processor's memory), `accel`, `rpc` or `cpu`.
    pub kind: String,
    /// Bytes.
    pub total: u64,
    /// Bytes.
    pub free: u64,
}

/// One layout.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
pub struct Run {
    /// Layers on cards.
    pub gpu_layers: u32,
    /// Main model first.
    pub parts: Vec<Part>,
}

/// What a model is there for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// The main one.
    Model,
    /// Drafts for speculative decoding, heads of the main model among them.
    Draft,
    /// Images and sound.
    Projector,
    /// LoRA adapters and control vectors.
    Adapter,
}

/// What one model takes.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
pub struct Part {
    /// What it is there for.
    pub role: Role,
    /// By device, those with nothing left out.
    pub memory: Vec<Memory>,
}

/// What a model takes of a device, in bytes.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
pub struct Memory {
    /// [`Device::name`].
    pub device: String,
    /// Weights; all that a projector takes, whose weights are not told apart.
    pub weights: u64,
    /// The context: keys and values, recurrent states.
    pub context: u64,
    /// Buffers of the computation.
    pub compute: u64,
    /// Repeating layers that are here.
    pub layers: u32,
    /// Whether the input layer is here.
    pub input: bool,
    /// Whether the output layer is here.
    pub output: bool,
}

/// What was found to fit.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
pub struct Fit {
    /// `fits`, `cannot` or `error`.
    pub status: String,
    /// Options of `llama-server` that say it.
    pub arguments: Vec<String>,
}

/// Asks llama.cpp's planner.
///
/// # Errors
/// What llama.cpp says: an option that it does not know, a model that it cannot load; when it crashes; when this program
/// was built without it.
pub fn ask(request: &Request) -> Result<Answer, Error> {
    if !cfg!(feature = "quantize") {
        return Err(Error::new("this gguf-packer was built without llama.cpp's planner")
            .hint("build it with the feature `quantize`, which is on by default"));
    }
    let own = std::env::current_exe()
        .map_err(|e| Error::new(format!("cannot find this program's own file: {e}")))?;
    // The options alone say what is meant, not variables of a server on this machine.
    let cmd = Cmd::new(own).arg(PLANNER).args(words(request)).inherits(is_inherited);
    let mut answer = None;
    let mut log: Vec<String> = Vec::new();
    let mut on_line = |line: &str| match line.strip_prefix(ANSWER) {
        Some(text) => answer = Some(text.to_owned()),
        None => log.push(line.to_owned()),
    };
    let run = process::run_own("the planner", &cmd, &mut on_line, &|| false);
    match (run, answer) {
        (Ok(()), Some(text)) => serde_json::from_str(&text)
            .map_err(|e| Error::new(format!("cannot read the planner's answer: {e}"))),
        (run, _) => Err(explain(run.err(), &log)),
    }
}

fn is_inherited(name: &str) -> bool {
    !name.starts_with("LLAMA_")
}

/// The planner's own options, then the server's.
fn words(request: &Request) -> Vec<String> {
    let mut words = Vec::new();
    for gpu in &request.gpus {
        let kind = if gpu.unified { "igpu" } else { "gpu" };
        words.extend(["--virtual".to_owned(), format!("{kind}:{}:{}", gpu.bytes, gpu.name)]);
    }
    if request.real {
        words.push("--real".to_owned());
    }
    if request.fit {
        words.push("--fit".to_owned());
    }
    for layers in &request.gpu_layers {
        words.extend(["--layers".to_owned(), layers.to_string()]);
    }
    words.push("--".to_owned());
    words.extend(request.arguments.iter().cloned());
    words
}

/// The reason that llama.cpp gives; its log has it somewhere before the end.
fn explain(failed: Option<Error>, log: &[String]) -> Error {
    let reason = |line: &&String| {
        let line = line.to_lowercase();
        line.contains("error") || line.contains("failed") || line.contains("unable")
    };
    let what = log.iter().find(reason).map(|line| without_time(line).to_owned());
    if failed.as_ref().is_some_and(process::crashed) {
        return crash(what.as_deref());
    }
    if log.iter().any(|line| line.contains(REFUSED)) {
        return refused(what.as_deref().unwrap_or_default(), log);
    }
    let what = what.or_else(|| failed.map(|error| error.what().to_owned()));
    let what = what.unwrap_or_else(|| "the planner ended without an answer".to_owned());
    let tail = &log[log.len().saturating_sub(TAIL)..];
    let error =
        Error::new(format!("llama.cpp cannot plan the memory: {what}")).log(tail.iter().cloned());
    if what.contains("bad_alloc") {
        error.hint("use a smaller --ctx-size: the planner has 2 GiB to describe the context")
    } else {
        error
    }
}

/// Options that llama-server's parser does not take. After its reason it prints the option's part of its help.
fn refused(what: &str, log: &[String]) -> Error {
    let what = what.trim_start_matches("error: ");
    // The functions of C++ say no more than their names.
    let name =
        ["stof", "stoi", "stoul", "stoull"].into_iter().find_map(|name| what.strip_suffix(name));
    let what = name.map_or(what.to_owned(), |what| format!("{what}it takes numbers"));
    let help = log.iter().skip_while(|line| line.trim() != "usage:").skip(1);
    let help = help.take_while(|line| !line.starts_with("to show ") && !line.contains(REFUSED));
    Error::usage(format!("llama-server refuses the options: {what}"))
        .log(help.cloned())
        .hint("see all options: llama-server --help")
}

/// Options that llama.cpp does not refuse, but crashes with. What it prints then is for its authors.
fn crash(reason: Option<&str>) -> Error {
    let reason = reason.map(|reason| format!(" ({reason})")).unwrap_or_default();
    Error::tool(format!("llama.cpp crashed while it planned the memory{reason}"))
        .hint(
            "leave out --ctx-size, --batch-size, --ubatch-size and --parallel, or use larger sizes",
        )
        .hint(
            "if it crashes without options too, the model is damaged: download or convert it again",
        )
}

/// A line of the log without when it was and how bad: `0.00.008.763 E load: failed`.
fn without_time(line: &str) -> &str {
    let line = line.trim();
    match line.split_once(" E ") {
        Some((time, rest)) if time.chars().all(|c| c.is_ascii_digit() || c == '.') => rest,
        _ => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_planner_s_words_stand_before_the_server_s() {
        let gpu = |name: &str, unified| Gpu { name: name.into(), bytes: 1 << 30, unified };
        let request = Request {
            arguments: vec!["--model".into(), "a.gguf".into()],
            gpus: vec![gpu("GPU0", false), gpu("GPU1", true)],
            fit: true,
            gpu_layers: vec![3],
            ..Request::default()
        };
        assert_eq!(
            words(&request).join(" "),
            "--virtual gpu:1073741824:GPU0 --virtual igpu:1073741824:GPU1 --fit --layers 3 -- --model a.gguf"
        );
    }

    #[test]
    fn a_refused_option_is_told_once() {
        let told = |log: &[&str]| {
            let log: Vec<String> = log.iter().chain(&[REFUSED]).map(|&line| line.into()).collect();
            explain(None, &log).to_string()
        };
        let hint = "\n  hint: see all options: llama-server --help";
        let expected = "llama-server refuses the options: invalid argument: --bogus";
        assert_eq!(told(&["error: invalid argument: --bogus"]), format!("{expected}{hint}"));
        let usage =
            ["usage:", "-ts,   --tensor-split N0,N1,…", "to show complete usage, run with -h"];
        let error = "error while handling argument \"-ts\": stof";
        let expected = "llama-server refuses the options: error while handling argument \"-ts\": \
            it takes numbers\n  | -ts,   --tensor-split N0,N1,…";
        assert_eq!(told(&[&[error][..], &usage].concat()), format!("{expected}{hint}"));
    }

    #[test]
    fn a_failure_shows_llama_cpp_s_reason() {
        let log = ["loading", "error: invalid argument: --nonsense", "bye"].map(str::to_owned);
        let text = explain(None, &log).to_string();
        assert!(
            text.starts_with(
                "llama.cpp cannot plan the memory: error: invalid argument: \
                --nonsense\n"
            ),
            "{text}"
        );
        assert!(text.contains("| bye"), "{text}");
        let log = ["0.00.008.763 E init: failed to initialize the context: std::bad_alloc".into()];
        let text = explain(None, &log).to_string();
        let first = "llama.cpp cannot plan the memory: init: failed to initialize the context: \
            std::bad_alloc\n";
        assert!(
            text.starts_with(first) && text.contains("hint: use a smaller --ctx-size"),
            "{text}"
        );
        let log =
            ["x.cpp:2300: GGML_ASSERT(a <= b) failed", "#7  0x5564 in main ()"].map(str::to_owned);
        let text = explain(Some(Error::tool("the planner crashed (signal: 6)")), &log).to_string();
        let first = "llama.cpp crashed while it planned the memory (x.cpp:2300: GGML_ASSERT(a <= b) \
            failed)\n  hint: leave out --ctx-size, ";
        assert!(text.starts_with(first) && !text.contains("#7"), "{text}");
        let text = explain(Some(Error::new("it was killed")), &[]).to_string();
        assert_eq!(text, "llama.cpp cannot plan the memory: it was killed");
    }
}
