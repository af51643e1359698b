//! The sandbox's table of options, held against what the server says of itself.

use llama_tests::needs;
use llama_tests::process::{command, finish};

#[expect(dead_code, reason = "the server's own file, of which this is the check")]
#[path = "../../../llama-server-bin/src/sandbox/options.rs"]
mod table;

/// What the help of an option has in it that reaches out of the process.
const WORDS: [&str; 18] = [
    "file",
    "path",
    "dir",
    "directory",
    "folder",
    "fname",
    "url",
    "host",
    "port",
    "socket",
    "repo",
    "repository",
    "download",
    "shell",
    "tool",
    "mcp",
    "proxy",
    "ffmpeg",
];

#[test]
fn every_option_that_reaches_out_of_the_process_is_classified() {
    let Some(program) = needs::server() else { return };
    let help = finish(command(program).arg("--help").env("LLAMA_SERVER_SANDBOX", "require")).output;
    let (upstream, _) = help.split_once("----- of this build").unwrap_or_else(|| panic!("{help}"));
    let options = options(upstream);
    assert!(options.len() > 200, "{help}");
    let known = |names: &[String]| {
        table::OPTIONS
            .iter()
            .any(|(known, ..)| known.iter().any(|known| names.iter().any(|name| name == known)))
    };
    let reaches_out = |help: &str| {
        let help = help.to_lowercase();
        help.split(|c: char| !c.is_ascii_alphabetic()).any(|word| {
            WORDS.iter().any(|reach| word == *reach || word.strip_suffix('s') == Some(reach))
        })
    };
    let new: Vec<_> = options
        .iter()
        .filter(|(names, help)| reaches_out(help) && !known(names))
        .map(|(names, _)| names.join(", "))
        .collect();
    assert!(new.is_empty(), "classify them in llama-server-bin/src/sandbox/options.rs: {new:#?}");
    let gone: Vec<_> = table::OPTIONS
        .iter()
        .flat_map(|(names, ..)| *names)
        .filter(|name| !options.iter().any(|(names, _)| names.iter().any(|known| known == *name)))
        .collect();
    assert!(gone.is_empty(), "llama-server knows them no longer: {gone:?}");
}

/// Names and help of each option, without its names and what is in brackets as a link.
fn options(help: &str) -> Vec<(Vec<String>, String)> {
    let mut all: Vec<(Vec<String>, String)> = Vec::new();
    for line in help.lines() {
        if line.starts_with('-') && !line.starts_with("-----") {
            let names = line.split([' ', ',']).filter(|word| !word.is_empty());
            let names: Vec<_> =
                names.take_while(|word| word.starts_with('-')).map(str::to_owned).collect();
            let rest = names.iter().fold(line.to_owned(), |rest, name| rest.replacen(name, "", 1));
            all.push((names, rest));
        } else if let (true, Some((_, help))) = (line.starts_with("      "), all.last_mut()) {
            *help += "\n";
            *help += line;
        }
    }
    all
}
