//! Tests of what is run.

use serde_json::json;

use super::*;
use crate::gguf::write::Writer;

fn folder(files: &[(&str, &Writer)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (path, writer) in files {
        let path = folder.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, writer.bytes()).unwrap();
    }
    folder
}

fn target(folder: &Path, config: &Value) -> Result<Target, Error> {
    let id = Digest::of("config");
    Target::image(folder, &id, "qwen2:tiny", config)
}

#[test]
fn an_image_runs_by_its_command() {
    let folder = folder(&[("models/m.gguf", &Writer::tiny_model())]);
    let config =
        json!({"config": {"Size": 7, "WorkingDir": "/models", "Cmd": ["-m", "m.gguf", "-c", "1"]}});
    let target = target(folder.path(), &config).unwrap();
    assert_eq!(target.command, ["-m", "/models/m.gguf", "-c", "1"]);
    assert_eq!((target.mark.as_str(), target.size), (&Digest::of("config").hex()[..8], 7));
    assert_eq!(target.command_from("/gp-1"), ["-m", "/gp-1/models/m.gguf", "-c", "1"]);
    assert_eq!(target.command_from("/"), target.command);
}

#[test]
fn an_image_of_the_original_has_its_files_at_the_root() {
    let folder = folder(&[("m.gguf", &Writer::tiny_model())]);
    let target = target(folder.path(), &json!({"config": {"Cmd": ["-m", "m.gguf"]}})).unwrap();
    assert_eq!(target.command, ["-m", "/m.gguf"]);
}

#[test]
fn an_image_with_one_model_needs_no_command() {
    let projector = Writer::default().text("general.architecture", "clip");
    let files = [("srv/m.gguf", &Writer::tiny_model()), ("srv/mmproj.gguf", &projector)];
    let folder = folder(&files);
    let bash = json!({"config": {"Cmd": ["/bin/bash"]}});
    let command = target(folder.path(), &bash).unwrap().command;
    assert_eq!(command, ["-m", "/srv/m.gguf", "--mmproj", "/srv/mmproj.gguf"]);

    let shard = |no| Writer::default().u32("split.count", 2).u32("split.no", no);
    let names = ["m-00001-of-00002.gguf", "m-00002-of-00002.gguf"];
    let shards = self::folder(&[(names[0], &shard(0)), (names[1], &shard(1))]);
    assert_eq!(target(shards.path(), &bash).unwrap().command, ["-m", "/m-00001-of-00002.gguf"]);
}

#[test]
fn what_cannot_run_says_why() {
    let bash = json!({"config": {"Cmd": ["/bin/bash"]}});
    let empty = folder(&[]);
    let error = target(empty.path(), &bash).unwrap_err().to_string();
    let expected = "qwen2:tiny has no model: its command names none, and it contains no GGUF file\n  looked \
        in: ";
    assert!(error.starts_with(expected), "{error}");
    let two = folder(&[("a.gguf", &Writer::tiny_model()), ("b.gguf", &Writer::tiny_model())]);
    let expected = "qwen2:tiny has 2 models, but its command names none of them
  hint: gguf-packer run qwen2:tiny -- -m /a.gguf
  hint: gguf-packer run qwen2:tiny -- -m /b.gguf";
    assert_eq!(target(two.path(), &bash).unwrap_err().to_string(), expected);
    let missing = json!({"config": {"Cmd": ["-m", "c.gguf", "--api-key-file", "/keys"]}});
    let expected = "`-m` names c.gguf, which is not in qwen2:tiny\n  hint: gguf-packer pull --force qwen2:tiny";
    assert_eq!(target(two.path(), &missing).unwrap_err().to_string(), expected);
}

#[test]
fn a_file_runs_too() {
    let folder = folder(&[("m.gguf", &Writer::tiny_model())]);
    let target = Target::file(&folder.path().join("m.gguf")).unwrap();
    assert_eq!((target.command.join(" "), target.name), ("-m /m.gguf".to_owned(), None));
    fs::write(folder.path().join("x.gguf"), "no").unwrap();
    let error = Target::file(&folder.path().join("x.gguf")).unwrap_err().to_string();
    assert!(error.contains("x.gguf: the GGUF header is truncated"), "{error}");
    assert!(Target::file(&folder.path().join("none")).is_err());
}

#[test]
fn texts_are_read_where_the_files_lie() {
    let folder = folder(&[("models/m.gguf", &Writer::tiny_model())]);
    fs::write(folder.path().join("s.txt"), "Be kind.").unwrap();
    let config = json!({"config": {"Cmd": ["-m", "/models/m.gguf"]}});
    let target = target(folder.path(), &config).unwrap();
    let seen = Seen { target: &target, root: "/gp-1" };
    assert_eq!(seen.file("/gp-1/s.txt").unwrap(), "Be kind.");
    assert_eq!(seen.file(folder.path().join("s.txt").to_str().unwrap()).unwrap(), "Be kind.");
    assert_eq!(seen.template().unwrap().as_deref(), Some("{{ messages }}"));
}

#[cfg(unix)]
#[test]
fn no_link_of_an_image_leads_to_a_file_of_this_machine() {
    use std::os::unix::fs::symlink;

    let host = folder(&[("host.gguf", &Writer::tiny_model())]);
    let secret = host.path().join("host.gguf");
    let image = folder(&[("models/m.gguf", &Writer::tiny_model())]);
    let shards = ["models/s-00001-of-00002.gguf", "models/s-00002-of-00002.gguf"];
    fs::write(image.path().join(shards[0]), Writer::tiny_model().bytes()).unwrap();
    for link in ["models/l.gguf", shards[1]] {
        symlink(&secret, image.path().join(link)).unwrap();
    }
    symlink(host.path(), image.path().join("folder")).unwrap();
    symlink("m.gguf", image.path().join("models/own.gguf")).unwrap();
    let run = |cmd: &[&str]| target(image.path(), &json!({"config": {"Cmd": cmd}}));

    let error = run(&["-m", "models/l.gguf"]).unwrap_err().to_string();
    let expected =
        "`-m` names /models/l.gguf, which is a link from qwen2:tiny to a file of this machine
  hint: remove the image: gguf-packer remove qwen2:tiny
  hint: or build it with the file itself: COPY FILE .";
    assert_eq!(error, expected);
    for cmd in [
        ["-m", "/folder/host.gguf"],
        ["-m", shards[0]],
        ["--model", "/models/../models/l.gguf"],
        ["--chat_template_file", "/models/l.gguf"],
        ["--api-key-file", "/models/l.gguf"],
    ] {
        let error = run(&["-m", "models/m.gguf", cmd[0], cmd[1]]).unwrap_err().to_string();
        assert!(error.contains("which is a link from qwen2:tiny to a file of"), "{error}");
    }
    // A link to a file of the image is as good as the file.
    assert_eq!(run(&["-m", "models/own.gguf"]).unwrap().command, ["-m", "/models/own.gguf"]);
    assert!(run(&["-m", "models/own.gguf"]).unwrap().model().is_ok());
}

#[cfg(unix)]
#[test]
fn a_model_is_not_found_behind_a_link_to_this_machine() {
    let host = folder(&[("host.gguf", &Writer::tiny_model())]);
    let image = folder(&[]);
    let link = image.path().join("m.gguf");
    std::os::unix::fs::symlink(host.path().join("host.gguf"), link).unwrap();
    let error = target(image.path(), &json!({"config": {}})).unwrap_err().to_string();
    assert!(error.starts_with("qwen2:tiny has no model"), "{error}");
}
