//! What a server is asked for outside itself: by its arguments, its variables and its files of options.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use super::options::{OPTIONS, Row, Use};
use super::system::System;
use super::{ini, places};

/// Each use with the value of its option, in the order in which llama.cpp reads them.
pub(crate) fn read(args: &[OsString], system: &System<'_>) -> Vec<(Use, OsString)> {
    let mut asked = Vec::new();
    for file in places::config_files(system) {
        asked.extend(of_file(&file, system));
    }
    for row @ (_, variable, ..) in OPTIONS {
        let value = (system.env)(variable).filter(|_| !variable.is_empty());
        asked.extend(value.and_then(|value| one(row, &value)));
    }
    asked.extend(of_line(args));
    let presets = asked.iter().filter(|(what, _)| *what == Use::Presets);
    let presets: Vec<PathBuf> = presets.map(|(_, file)| PathBuf::from(file)).collect();
    for file in presets {
        // The models of the servers that this one starts: it stays a router.
        let others = of_file(&file, system).into_iter();
        asked.extend(others.map(|(what, value)| match what {
            Use::Model => (Use::Read, value),
            _ => (what, value),
        }));
    }
    asked
}

fn of_line(args: &[OsString]) -> Vec<(Use, OsString)> {
    let mut asked = Vec::new();
    let mut args = args.iter().skip(1);
    while let Some(arg) = args.next() {
        let Some(row @ (_, _, takes_value, _)) = named(&arg.to_string_lossy()) else { continue };
        let flag = OsString::from("1");
        let value = if *takes_value { args.next() } else { Some(&flag) };
        asked.extend(value.and_then(|value| one(row, value)));
    }
    asked
}

fn of_file(file: &Path, system: &System<'_>) -> Vec<(Use, OsString)> {
    let text = (system.read)(file).unwrap_or_default();
    let rows = ini::pairs(&text).filter_map(|(key, value)| {
        let is_it = |(names, variable, ..): &&Row| {
            *variable == key || names.iter().any(|name| name.trim_start_matches('-') == key)
        };
        one(OPTIONS.iter().find(is_it)?, OsStr::new(value))
    });
    rows.collect()
}

/// As llama.cpp, which takes `--model_url` for `--model-url`.
fn named(arg: &str) -> Option<&'static Row> {
    let arg = if arg.starts_with("--") { arg.replace('_', "-") } else { arg.to_owned() };
    OPTIONS.iter().find(|(names, ..)| names.contains(&arg.as_str()))
}

fn one((_, _, takes_value, what): &Row, value: &OsStr) -> Option<(Use, OsString)> {
    let is_off = match takes_value {
        true => value.is_empty(),
        false => ["0", "off", "disabled", "false"].iter().any(|off| value == *off),
    };
    (!is_off && *what != Use::Nothing).then(|| (*what, value.to_owned()))
}
