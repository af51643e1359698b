//! `CONVERT` in builds, with a converter that writes down what it sees.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::executor::testing::{Bench, copy, stage};
use crate::language::instruction::{Convert, Instruction, Origin};

fn convert(src: &str, dest: &str) -> Convert {
    Convert {
        from: Origin::Here,
        src: src.to_owned(),
        dest: dest.to_owned(),
        kind: "F16".to_owned(),
        lora: false,
        base: None,
    }
}

/// What lies in a folder of the disk, with its name.
fn seen(dir: &Path) -> String {
    let mut names: Vec<String> = Vec::new();
    let mut folders = vec![dir.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(dir).unwrap().display().to_string();
                names.push(format!("{name}={}", fs::read_to_string(&path).unwrap()));
            }
        }
    }
    names.sort();
    format!("{}: {}", dir.file_name().unwrap().to_string_lossy(), names.join(" "))
}

/// A bench whose converter writes what it sees, and counts its runs.
fn bench() -> (Bench, Arc<AtomicUsize>) {
    let mut bench = Bench::new();
    let count = Arc::new(AtomicUsize::new(0));
    let counted = count.clone();
    bench.converter = Box::new(move |request: &Request<'_>, watch: &mut Watch<'_>| {
        counted.fetch_add(1, Ordering::Relaxed);
        (watch.step)(1, 2);
        (watch.note)("by hand");
        let base = request.base.map(|base| format!(" on {}", seen(base))).unwrap_or_default();
        fs::write(request.out, format!("{} {}{base}", request.kind, seen(request.dir))).unwrap();
        Ok(crate::convert::By::Native)
    });
    bench.write("Qwen2/config.json", "{}");
    bench.write("Qwen2/deep/a", "1");
    (bench, count)
}

#[test]
fn a_folder_of_the_stage_becomes_a_file() {
    let (bench, _) = bench();
    let steps =
        [copy("Qwen2", "/app/Qwen2"), Instruction::Convert(convert("/app/Qwen2", "/app/out/"))];
    let stage = bench.build(&steps).expect("it builds");
    let shown = bench.shown(&stage);
    let line = "app/out/Qwen2.gguf = F16 Qwen2: config.json={} deep/a=1";
    assert!(shown.contains(&line.to_owned()), "{shown:?}");
    let news = bench.news.lock().unwrap();
    assert!(news.contains(&"STEP  1 Some(2) Bytes".to_owned()), "{news:?}");
    assert!(news.contains(&"NOTE by hand".to_owned()), "{news:?}");
}

#[test]
fn from_another_stage_and_from_the_context() {
    let (bench, _) = bench();
    let first = stage(Origin::Scratch, &[copy("Qwen2", "/models/Q")]);
    let step = Instruction::Convert(Convert { from: Origin::Stage(0), ..convert("Q", "q.gguf") });
    let built = bench.build_stages(&[first, stage(Origin::Scratch, &[step])]).expect("it builds");
    let shown = bench.shown(&built);
    assert_eq!(shown.last().unwrap(), "models/q.gguf = F16 Q: config.json={} deep/a=1");
    let step =
        Instruction::Convert(Convert { from: Origin::Context, ..convert("Qwen2", "/q.gguf") });
    let shown = bench.shown(&bench.build(&[step]).expect("it builds"));
    assert_eq!(shown, ["q.gguf = F16 Qwen2: config.json={} deep/a=1"]);
}

#[test]
fn an_adapter_comes_with_its_base() {
    let (bench, _) = bench();
    bench.write("adapter/adapter_config.json", "2");
    let adapter = Convert {
        from: Origin::Context,
        kind: "BF16".to_owned(),
        lora: true,
        base: Some("base".to_owned()),
        ..convert("adapter", "/a.gguf")
    };
    let steps = [copy("Qwen2", "base"), Instruction::Convert(adapter)];
    let shown = bench.shown(&bench.build(&steps).expect("it builds"));
    let line = "a.gguf = BF16 adapter: adapter_config.json=2 on base: config.json={} deep/a=1";
    assert!(shown.contains(&line.to_owned()), "{shown:?}");
}

#[test]
fn the_same_content_is_converted_once() {
    let (bench, count) = bench();
    let step = |src: &str, kind: &str| {
        Instruction::Convert(Convert {
            from: Origin::Context,
            kind: kind.to_owned(),
            ..convert(src, "/q.gguf")
        })
    };
    let runs = || count.load(Ordering::Relaxed);
    bench.build(&[step("Qwen2", "F16")]).expect("it builds");
    bench.build(&[step("Qwen2", "F16")]).expect("it builds");
    assert_eq!(runs(), 1);
    assert!(bench.was_cached(&step("Qwen2", "F16")));
    bench.build(&[step("Qwen2", "Q8_0")]).expect("another type");
    assert_eq!(runs(), 2);
    bench.write("Other/config.json", "{}");
    bench.write("Other/deep/a", "1");
    bench.build(&[step("Other", "F16")]).expect("another name, which stands in the file");
    assert_eq!(runs(), 3);
    bench.write("Qwen2/deep/a", "2");
    bench.build(&[step("Qwen2", "F16")]).expect("another content");
    assert_eq!(runs(), 4);
}

#[cfg(unix)]
#[test]
fn links_count_as_what_they_lead_to() {
    let (bench, _) = bench();
    bench.write("Qwen2/real.json", "3");
    std::os::unix::fs::symlink("real.json", bench.at("Qwen2/link.json")).unwrap();
    let steps = [copy("Qwen2", "/Q"), Instruction::Convert(convert("/Q", "/q.gguf"))];
    let shown = bench.shown(&bench.build(&steps).expect("it builds"));
    let line = "q.gguf = F16 Q: config.json={} deep/a=1 link.json=3 real.json=3";
    assert!(shown.contains(&line.to_owned()), "{shown:?}");
}

#[test]
fn what_is_wrong_is_said_as_the_file_says_it() {
    let (mut bench, _) = bench();
    bench.converter = Box::new(|request, _| {
        let path = request.dir.join("config.json");
        Err(Error::new(format!("{} is not JSON: x", path.display())).hint("fetch the file again"))
    });
    let fails = |src: &str| {
        let steps = [copy("Qwen2", "/Q"), Instruction::Convert(convert(src, "/q.gguf"))];
        bench.build(&steps).expect_err("it fails")
    };
    let error = fails("/Q");
    assert!(error.contains(": /Q/config.json is not JSON: x\n"), "{error}");
    assert!(error.ends_with("hint: fetch the file again"), "{error}");
    let error = fails("/Q/config.json");
    assert!(error.contains(": `/Q/config.json` is a file\n"), "{error}");
    assert!(fails("/none").contains("/none"), "a missing folder is named");
}
