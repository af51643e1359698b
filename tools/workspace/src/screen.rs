//! Shows a person how far long work is: one line that changes on a terminal, now and then a line of
//! its own elsewhere.

use std::io::{IsTerminal, Write};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use llama_src::Progress;
use llama_src::sh::Cmd;

use crate::cargo;

/// Between two lines of a log.
const LOG_EVERY: Duration = Duration::from_secs(20);
/// Between two looks at the progress of a build.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Writes to standard output. Who reads through `head` has seen enough when that ends.
pub fn print(text: impl std::fmt::Display) {
    let _ = write!(std::io::stdout(), "{text}");
}

/// The place where progress is shown.
pub struct Screen {
    terminal: bool,
    started: Instant,
    shown: String,
    logged: Option<Instant>,
}

impl Default for Screen {
    fn default() -> Self {
        Self::new()
    }
}

impl Screen {
    /// Standard error, a terminal or not.
    pub fn new() -> Self {
        let terminal = std::io::stderr().is_terminal();
        Self { terminal, started: Instant::now(), shown: String::new(), logged: None }
    }

    /// A step of the whole, on a line that stays.
    pub fn step(&mut self, text: &str) {
        self.clear();
        eprintln!("==> {text}");
        self.started = Instant::now();
        self.logged = None;
    }

    /// What is being done right now.
    pub fn show(&mut self, text: &str) {
        if text.is_empty() {
            return;
        }
        let seconds = self.started.elapsed().as_secs();
        let line = format!("    {text} ({}:{:02})", seconds / 60, seconds % 60);
        if self.terminal {
            let line: String = line.chars().take(79).collect();
            eprint!("\r\x1b[2K{line}");
            let _ = std::io::stderr().flush();
        } else if text != self.shown && self.logged.is_none_or(|last| last.elapsed() > LOG_EVERY) {
            eprintln!("{line}");
            self.logged = Some(Instant::now());
        }
        text.clone_into(&mut self.shown);
    }

    /// News of a fetch.
    pub fn news(&mut self, news: Progress<'_>) {
        match news {
            Progress::Say(text) => {
                self.clear();
                eprintln!("    {text}");
            }
            Progress::Step { what, done, total: Some(total) } => {
                self.show(&format!("{what}: {} of {} MB", done >> 20, total >> 20));
            }
            Progress::Step { what, done, total: None } => {
                self.show(&format!("{what}: {} MB", done >> 20))
            }
        }
    }

    /// Makes room for what somebody else prints.
    pub fn clear(&self) {
        if self.terminal {
            eprint!("\r\x1b[2K");
        }
    }

    /// Runs Cargo and shows what the build of llama.cpp, whose output Cargo keeps, is doing.
    pub fn build(&mut self, cmd: &Cmd) -> anyhow::Result<()> {
        self.watch(|file| Ok(cmd.clone().env("LLAMA_SYS_PROGRESS_FILE", file).run()?))
    }

    /// Shows what `work` writes into the file that it is given.
    pub fn watch<T>(&mut self, work: impl FnOnce(&Path) -> anyhow::Result<T>) -> anyhow::Result<T> {
        let dir = cargo::target_dir().join("xtask");
        std::fs::create_dir_all(&dir)?;
        let file = dir.join(format!("progress-{}", std::process::id()));
        let done = AtomicBool::new(false);
        let result = std::thread::scope(|scope| {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    std::thread::sleep(LOOK_EVERY);
                    self.look(&file);
                }
            });
            let result = work(&file);
            done.store(true, Ordering::Relaxed);
            result
        });
        self.clear();
        // Without a native build there is none.
        let _ = std::fs::remove_file(&file);
        result
    }

    fn look(&mut self, file: &Path) {
        if let Ok(text) = std::fs::read_to_string(file) {
            self.show(text.trim());
        }
    }
}
