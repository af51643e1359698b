//! The machine that measures: what a reader must know to compare numbers.

use std::fs;

use llama_src::sh::Cmd;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Machine {
    pub(crate) cpu: String,
    pub(crate) cores: usize,
    /// Bytes.
    pub(crate) memory: u64,
    pub(crate) kernel: String,
    pub(crate) system: String,
    pub(crate) compiler: String,
    /// Processes that wanted to run when the measurements began, over the last minute.
    pub(crate) load: String,
}

/// Asks Linux; elsewhere much is unknown.
pub(crate) fn read() -> Machine {
    let file = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let version = |program: &str| {
        let text = Cmd::new(program).arg("--version").read().unwrap_or_default();
        text.lines().next().unwrap_or("unknown").to_owned()
    };
    Machine {
        cpu: field(&file("/proc/cpuinfo"), "model name", ':'),
        cores: std::thread::available_parallelism().map_or(1, usize::from),
        memory: memory(&file("/proc/meminfo"), "MemTotal"),
        kernel: file("/proc/sys/kernel/osrelease").trim().to_owned(),
        system: field(&file("/etc/os-release"), "PRETTY_NAME", '=').replace('"', ""),
        compiler: version("c++"),
        load: file("/proc/loadavg").split(' ').next().unwrap_or_default().to_owned(),
    }
}

/// Bytes of memory that programs can have now.
pub(crate) fn available() -> u64 {
    memory(&fs::read_to_string("/proc/meminfo").unwrap_or_default(), "MemAvailable")
}

/// The value after `name` and `separator`.
fn field(text: &str, name: &str, separator: char) -> String {
    let value = |line: &str| {
        let (key, value) = line.split_once(separator)?;
        (key.trim() == name).then(|| value.trim().to_owned())
    };
    text.lines().find_map(value).unwrap_or_else(|| "unknown".to_owned())
}

fn memory(meminfo: &str, name: &str) -> u64 {
    let value = field(meminfo, name, ':');
    value.strip_suffix(" kB").and_then(|count| count.parse::<u64>().ok()).unwrap_or(0) * 1024
}

impl Machine {
    /// One line for a person.
    pub(crate) fn line(&self) -> String {
        let Self { cpu, cores, memory, kernel, system, compiler, load } = self;
        format!(
            "{cpu}, {cores} cores, {:.0} GB of memory, {system}, Linux {kernel}, {compiler}, load {load} at the start",
            *memory as f64 / 1e9
        )
    }

    #[cfg(test)]
    pub(crate) fn example() -> Self {
        Self {
            cpu: "CPU X".to_owned(),
            cores: 2,
            memory: 8_000_000_000,
            kernel: "6.1".to_owned(),
            system: "Debian".to_owned(),
            compiler: "c++ 12".to_owned(),
            load: "0.10".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_read_as_linux_writes_them() {
        assert_eq!(field("a: 1\nmodel name\t: X Y\n", "model name", ':'), "X Y");
        assert_eq!(memory("MemTotal:       16000 kB\n", "MemTotal"), 16_384_000);
        assert_eq!(memory("", "MemTotal"), 0);
    }
}
