//! What a run found: a table for whoever waited, JSON for the table in docs/gpu.md.

use std::path::Path;
use std::{fmt, fs, io};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use super::bench::Bench;
use super::machine::Device;
use super::ops::Ops;

/// One run on one machine.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Report {
    /// Day in UTC, `2026-11-21`.
    pub date: String,
    /// Upstream's tag.
    pub llama_cpp: String,
    pub variant: String,
    /// The distribution's.
    pub version: String,
    pub devices: Vec<Device>,
    pub driver: String,
    /// Layers of the model, all of them on the devices.
    pub layers: usize,
    pub tokens: Tokens,
    pub ops: Ops,
    pub bench: Bench,
}

/// Greedy tokens that were compared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Tokens {
    pub prompts: usize,
    /// Tokens of the CPU's answers.
    pub compared: usize,
    /// Prompts after which the GPU chose the other of two tokens that were as good as equal to the CPU.
    #[serde(default)]
    pub ties: usize,
    /// Prompts after which the GPU's tokens are others.
    pub prompts_that_differ: usize,
    /// What gave the CPU's.
    pub against: String,
}

impl Report {
    /// Writes it as JSON, whole or not at all.
    ///
    /// # Errors
    /// When `path` cannot be written.
    pub(super) fn write(&self, path: &Path) -> Result<()> {
        let text = serde_json::to_string_pretty(self).context("cannot write JSON")? + "\n";
        llama_src::place::write_whole(path, &text)
            .with_context(|| format!("cannot write {}", path.display()))
    }

    /// Its row of a table in Markdown.
    fn row(&self) -> String {
        let Self { date, driver, bench, ops, .. } = self;
        let cards: Vec<&str> = self.devices.iter().map(|device| device.card.as_str()).collect();
        let cells = [
            date.clone(),
            cards.join(", "),
            driver.clone(),
            bench.model.clone(),
            format!("{} t/s", number(bench.server.prompt)),
            format!("{} t/s", number(bench.server.generation)),
            format!("{:.2}, {:.2}", bench.ratio.prompt, bench.ratio.generation),
            format!("{} of {} tests ({})", ops.passed, ops.total, filter(ops)),
        ];
        // A bar inside of a cell would end it.
        format!("| {} |\n", cells.map(|cell| cell.replace('|', "\\|")).join(" | "))
    }
}

/// The table in Markdown of the reports in `dir`, in the order of their files' names.
///
/// # Errors
/// When a file cannot be read or is no report.
pub fn results(dir: &Path) -> Result<String> {
    let cannot = || format!("cannot read {}", dir.display());
    let entries = fs::read_dir(dir).with_context(cannot)?.collect::<io::Result<Vec<_>>>();
    let mut paths: Vec<_> =
        entries.with_context(cannot)?.into_iter().map(|entry| entry.path()).collect();
    paths.sort();
    let mut table =
        "| date | GPU | driver | model | prompt | generation | of llama-bench | operations |\n\
                     |---|---|---|---|---|---|---|---|\n"
            .to_owned();
    for path in paths {
        let text = fs::read_to_string(&path).with_context(cannot)?;
        let report: Report = serde_json::from_str(&text)
            .with_context(|| format!("{} is not a report of gpu-test", path.display()))?;
        table.push_str(&report.row());
    }
    Ok(table)
}

/// At most 80 columns.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { tokens, ops, bench, .. } = self;
        let mut line = |name: &str, text: String| {
            let text: String = text.chars().take(67).collect();
            writeln!(f, "{name:<12} {text}")
        };
        line("distribution", format!("{} {}", self.variant, self.version))?;
        line("llama.cpp", self.llama_cpp.clone())?;
        for device in &self.devices {
            line("device", format!("{}: {}", device.name, device.card))?;
        }
        line("driver", self.driver.clone())?;
        line("layers", format!("{0} of {0} on the GPU", self.layers))?;
        let differ = match tokens.prompts_that_differ {
            0 if tokens.ties > 0 => format!("same as on the CPU, except {} ties", tokens.ties),
            0 => "same as on the CPU".to_owned(),
            count => format!("different from the CPU for {count} prompts"),
        };
        line("tokens", format!("{} after {} prompts, {differ}", tokens.compared, tokens.prompts))?;
        line("", format!("compared with {}", tokens.against))?;
        line(
            "operations",
            format!("{} of {} tests passed, of {}", ops.passed, ops.total, filter(ops)),
        )?;
        line("", format!("the backend does not support {} more", ops.unsupported))?;
        writeln!(f, "\n{}, {:.0} MB", bench.model, bench.bytes as f64 / 1e6)?;
        writeln!(
            f,
            "{:<28} {:>14} {:>14} {:>8}",
            "tokens/s", "llama-server", "llama-bench", "ratio"
        )?;
        let mut row = |name: &str, server: f64, upstream: f64, ratio: f64| {
            let (server, upstream) = (number(server), number(upstream));
            writeln!(f, "{name:<28} {server:>14} {upstream:>14} {ratio:>8.3}")
        };
        let (server, upstream, ratio) = (bench.server, bench.llama_bench, bench.ratio);
        let name = format!("prompt of {} tokens", bench.prompt_tokens);
        row(&name, server.prompt, upstream.prompt, ratio.prompt)?;
        let name = format!("generation of {} tokens", bench.generated_tokens);
        row(&name, server.generation, upstream.generation, ratio.generation)
    }
}

fn filter(ops: &Ops) -> &str {
    ops.filter.as_deref().unwrap_or("all operations")
}

fn number(rate: f64) -> String {
    if rate < 1000.0 { format!("{rate:.1}") } else { format!("{rate:.0}") }
}

#[cfg(test)]
mod tests {
    use super::super::bench::Speed;
    use super::*;

    fn report() -> Report {
        let card = "NVIDIA H200".to_owned();
        Report {
            date: "2026-11-21".to_owned(),
            llama_cpp: "b1".to_owned(),
            variant: "cuda".to_owned(),
            version: "2611211820-31a7ac6".to_owned(),
            devices: vec![Device { name: "CUDA0".to_owned(), card }],
            driver: "580.65.06".to_owned(),
            layers: 4,
            tokens: Tokens {
                prompts: 5,
                compared: 160,
                ties: 0,
                prompts_that_differ: 0,
                against: "the cpu distribution 2611211820-31a7ac6".to_owned(),
            },
            ops: Ops { passed: 12345, total: 12345, unsupported: 67, ..Ops::default() },
            bench: Bench {
                model: "8B Q4_K_M".to_owned(),
                bytes: 4_917_000_000,
                prompt_tokens: 512,
                generated_tokens: 128,
                server: Speed { prompt: 9876.5, generation: 198.76 },
                llama_bench: Speed { prompt: 10_000.0, generation: 200.0 },
                ratio: Speed { prompt: 0.987_65, generation: 0.9938 },
            },
        }
    }

    #[test]
    fn the_table_fits_a_terminal() {
        let text = report().to_string();
        assert_eq!(
            text,
            "\
distribution cuda 2611211820-31a7ac6
llama.cpp    b1
device       CUDA0: NVIDIA H200
driver       580.65.06
layers       4 of 4 on the GPU
tokens       160 after 5 prompts, same as on the CPU
             compared with the cpu distribution 2611211820-31a7ac6
operations   12345 of 12345 tests passed, of all operations
             the backend does not support 67 more

8B Q4_K_M, 4917 MB
tokens/s                       llama-server    llama-bench    ratio
prompt of 512 tokens                   9876          10000    0.988
generation of 128 tokens              198.8          200.0    0.994
"
        );
        assert!(text.lines().all(|line| line.len() <= 80));
        let mut wide = report();
        wide.driver = "x".repeat(100);
        wide.tokens.prompts_that_differ = 2;
        let text = wide.to_string();
        assert!(text.lines().all(|line| line.len() <= 80), "{text}");
        assert!(text.contains("different from the CPU for 2 prompts"), "{text}");
    }

    #[test]
    fn json_comes_back_as_it_was() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.json");
        report().write(&path).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(serde_json::from_str::<Report>(&text).unwrap(), report());
        let table = results(dir.path()).unwrap();
        assert_eq!(
            table.lines().nth(2).unwrap(),
            "| 2026-11-21 | NVIDIA H200 | 580.65.06 | 8B Q4_K_M | 9876 t/s | 198.8 t/s | 0.99, 0.99 | 12345 \
             of 12345 tests (all operations) |"
        );
        std::fs::write(&path, "{}").unwrap();
        assert_eq!(
            results(dir.path()).unwrap_err().to_string(),
            format!("{} is not a report of gpu-test", path.display())
        );
    }
}
