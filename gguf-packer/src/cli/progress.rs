//! Shows what goes on, on standard error: bars on a terminal, else a line for each piece of news.

use std::collections::HashMap;
use std::io::IsTerminal;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use super::args;
use super::output::say;
use crate::executor::{Event, Unit};
use crate::gguf::bytes as size;

/// Time between two lines about one thing that goes on.
const PAUSE: Duration = Duration::from_secs(5);

/// Where news go.
pub(super) struct Screen {
    kind: Kind,
    tasks: Mutex<HashMap<usize, Task>>,
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
    pub(super) fn new(wanted: args::Progress) -> Self {
        let terminal = std::io::stderr().is_terminal();
        let kind = match wanted {
            args::Progress::Quiet => Kind::Quiet,
            args::Progress::Json => Kind::Json,
            args::Progress::Auto | args::Progress::Tty if terminal => {
                Kind::Bars(MultiProgress::new())
            }
            // Bars that nobody sees would hide the lines too.
            args::Progress::Auto | args::Progress::Tty | args::Progress::Plain => Kind::Plain,
        };
        Self { kind, tasks: Mutex::default() }
    }

    /// A piece of news of a build.
    pub(super) fn show(&self, event: Event<'_>) {
        if let Kind::Json = self.kind {
            return say(&as_json(event).to_string());
        }
        let Ok(mut tasks) = self.tasks.lock() else { return };
        match event {
            Event::Started { node, text } => self.start(&mut tasks, node, text),
            Event::Step { node, item, done, total, unit } => {
                self.step(&mut tasks, node, item, done, total, unit);
            }
            Event::Note { node, text } => self.line(&format!("#{} {text}", node + 1)),
            Event::Done { node, cached } => self.end(&mut tasks, node, cached),
        }
    }

    /// Something that belongs to no step.
    pub(super) fn say(&self, text: &str) {
        match self.kind {
            Kind::Json => say(&serde_json::json!({ "event": "note", "text": text }).to_string()),
            _ => self.line(text),
        }
    }

    fn start(&self, tasks: &mut HashMap<usize, Task>, node: usize, text: &str) {
        let text = one_line(text);
        let mut bar = None;
        match &self.kind {
            Kind::Bars(bars) => {
                let style = ProgressStyle::with_template(
                    "{spinner} {msg:40!} {wide_bar} {prefix} {elapsed}",
                );
                let new = bars.add(ProgressBar::new_spinner());
                new.set_style(style.expect("the template is right"));
                new.set_message(text.clone());
                new.enable_steady_tick(Duration::from_millis(120));
                bar = Some(new);
            }
            _ => self.line(&format!("#{} {text}", node + 1)),
        }
        let now = Instant::now();
        tasks.insert(node, Task { since: now, told: now, text, bar });
    }

    fn step(
        &self,
        tasks: &mut HashMap<usize, Task>,
        node: usize,
        item: &str,
        done: u64,
        total: Option<u64>,
        unit: Unit,
    ) {
        let Some(task) = tasks.get_mut(&node) else { return };
        let far = amount(done, total, unit);
        if let Some(bar) = &task.bar {
            bar.set_length(total.unwrap_or(0));
            bar.set_position(done);
            bar.set_prefix(far);
        } else if task.told.elapsed() >= PAUSE {
            task.told = Instant::now();
            self.line(&format!("#{} {item} {far}", node + 1));
        }
    }

    fn end(&self, tasks: &mut HashMap<usize, Task>, node: usize, cached: bool) {
        let Some(task) = tasks.remove(&node) else { return };
        let seconds = task.since.elapsed().as_secs_f32();
        let how = if cached { "CACHED".to_owned() } else { format!("DONE {seconds:.1}s") };
        match task.bar {
            Some(bar) => {
                bar.finish_and_clear();
                self.line(&format!("#{} {how} {}", node + 1, task.text));
            }
            None => self.line(&format!("#{} {how}", node + 1)),
        }
    }

    fn line(&self, text: &str) {
        match &self.kind {
            Kind::Quiet => {}
            // Lines go above the bars.
            Kind::Bars(bars) => drop(bars.println(text)),
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
        Unit::Tensors | Unit::Files => count.to_string(),
    };
    let name = match unit {
        Unit::Bytes => "",
        Unit::Tensors => " tensors",
        Unit::Files => " files",
    };
    match total {
        Some(total) => format!("{} / {}{name}", show(done), show(total)),
        None => format!("{}{name}", show(done)),
    }
}

fn as_json(event: Event<'_>) -> serde_json::Value {
    match event {
        Event::Started { node, text } => {
            serde_json::json!({ "event": "started", "step": node + 1, "text": text })
        }
        Event::Step { node, item, done, total, unit } => {
            let unit = match unit {
                Unit::Bytes => "bytes",
                Unit::Tensors => "tensors",
                Unit::Files => "files",
            };
            serde_json::json!({
                "event": "progress", "step": node + 1, "item": item, "done": done, "total": total, "unit": unit,
            })
        }
        Event::Note { node, text } => {
            serde_json::json!({ "event": "note", "step": node + 1, "text": text })
        }
        Event::Done { node, cached } => {
            serde_json::json!({ "event": "done", "step": node + 1, "cached": cached })
        }
    }
}
