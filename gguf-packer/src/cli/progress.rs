//! Shows what goes on, on standard error: bars on a terminal, else a line for each piece of news.

use std::collections::HashMap;
use std::io::IsTerminal;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use clap::ValueEnum;
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use serde_json::json;

use super::output::{say, shown};
use crate::executor::{Event, Unit};
use crate::gguf::bytes as size;
use crate::progress;

/// Time between two lines about one thing that goes on.
const PAUSE: Duration = Duration::from_secs(5);
/// The same for a program that reads them.
const PAUSE_OF_JSON: Duration = Duration::from_secs(1);

/// How progress is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Progress {
    /// Bars on a terminal, lines elsewhere.
    Auto,
    /// Lines.
    Plain,
    /// Bars, if there is a terminal.
    Tty,
    /// One JSON object per line, on standard error.
    Json,
    /// Nothing.
    Quiet,
}

/// Where news go.
pub(super) struct Screen {
    kind: Kind,
    tasks: Mutex<HashMap<String, Task>>,
}

enum Kind {
    Plain,
    Bars(MultiProgress),
    Json,
    Quiet,
}

/// One thing that goes on.
struct Task {
    since: Instant,
    told: Instant,
    text: String,
    bar: Option<ProgressBar>,
}

impl Screen {
    pub(super) fn new(wanted: Progress) -> Self {
        let terminal = std::io::stderr().is_terminal();
        let kind = match wanted {
            Progress::Quiet => Kind::Quiet,
            Progress::Json => Kind::Json,
            Progress::Auto | Progress::Tty if terminal => Kind::Bars(MultiProgress::new()),
            // Bars that nobody sees would hide the lines too.
            Progress::Auto | Progress::Tty | Progress::Plain => Kind::Plain,
        };
        Self { kind, tasks: Mutex::default() }
    }

    /// A piece of news of a build.
    pub(super) fn show(&self, event: Event<'_>) {
        let name = |node: usize| format!("#{}", node + 1);
        match event {
            Event::Started { node, text } => self.start(&name(node), text),
            Event::Step { node, item, done, total, unit } => {
                self.step(&name(node), item, done, total, unit);
            }
            Event::Note { node, text } => self.note(&name(node), text),
            Event::Done { node, cached: true } => self.end(&name(node), Some("CACHED")),
            Event::Done { node, cached: false } => self.end(&name(node), None),
        }
    }

    /// A piece of news of a transfer.
    pub(super) fn transfer(&self, event: progress::Event<'_>) {
        match event {
            progress::Event::Started { id, text } => self.start(id, text),
            progress::Event::Step { id, done, total } => {
                self.step(id, "", done, Some(total), Unit::Bytes);
            }
            progress::Event::Done { id, text } => self.end(id, Some(text)),
            progress::Event::Note(text) => self.say(text),
        }
    }

    /// Something that belongs to no step.
    pub(super) fn say(&self, text: &str) {
        match self.kind {
            Kind::Json => say(&json!({ "event": "note", "text": text }).to_string()),
            _ => self.line(text),
        }
    }

    fn start(&self, id: &str, text: &str) {
        let text = one_line(text);
        let mut bar = None;
        match &self.kind {
            Kind::Json => {
                say(&json!({ "event": "started", "step": id, "text": text }).to_string());
            }
            Kind::Bars(bars) => {
                let new = bars.add(ProgressBar::new_spinner());
                let style = "{spinner} {msg:40!} {wide_bar} {prefix} {elapsed}";
                new.set_style(ProgressStyle::with_template(style).expect("the template is right"));
                new.set_message(shown(&text).into_owned());
                new.enable_steady_tick(Duration::from_millis(120));
                bar = Some(new);
            }
            Kind::Plain => say(&format!("{id} {text}")),
            Kind::Quiet => {}
        }
        let now = Instant::now();
        let task = Task { since: now, told: now, text, bar };
        if let Ok(mut tasks) = self.tasks.lock() {
            tasks.insert(id.to_owned(), task);
        }
    }

    fn step(&self, id: &str, item: &str, done: u64, total: Option<u64>, unit: Unit) {
        let Ok(mut tasks) = self.tasks.lock() else { return };
        let Some(task) = tasks.get_mut(id) else { return };
        if let Some(bar) = &task.bar {
            bar.set_length(total.unwrap_or(0));
            bar.set_position(done);
            bar.set_prefix(amount(done, total, unit));
            return;
        }
        let pause = if matches!(self.kind, Kind::Json) { PAUSE_OF_JSON } else { PAUSE };
        if task.told.elapsed() < pause {
            return;
        }
        task.told = Instant::now();
        match self.kind {
            Kind::Json => {
                let unit = unit_name(unit);
                let news = json!({ "event": "progress", "step": id, "item": item, "done": done, "total": total, "unit": unit });
                say(&news.to_string());
            }
            _ => self.line(&one_line(&format!("{id} {item} {}", amount(done, total, unit)))),
        }
    }

    fn note(&self, id: &str, text: &str) {
        match self.kind {
            Kind::Json => say(&json!({ "event": "note", "step": id, "text": text }).to_string()),
            _ => self.line(&format!("{id} {text}")),
        }
    }

    /// It ended; without a word for how, after so many seconds.
    fn end(&self, id: &str, how: Option<&str>) {
        let task = self.tasks.lock().ok().and_then(|mut tasks| tasks.remove(id));
        let Some(task) = task else { return };
        let seconds = task.since.elapsed().as_secs_f32();
        let how = how.map_or_else(|| format!("DONE {seconds:.1}s"), str::to_owned);
        match (&self.kind, task.bar) {
            (Kind::Json, _) => {
                say(&json!({ "event": "done", "step": id, "text": how, "seconds": seconds })
                    .to_string());
            }
            (_, Some(bar)) => {
                bar.finish_and_clear();
                self.line(&format!("{id} {how} {}", task.text));
            }
            (_, None) => self.line(&format!("{id} {how}")),
        }
    }

    fn line(&self, text: &str) {
        match &self.kind {
            Kind::Quiet => {}
            // Lines go above the bars.
            Kind::Bars(bars) => drop(bars.println(shown(text))),
            Kind::Plain | Kind::Json => say(text),
        }
    }
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn amount(done: u64, total: Option<u64>, unit: Unit) -> String {
    let show = |count: u64| match unit {
        Unit::Bytes => size(count),
        Unit::Tensors | Unit::Files | Unit::Chunks => count.to_string(),
    };
    let name = match unit {
        Unit::Bytes => String::new(),
        Unit::Tensors | Unit::Files | Unit::Chunks => format!(" {}", unit_name(unit)),
    };
    match total {
        Some(total) => format!("{} / {}{name}", show(done), show(total)),
        None => format!("{}{name}", show(done)),
    }
}

fn unit_name(unit: Unit) -> &'static str {
    match unit {
        Unit::Bytes => "bytes",
        Unit::Tensors => "tensors",
        Unit::Files => "files",
        Unit::Chunks => "chunks",
    }
}
