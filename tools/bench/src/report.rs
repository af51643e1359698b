//! `report`: docs/performance.md and its plots, made of bench/results and docs/gpu and nothing else.

mod plot;

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;
use std::{fs, io};

use anyhow::{Context, Result, bail};
use llama_src::Error;
use workspace::cargo;

use crate::results::{Part, Results};

const PAGE: &str = "docs/performance.md";
/// Plots lie in it, beside nothing else.
const PLOTS: &str = "docs/performance";
const RESULTS: &str = "bench/results";

/// What holds whatever was measured.
const HEAD: &str = "\
# Performance

`cargo xtask bench` measures this project next to upstream's official build of the same source, with the same compiler,
in one run. `cargo xtask bench report` makes this page of `bench/results` and `docs/gpu`.

```
cargo xtask bench build                        # hours; --quick: each build once
cargo xtask bench images                       # from a clone, without caches; needs a Docker engine
cargo xtask bench start size run               # after `cargo xtask dist`; builds upstream's too
cargo xtask bench start size run --quick       # drafts, in minutes
cargo xtask bench run --with xllamacpp         # other engines too
cargo xtask bench start size run --json bench/results/MACHINE.json
cargo xtask bench report
```

The sides of a case take turns, and each round reverses their order. A number is the median. The spread is half of the
range of the samples. The ratio is to upstream's median; the ratio of `weights read` is to `memory, read`. A bar is grey
if samples of the two sides overlap. A side that fails says so and leaves the other rows.

* `build` runs the commands of upstream's Dockerfile, which build every program, without a compiler cache. `ours, dist`
  is `cargo xtask dist`: the server with every CPU variant. `ours, cargo` is `cargo build --release`: the server for AVX2.
  CPU time is that of all processes, memory the most that they had at one time.
* `images` builds our image and upstream's with all that they need: packages, web page, server. The engine keeps what our
  Dockerfile caches until `docker builder prune --filter type=exec.cachemount`.
* `--cpu NAME` measures both sides with that CPU variant. On processors with AMX, GCC 12 compiles upstream's best variant
  to code that ends with SIGILL; ours has a patch (`0005`).
* `size` counts the programs and libraries that the image of the server has.
* `start` is the time until `/health` answers 200. With a cold page cache neither the model nor the files of the server
  are in memory; the system's libraries are. `memory` is what the ready server has for itself: without its files and
  without the weights, which it maps.
* `--with llama-cpp-python` compiles that engine with pip; the variable `CMAKE_ARGS` reaches it.
* `run` uses models of random weights, which cost as much as trained ones. Each answer computes a new prompt. Streams send
  their requests at once; their rate counts generated tokens from the first request to the last answer. `weights read` is
  the rate at which generation reads the model; `memory, read` is the most that the machine's memory gives.
";

/// Writes the page, or says what of it is not up to date.
pub(crate) fn run(check: bool) -> Result<()> {
    let root = cargo::root();
    if !check {
        return write(&root);
    }
    let stale = stale(&root)?;
    if stale.is_empty() {
        return Ok(());
    }
    bail!(
        Error::mismatch(format!("not what bench/results gives: {}", stale.join(", ")))
            .hint("cargo xtask bench report")
    )
}

/// Writes the page and its plots.
///
/// # Errors
/// When a result cannot be read, or a file not be written.
pub fn write(root: &Path) -> Result<()> {
    let files = files(root)?;
    let plots = root.join(PLOTS);
    for path in list(&plots)? {
        fs::remove_file(&path).with_context(|| format!("cannot remove {}", path.display()))?;
    }
    for (name, text) in files {
        let path = root.join(&name);
        let parent = path.parent().expect("a file of the repository is in a folder");
        let written = fs::create_dir_all(parent).and_then(|()| fs::write(&path, text));
        written.with_context(|| format!("cannot write {name}"))?;
    }
    Ok(())
}

/// The files that are not what the results give.
///
/// # Errors
/// When a result cannot be read.
pub fn stale(root: &Path) -> Result<Vec<String>> {
    let files = files(root)?;
    let same = |(name, text): &(&String, &String)| {
        fs::read_to_string(root.join(name)).is_ok_and(|found| found.replace('\r', "") == **text)
    };
    let mut stale: Vec<String> =
        files.iter().filter(|file| !same(file)).map(|(name, _)| name.clone()).collect();
    for path in list(&root.join(PLOTS))? {
        let name = format!("{PLOTS}/{}", name_of(&path));
        if !files.contains_key(&name) {
            stale.push(name);
        }
    }
    Ok(stale)
}

/// All files, by name.
fn files(root: &Path) -> Result<BTreeMap<String, String>> {
    let mut files = BTreeMap::new();
    let mut page = HEAD.to_owned();
    for path in list(&root.join(RESULTS))? {
        let results = Results::read(&path)?;
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        section(&mut page, &name, &results);
        for part in Part::ALL {
            let Some(svg) = plot::bars(&results, part)? else { continue };
            let file = format!("{name}-{part}.svg");
            table(&mut page, &results, part);
            let _ = write!(page, "\n![{part}, as ratios to upstream](performance/{file})\n");
            files.insert(format!("{PLOTS}/{file}"), svg);
        }
    }
    page.push_str("\n## On a GPU\n\n[gpu.md](gpu.md) tells how these were measured.\n\n");
    page.push_str(&gpu_test::results(&root.join("docs/gpu"))?);
    files.insert(PAGE.to_owned(), page);
    Ok(files)
}

/// The files of a folder, sorted; none when it is not there.
fn list(dir: &Path) -> Result<Vec<std::path::PathBuf>> {
    let entries = match fs::read_dir(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.with_context(|| format!("cannot read {}", dir.display()))?,
    };
    let mut paths = Vec::new();
    for entry in entries {
        paths.push(entry?.path());
    }
    paths.sort();
    Ok(paths)
}

fn name_of(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

fn section(page: &mut String, name: &str, results: &Results) {
    let Results { date, version, llama_cpp, quick, machine, sides, .. } = results;
    let kind = if *quick { ", few and short measurements" } else { "" };
    let _ =
        write!(page, "\n## {name}\n\n{date}, version {version}, llama.cpp {llama_cpp}{kind}.\n");
    let _ = write!(page, "{}.\n\n", machine.line());
    for (side, about) in sides {
        let _ = writeln!(page, "* {side}: {about}");
    }
}

fn table(page: &mut String, results: &Results, part: Part) {
    let _ = write!(
        page,
        "\n### {name}: {part}\n\n| case | side | median | spread | ratio |\n|---|---|---|---|---|\n",
        name = results.date
    );
    for row in results.rows.iter().filter(|row| row.part == part) {
        let [median, spread, ratio] = row.cells(results.ratio(row));
        let failed = row.failed.as_ref().map(|why| format!(" ({why})")).unwrap_or_default();
        let cells = [&row.case, &row.side, &(median + &failed), &spread, &ratio];
        // A bar inside of a cell would end it.
        let cells = cells.map(|cell| cell.replace('|', "\\|"));
        let _ = writeln!(page, "| {} |", cells.join(" | "));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::tests::{results, row};
    use crate::side::UPSTREAM;

    #[test]
    fn a_page_is_made_of_results_and_held_to_them() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path();
        fs::create_dir_all(root.join("docs/gpu")).unwrap();
        fs::create_dir_all(root.join(RESULTS)).unwrap();
        let mut failing = row("a", "debian", &[]);
        failing.failed = Some("not | installed".to_owned());
        let rows = vec![row("a", "ours", &[20.0, 22.0]), row("a", UPSTREAM, &[10.0]), failing];
        results(rows).write(&root.join(RESULTS).join("box.json")).unwrap();
        assert_eq!(stale(root).unwrap(), [PAGE, "docs/performance/box-run.svg"]);
        write(root).unwrap();
        assert!(stale(root).unwrap().is_empty());
        let page = fs::read_to_string(root.join(PAGE)).unwrap();
        for line in [
            "| a | ours | 21.0 t/s | ±5 % | 2.10 |",
            "| a | debian | - (not \\| installed) | - | - |",
            "![run, as ratios to upstream](performance/box-run.svg)",
            "* ours: a distribution",
        ] {
            assert!(page.lines().any(|found| found == line), "{line}\n{page}");
        }
        fs::remove_file(root.join(RESULTS).join("box.json")).unwrap();
        assert_eq!(stale(root).unwrap(), [PAGE, "docs/performance/box-run.svg"]);
        write(root).unwrap();
        assert!(stale(root).unwrap().is_empty() && list(&root.join(PLOTS)).unwrap().is_empty());
    }
}
