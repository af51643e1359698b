//! Builds from the context, stages and images: every option by the smallest build that shows it.

use std::fs;
use std::time::Duration;

use super::testing::{Bench, add, add_with, copy, copy_with, stage};
use crate::language::instruction::{AddSource, Cat, Instruction, Origin};
use crate::plan::Context;

fn cat(text: &str, dest: &str) -> Instruction {
    Instruction::Cat(Cat { text: text.to_owned(), dest: dest.to_owned() })
}

fn cmd(words: &[&str]) -> Instruction {
    Instruction::Cmd(words.iter().map(|word| (*word).to_owned()).collect())
}

fn label(key: &str, value: &str) -> Instruction {
    Instruction::Label(vec![(key.to_owned(), value.to_owned())])
}

#[test]
fn a_model_becomes_a_stage() {
    let bench = Bench::new();
    bench.write("m.gguf", "weights");
    bench.write("docs/a.md", "text");
    let steps = [
        copy("m.gguf docs/a.md", "./"),
        cat("You are kind.", "prompts/system.txt"),
        label("a", "1"),
        cmd(&["-m", "m.gguf"]),
    ];
    let stage = bench.build(&steps).expect("it builds");
    assert_eq!(
        bench.shown(&stage),
        [
            "models/",
            "models/a.md = text",
            "models/m.gguf = weights",
            "models/prompts/",
            "models/prompts/system.txt = You are kind."
        ]
    );
    let layers = [
        "models models/a.md",
        "models models/m.gguf",
        "models models/prompts models/prompts/system.txt",
    ];
    assert_eq!(bench.layers(&stage), layers);
    let made: Vec<&str> = stage.layers.iter().map(|made| made.created_by.as_str()).collect();
    assert_eq!(
        made,
        ["COPY m.gguf docs/a.md ./", "COPY m.gguf docs/a.md ./", "CAT prompts/system.txt"]
    );
    assert_eq!(stage.command, Some(vec!["-m".to_owned(), "m.gguf".to_owned()]));
    assert_eq!(stage.labels, [("a".to_owned(), "1".to_owned())]);
    assert_eq!((stage.base, stage.working_folder.as_str()), (None, "/models"));
    assert_eq!(bench.leftovers(), [""; 0]);
}

#[test]
fn nothing_changed_is_nothing_done() {
    let mut bench = Bench::new();
    bench.write("m.gguf", "weights");
    bench.write("other", "1");
    let steps = [copy("m.gguf", "./"), copy("other", "/"), cmd(&["-m", "m.gguf"])];
    let first = bench.build(&steps).expect("it builds");
    assert!(!bench.was_cached(&steps[0]));
    // Another time and another neighbour are not another content.
    let file = fs::File::options().append(true).open(bench.at("m.gguf")).expect("a file");
    file.set_modified(std::time::SystemTime::UNIX_EPOCH + Duration::from_secs(9)).expect("a time");
    bench.write("neighbour", "1");
    let second = bench.build(&steps).expect("it builds");
    assert_eq!(first, second);
    assert!(bench.was_cached(&steps[0]) && bench.was_cached(&steps[1]));
    bench.write("other", "2");
    let third = bench.build(&steps).expect("it builds");
    assert!(bench.was_cached(&steps[0]) && !bench.was_cached(&steps[1]));
    assert_eq!(third.layers[0], first.layers[0]);
    assert_ne!(third.layers[1].layer, first.layers[1].layer);
    bench.no_cache = true;
    assert_eq!(bench.build(&steps).expect("it builds").layers[0].layer, first.layers[0].layer);
    assert!(!bench.was_cached(&steps[0]));
}

#[test]
fn the_time_of_a_result_is_its_first_one_or_the_given_one() {
    let mut bench = Bench::new();
    bench.write("a", "1");
    let steps = [copy("a", "/")];
    let first = bench.build(&steps).expect("it builds");
    std::thread::sleep(Duration::from_millis(1100));
    assert_eq!(bench.build(&steps).expect("it builds").created, first.created);
    let other = bench.build(&[copy("a", "/"), label("x", "1")]).expect("it builds");
    assert!(other.created > first.created && other.layers == first.layers);
    bench.source_date = Some(7);
    let dated = bench.build(&steps).expect("it builds");
    assert_eq!((dated.created, dated.layers[0].created), (7, 7));
    assert_eq!(dated.entries.get("a").expect("a").mtime, 7);
    assert_eq!(first.entries.get("a").expect("a").mtime, 0);
}

#[test]
fn a_build_is_the_same_in_each_store() {
    let layers = || {
        let bench = Bench::new();
        bench.write("d/m.gguf", "weights");
        bench.write("d/x", "1");
        let stage = bench.build(&[copy("d", "./")]).expect("it builds");
        stage.layers.into_iter().map(|made| made.layer).collect::<Vec<_>>()
    };
    assert_eq!(layers(), layers());
}

#[cfg(unix)]
#[test]
fn of_permissions_only_executable_counts() {
    use std::os::unix::fs::PermissionsExt;
    let bench = Bench::new();
    for (name, mode) in [("a", 0o600), ("b", 0o775), ("c", 0o666)] {
        bench.write(name, name);
        fs::set_permissions(bench.at(name), fs::Permissions::from_mode(mode)).expect("a mode");
    }
    let stage = bench.build(&[copy("a b c", "/")]).expect("it builds");
    assert_eq!(bench.shown(&stage), ["a = a", "b = b 755", "c = c"]);
}

#[test]
fn options_of_copy() {
    let bench = Bench::new();
    bench.write("a/b/x.txt", "x");
    bench.write("a/b/y.md", "y");
    let with = |sources: &str, dest: &str, change: fn(&mut _)| {
        let stage = bench.build(&[copy_with(Origin::Context, sources, dest, change)]);
        bench.shown(&stage.expect("it builds"))
    };
    assert_eq!(with("a/b", "/", |_| ()), ["x.txt = x", "y.md = y"]);
    assert_eq!(with("a/b/*.md", "/z", |_| ()), ["z = y"]);
    assert_eq!(with("a/b/* none*", "/z", |_| ()), ["z/", "z/x.txt = x", "z/y.md = y"]);
    let parents = with("a/./b/x.txt", "/p", |copy| copy.parents = true);
    assert_eq!(parents, ["p/", "p/b/", "p/b/x.txt = x"]);
    let excluded = with("a", "/", |copy| copy.placing.exclude = vec!["**/*.md".to_owned()]);
    assert_eq!(excluded, ["b/", "b/x.txt = x"]);
    let all_but =
        with("a/b/x.txt a/b/y.md", "/", |copy| copy.placing.exclude = vec!["*.md".to_owned()]);
    assert_eq!(all_but, ["x.txt = x"], "a file that is named can be left out");
    let owned = with("a/b/x.txt", "/n/", |copy| copy.placing.chown = Some("5:6".to_owned()));
    assert_eq!(owned, ["n/ 5:6", "n/x.txt = x 5:6"]);
    let changed = with("a", "/", |copy| copy.placing.chmod = Some("u=rX,go=".to_owned()));
    assert_eq!(changed, ["b/ 500", "b/x.txt = x 400", "b/y.md = y 400"]);
    let inline = with("", "/i/", |copy| {
        copy.inline = vec![("one".to_owned(), "1".to_owned()), ("two".to_owned(), "2".to_owned())];
    });
    assert_eq!(inline, ["i/", "i/one = 1", "i/two = 2"]);
}

#[test]
fn owners_by_name_come_from_the_stage() {
    let mut bench = Bench::new();
    let passwd = ["etc/passwd=model:x:10:20::/:\n", "etc/group=staff:x:50:\n"];
    bench.add_image("base", &passwd, serde_json::json!({}));
    bench.write("x", "1");
    let chown = |text: &'static str| {
        copy_with(Origin::Context, "x", "/x", move |copy| {
            copy.placing.chown = Some(text.to_owned())
        })
    };
    let base = Origin::Image("base".to_owned());
    let built = bench.build_stages(&[stage(base, &[chown("model:staff")])]).expect("it builds");
    assert_eq!(bench.shown(&built).last().map(String::as_str), Some("x = 1 10:50"));
    let error = bench.build(&[chown("model")]).expect_err("no passwd");
    let expected =
        "GGUFPackerfile:2:1: unknown user `model`: this stage has no /etc/passwd\n  | COPY x /x";
    assert!(error.starts_with(expected), "{error}");
}

#[test]
fn with_link_a_layer_does_not_depend_on_what_is_below() {
    let mut bench = Bench::new();
    bench.add_image("base", &["real/y=1", "to->real", "tmp/"], serde_json::json!({}));
    bench.write("x", "1");
    let layers = |link: bool| {
        let step = copy_with(Origin::Context, "x", "/to/", |copy| copy.placing.link = link);
        let base = stage(Origin::Image("base".to_owned()), &[step]);
        bench.layers(&bench.build_stages(&[base]).expect("it builds"))
    };
    assert_eq!(layers(false), ["real real/x"]);
    assert_eq!(layers(true), ["to to/x"]);
}

#[test]
fn stages_and_images_have_files() {
    let mut bench = Bench::new();
    let config = serde_json::json!({ "config": { "WorkingDir": "/app", "Cmd": ["-m", "x"] } });
    bench.add_image("base linux/arm64", &["app/x=1"], config);
    bench.outside.platform = Some("linux/arm64".to_owned());
    bench.write("m.gguf", "weights");
    let first = stage(Origin::Scratch, &[copy("m.gguf", "./"), cmd(&["-m", "m.gguf"])]);
    let base = Origin::Image("base".to_owned());
    let second = stage(
        base.clone(),
        &[
            copy_with(Origin::Stage(0), "m.gguf", "./n.gguf", |_| ()),
            copy_with(base, "x", "./y", |_| ()),
        ],
    );
    let built = bench.build_stages(&[first, second]).expect("it builds");
    assert_eq!(bench.shown(&built), ["app/", "app/n.gguf = weights", "app/x = 1", "app/y = 1"]);
    assert_eq!(built.working_folder, "/app");
    assert_eq!(bench.layers(&built), ["app app/n.gguf", "app app/y"]);
    let image = built.base.expect("a base");
    assert_eq!((image.name.as_str(), image.layers.len()), ("base linux/arm64", 1));
    assert_eq!(built.command, None, "the image's own holds");
    let missing = stage(Origin::Image("no".to_owned()), &[]);
    let error = bench.build_stages(&[missing]).expect_err("no image");
    assert_eq!(error, "GGUFPackerfile:1:1: no image `no linux/arm64`\n  | FROM");
}

#[test]
fn a_stage_from_a_stage_goes_on_with_it() {
    let bench = Bench::new();
    bench.write("a", "1");
    let first = stage(Origin::Scratch, &[copy("a", "/"), cmd(&["-m", "a"])]);
    let second = stage(Origin::Stage(0), &[copy("a", "/b")]);
    let built = bench.build_stages(&[first, second]).expect("it builds");
    assert_eq!(bench.layers(&built), ["a", "b"]);
    assert_eq!(built.command, Some(vec!["-m".to_owned(), "a".to_owned()]));
}

#[test]
fn named_contexts_have_files() {
    let mut bench = Bench::new();
    let other = bench.folder.path().join("other");
    fs::create_dir(&other).expect("a folder");
    for (name, text) in [("f", "1"), ("g", "2"), (".dockerignore", "g\n.dockerignore")] {
        fs::write(other.join(name), text).expect("a file");
    }
    bench.add_image("some:1", &["x=1"], serde_json::json!({}));
    bench.add_image("lay:v1", &["y=1"], serde_json::json!({}));
    for (name, value) in [
        ("dir", other.to_str().expect("a path")),
        ("image", "docker-image://some:1"),
        ("oci", "oci-layout://lay:v1"),
        ("gone", "no/such/folder"),
    ] {
        bench.outside.contexts.insert(name.to_owned(), Context::parse(value));
    }
    let from =
        |name: &str, source: &str| copy_with(Origin::Named(name.to_owned()), source, "/", |_| ());
    let built = bench.build(&[from("dir", "f"), from("image", "x"), from("oci", "y")]);
    assert_eq!(bench.shown(&built.expect("it builds")), ["f = 1", "x = 1", "y = 1"]);
    let whole =
        bench.build_stages(&[stage(Origin::Named("dir".to_owned()), &[])]).expect("it builds");
    assert_eq!(bench.shown(&whole), ["f = 1"]);
    assert_eq!(bench.layers(&whole), ["f"]);
    let error = bench.build(&[from("gone", "x")]).expect_err("no folder");
    assert!(
        error.starts_with("GGUFPackerfile:2:1: cannot read the folder no/such/folder: "),
        "{error}"
    );
}

#[test]
fn the_ignore_file_keeps_files_out() {
    let mut bench = Bench::new();
    for name in ["a.md", "d/b.md", "d/c.md", "e/f.md"] {
        bench.write(name, "1");
    }
    bench.ignore =
        crate::language::ignore::Ignore::of(["d", "!d/c.md", "e", "a.md"]).expect("patterns");
    let stage = bench.build(&[copy(".", "/")]).expect("it builds");
    assert_eq!(bench.shown(&stage), ["d/", "d/c.md = 1"]);
    let error = bench.build(&[copy("a.md", "/")]).expect_err("kept out");
    let expected = "GGUFPackerfile:2:1: .dockerignore excludes `a.md`\n  | COPY a.md /\n  hint: \
        include it: add the line `!a.md` at the end of .dockerignore";
    assert_eq!(error, expected);
}

#[cfg(unix)]
#[test]
fn links_stay_links_in_folders_and_are_followed_as_sources() {
    use std::os::unix::fs::symlink;
    let bench = Bench::new();
    bench.write("real/m.gguf", "weights");
    symlink("real/m.gguf", bench.at("latest.gguf")).expect("a link");
    symlink("real", bench.at("folder")).expect("a link");
    symlink("m.gguf", bench.at("real/same.gguf")).expect("a link");
    symlink("/etc/passwd", bench.at("out")).expect("a link");
    symlink("../../store", bench.at("up")).expect("a link");
    let shown = |source: &str, dest: &str| {
        bench.build(&[copy(source, dest)]).map(|stage| bench.shown(&stage))
    };
    assert_eq!(shown("latest.gguf", "/").expect("it builds"), ["latest.gguf = weights"]);
    assert_eq!(shown("folder/m.gguf", "/").expect("it builds"), ["m.gguf = weights"]);
    let folder = ["m.gguf = weights", "same.gguf -> m.gguf"];
    assert_eq!(shown("folder", "/").expect("it builds"), folder);
    for (out, to) in [("out", "/etc/passwd"), ("up", "../../store")] {
        let error = shown(out, "/").expect_err("it is not in the context");
        let text =
            format!("GGUFPackerfile:2:1: the link `{out}` points to `{to}`, which does not exist");
        assert!(error.starts_with(&text), "{error}");
    }
}

#[test]
fn everything_that_is_missing_is_told_at_once() {
    let bench = Bench::new();
    bench.write("model.gguf", "1");
    let steps = [
        copy("modell.gguf", "/"),
        add(AddSource::Url("http://127.0.0.1:1/x".to_owned()), "/"),
        copy("../x", "/"),
        copy_with(Origin::Context, "model.gguf", "/", |copy| {
            copy.placing.chmod = Some("9".to_owned())
        }),
        copy("*.txt", "/"),
    ];
    let error = bench.build(&steps).expect_err("it fails");
    for line in [
        "GGUFPackerfile:2:1: file or folder not found: `modell.gguf`\n  | COPY modell.gguf /\n  \
        hint: did you mean `model.gguf`?",
        "GGUFPackerfile:4:1: forbidden path outside the build context or stage: `../x`\n",
        "GGUFPackerfile:5:1: invalid permissions: `--chmod=9`\n",
        "GGUFPackerfile:6:1: nothing in ",
    ] {
        assert!(error.contains(line), "{line}\n---\n{error}");
    }
    assert!(!error.contains("127.0.0.1"), "nothing was begun: {error}");
    assert_eq!(bench.leftovers(), [""; 0]);
}

#[test]
fn a_missing_file_of_a_stage_is_told() {
    let bench = Bench::new();
    bench.write("a.gguf", "1");
    let first = stage(Origin::Scratch, &[copy("a.gguf", "./")]);
    let second = stage(Origin::Scratch, &[copy_with(Origin::Stage(0), "b.gguf", "./", |_| ())]);
    let error = bench.build_stages(&[first, second]).expect_err("it fails");
    let expected = "GGUFPackerfile:2:1: file or folder not found: `b.gguf`\n  | COPY b.gguf ./\n  \
        hint: did you mean `models/a.gguf`?";
    assert_eq!(error, expected);
}

#[test]
fn an_ended_build_says_so() {
    let bench = Bench::new();
    bench.write("a", "1");
    bench.stop.store(true, std::sync::atomic::Ordering::Relaxed);
    assert_eq!(bench.build(&[copy("a", "/")]).expect_err("it is ended"), "the build was canceled");
}

#[test]
fn add_takes_texts_and_paths_in_order() {
    let bench = Bench::new();
    bench.write("a", "1");
    bench.write("b", "2");
    let step = add_with(AddSource::Path("a".to_owned()), "/d", |add| {
        add.sources.push(AddSource::Inline("t".to_owned(), "3".to_owned()));
        add.sources.push(AddSource::Path("b".to_owned()));
        add.placing.chmod = Some("600".to_owned());
    });
    let stage = bench.build(&[step]).expect("it builds");
    assert_eq!(bench.shown(&stage), ["d/", "d/a = 1 600", "d/b = 2 600", "d/t = 3 600"]);
}
