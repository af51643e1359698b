//! Tests of the config: the golden JSON of a tiny model, labels, and what is refused.

use std::cell::Cell;

use serde_json::json;

use super::*;
use crate::gguf::write::Writer;
use crate::tree::{self, Entry};

/// Files with their content.
struct Files(Vec<(&'static str, Vec<u8>)>);

impl Files {
    fn of(files: &[(&'static str, &Writer)]) -> Self {
        Self(files.iter().map(|(path, writer)| (*path, writer.bytes())).collect())
    }

    fn with(mut self, path: &'static str, text: &str) -> Self {
        self.0.push((path, text.into()));
        self
    }

    fn tree(&self) -> Tree {
        let entry = |(path, bytes): &(&str, Vec<u8>)| Entry {
            path: (*path).to_owned(),
            kind: tree::Kind::File { digest: Digest::of(bytes), size: bytes.len() as u64 },
            mode: 0o644,
            uid: 0,
            gid: 0,
            mtime: 0,
        };
        let mut tree = Tree::default();
        tree.apply(&self.0.iter().map(entry).collect::<Vec<_>>());
        tree
    }

    fn describe(&self, input: &ConfigInput<'_>) -> Result<Described, Error> {
        Described::new(input, &|digest| {
            let content = self.0.iter().find(|(_, bytes)| Digest::of(bytes) == *digest);
            Ok(Box::new(std::io::Cursor::new(content.expect("a file of the test").1.clone())))
        })
    }

    fn config(&self, command: &[&str], base: Option<&Value>) -> Value {
        let command = words(command);
        let files = self.tree();
        let described =
            self.describe(&ConfigInput { command: Some(&command), base, ..input(&files) });
        serde_json::from_slice(&described.unwrap().config(&Platform::defaults()[0])).unwrap()
    }

    fn refused(&self, command: &[&str]) -> String {
        let (command, files) = (words(command), self.tree());
        let input = ConfigInput { command: Some(&command), ..input(&files) };
        self.describe(&input).unwrap_err().to_string()
    }
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|&word| word.to_owned()).collect()
}

fn input(files: &Tree) -> ConfigInput<'_> {
    ConfigInput {
        command: None,
        labels: &[],
        base: None,
        base_name: None,
        history: &[],
        files,
        created: 0,
    }
}

/// The config of a tiny model, but for its compact header and its layer.
const TINY: &[&str] = &[
    r#"{"created":"2024-07-24T22:22:47Z","architecture":"arm64","os":"linux","config":{"Size":352,"#,
    r#""Model":{"GGUF":{"header":{"magic":1179993927,"version":3,"tensorCount":1,"metadataKVCount":2,"#,
    r#""metadataKV":[{"key":"general.architecture","valueType":8,"value":"qwen2"},"#,
    r#"{"key":"general.file_type","valueType":4,"value":17}]},"#,
    r#""tensorInfos":[{"name":"blk.0.w","nDimensions":1,"dimensions":[256],"type":13,"#,
    r#""offset":0,"startOffset":102}],"padding":19,"splitPaddings":[19],"#,
    r#""tensorDataStartOffset":160,"splitTensorDataStartOffsets":[160],"#,
    r#""size":352,"splitSizes":[352],"modelSize":192,"splitModelSizes":[192],"#,
    r#""modelParameters":256,"modelBitsPerWeight":6.0},"#,
    r#""Architecture":"qwen2","Parameters":256,"BitsPerWeight":6.0,"FileType":17,"#,
    r#""CmdParameterValue":"/models/tiny.gguf","CmdParameterIndex":1,"GGUFHeader":"HEADER"},"#,
    r#""Cmd":["-m","/models/tiny.gguf","-c","8192"],"Labels":{"gguf.model.architecture":"qwen2","#,
    r#""gguf.model.bpw":"6.00 bpw","gguf.model.filetype":"IQ3_XXS/Q5_K_M","#,
    r#""gguf.model.parameters":"256","gguf.model.usage":"embedding","#,
    r#""gguf.model.vendor":"gguf-packer","#,
    r#""org.opencontainers.image.created":"2024-07-24T22:22:47Z","#,
    r#""org.opencontainers.image.vendor":"gguf-packer"},"WorkingDir":"/models"},"#,
    r#""rootfs":{"type":"layers","diff_ids":["LAYER"]},"#,
    r#""history":[{"created":"2024-07-24T22:22:47Z","created_by":"COPY tiny.gguf ."},"#,
    r#"{"created":"2024-07-24T22:22:47Z","created_by":"CMD [\"-m\"]","empty_layer":true}]}"#,
];

#[test]
fn the_config_of_a_tiny_model_is_written_in_full() {
    let writer = Writer::default()
        .text("general.architecture", "qwen2")
        .u32("general.file_type", 17)
        .tensor("blk.0.w", &[256], "Q5_K");
    let files = Files::of(&[("models/tiny.gguf", &writer)]);
    let command = words(&["-m", "tiny.gguf", "-c", "8192"]);
    let tree = files.tree();
    let history = [
        History { created_by: "COPY tiny.gguf .".to_owned(), layers: vec![Digest::of("layer")] },
        History { created_by: "CMD [\"-m\"]".to_owned(), layers: vec![] },
    ];
    let labels = [("gguf.model.usage".to_owned(), "embedding".to_owned())];
    let described = files.describe(&ConfigInput {
        command: Some(&command),
        labels: &labels,
        history: &history,
        created: 1_721_859_767,
        ..input(&tree)
    });
    let header = Model::new(vec![writer.header()]).unwrap().compact();
    let expected = TINY.concat().replace("HEADER", &header);
    let expected = expected.replace("LAYER", &Digest::of("layer").to_string());
    let config = described.unwrap().config(&Platform::defaults()[1]);
    assert_eq!(String::from_utf8(config).unwrap(), expected);
}

#[test]
fn every_file_of_weights_is_described_at_its_place() {
    let adapter = |kind: &str| Writer::default().text("general.type", "adapter").text("k", kind);
    let vector = Writer::default().text("general.architecture", "controlvector");
    let files = Files::of(&[
        ("models/m.gguf", &Writer::tiny_model()),
        ("models/d.gguf", &Writer::tiny_model()),
        ("models/p.gguf", &Writer::default().text("general.architecture", "clip")),
        ("models/a.gguf", &adapter("a")),
        ("models/b.gguf", &adapter("b")),
        ("models/v.gguf", &vector),
    ])
    .with("models/system.txt", "Be kind.");
    let line = "-m m.gguf -md d.gguf --mmproj p.gguf --lora a.gguf,b.gguf --lora-scaled a.gguf 0.5 \
                --control-vector-scaled v.gguf:1.5 --system-prompt-file system.txt --api-key-file /run/keys \
                -hff x.gguf";
    let config = files.config(&line.split(' ').collect::<Vec<_>>(), None);
    let config = &config["config"];
    let place = |file: &Value| {
        let value = file["CmdParameterValue"].as_str().unwrap().to_owned();
        (value, file["CmdParameterIndex"].as_u64().unwrap())
    };
    let at = |value: &str, index| (value.to_owned(), index);
    assert_eq!(place(&config["Model"]), at("/models/m.gguf", 1));
    assert_eq!(place(&config["Drafter"]), at("/models/d.gguf", 3));
    assert_eq!(place(&config["Projector"]), at("/models/p.gguf", 5));
    let adapters: Vec<_> = config["Adapters"].as_array().unwrap().iter().map(place).collect();
    let expected = [
        at("/models/a.gguf", 7),
        at("/models/b.gguf", 7),
        at("/models/a.gguf", 9),
        at("/models/v.gguf:1.5", 12),
    ];
    assert_eq!(adapters, expected);
    assert_eq!(config["Cmd"][14], "/models/system.txt");
    assert_eq!(config["Cmd"][16], "/run/keys");
    assert_eq!(config["Cmd"][18], "x.gguf");
    let size: usize =
        files.0[..6].iter().map(|(_, bytes)| bytes.len()).sum::<usize>() + files.0[3].1.len();
    assert_eq!(config["Size"], size);
}

#[test]
fn shards_are_one_model() {
    let shard = |no: u32, name: &str| {
        let writer = Writer::default().u32("split.no", no).u32("split.count", 2);
        writer.tensor(name, &[256], "Q4_K")
    };
    let (one, two) = (shard(0, "blk.0.w"), shard(1, "blk.1.w"));
    let names = ["models/m-00001-of-00002.gguf", "models/m-00002-of-00002.gguf"];
    let files = Files::of(&[(names[0], &one), (names[1], &two)]);
    let command = ["-m", "m-00001-of-00002.gguf"];
    let model = &files.config(&command, None)["config"]["Model"];
    assert_eq!(model["Parameters"], 512);
    let gguf = &model["GGUF"];
    assert_eq!(gguf["header"]["tensorCount"], 2);
    // The second number of each shard is left out.
    assert_eq!(gguf["header"]["metadataKVCount"], 2);
    assert_eq!(gguf["splitSizes"], json!([one.bytes().len(), two.bytes().len()]));
    assert_eq!(gguf["padding"], 0);

    let error = Files::of(&[(names[0], &one)]).refused(&command);
    let expected = "CMD: shards of `/models/m-00001-of-00002.gguf` are missing: \
        /models/m-00002-of-00002.gguf\n  hint: ADD or COPY all of them into the same folder";
    assert_eq!(error, expected);
}

/// The config of a base image.
fn ubuntu() -> Value {
    json!({
        "author": "A",
        "config": {
            "Env": ["PATH=/bin"], "Entrypoint": ["/app/bin/llama-server"], "Hostname": "x", "User": null,
            "WorkingDir": "/srv/", "Cmd": ["/bin/bash"],
            "Labels": {
                "gguf.model.filetype": "F16", "gguf.model.name": "Theirs", "x": "1",
                "org.opencontainers.image.base.name": "older"
            }
        },
        "rootfs": {"type": "layers", "diff_ids": [Digest::of("base").to_string()]},
        "history": [{"created_by": "base"}]
    })
}

#[test]
fn a_base_gives_its_container_and_its_labels_but_for_what_is_measured() {
    let base = ubuntu();
    let files = Files::of(&[("srv/m.gguf", &Writer::tiny_model())]);
    let (command, tree, reads) = (words(&["-m", "m.gguf"]), files.tree(), Cell::new(0));
    let name = Some(("ubuntu:22.04", Some(Digest::of("manifest"))));
    let input =
        ConfigInput { command: Some(&command), base: Some(&base), base_name: name, ..input(&tree) };
    let described = Described::new(&input, &|_| {
        reads.set(reads.get() + 1);
        Ok(Box::new(std::io::Cursor::new(Writer::tiny_model().bytes())))
    })
    .unwrap();
    assert_eq!(described.layers, [Digest::of("base")]);
    let image: Value = serde_json::from_slice(&described.config(&Platform::here())).unwrap();
    let config = &image["config"];
    assert_eq!(reads.get(), 1);
    assert_eq!(
        (&image["author"], &image["history"]),
        (&json!("A"), &json!([{"created_by": "base"}]))
    );
    assert_eq!(config["Env"], json!(["PATH=/bin"]));
    assert_eq!(config["Entrypoint"], json!(["/app/bin/llama-server"]));
    assert_eq!((&config["WorkingDir"], &config["Cmd"][1]), (&json!("/srv"), &json!("/srv/m.gguf")));
    assert!(config.get("Hostname").is_none() && config.get("User").is_none());
    let labels = &config["Labels"];
    assert_eq!(
        (&labels["gguf.model.filetype"], &labels["gguf.model.name"]),
        (&json!("IQ3_XXS/Q5_K_M"), &json!("Theirs"))
    );
    assert_eq!(labels["org.opencontainers.image.base.name"], "ubuntu:22.04");
    assert_eq!(labels["org.opencontainers.image.base.digest"], Digest::of("manifest").to_string());
}

#[test]
fn an_image_of_the_original_can_be_a_base() {
    // Its files lie at the root, and its command names them without a folder.
    let base = json!({"config": {"Cmd": ["-m", "m.gguf", "-c", "1"]}});
    let files = Files::of(&[("m.gguf", &Writer::tiny_model())]);
    let tree = files.tree();
    let described = files.describe(&ConfigInput { base: Some(&base), ..input(&tree) }).unwrap();
    let image: Value = serde_json::from_slice(&described.config(&Platform::here())).unwrap();
    assert_eq!(image["config"]["Cmd"], json!(["-m", "/m.gguf", "-c", "1"]));
    assert_eq!(image["config"]["Model"]["CmdParameterValue"], "/m.gguf");
}

#[test]
fn an_image_without_a_model_is_an_image() {
    let base = json!({"config": {"Cmd": ["/bin/bash"]}});
    let tree = Tree::default();
    let labels = [("a".to_owned(), "b".to_owned())];
    let input = ConfigInput { base: Some(&base), labels: &labels, ..input(&tree) };
    let described = Files(vec![]).describe(&input).unwrap();
    let image: Value = serde_json::from_slice(&described.config(&Platform::here())).unwrap();
    assert_eq!(image["config"]["Cmd"], json!(["/bin/bash"]));
    assert_eq!(image["config"]["Labels"]["a"], "b");
    assert!(image["config"].get("Model").is_none());
}

#[test]
fn a_command_without_a_model_is_refused() {
    let files = Files::of(&[("models/m.gguf", &Writer::tiny_model())]);
    let expected = "CMD does not name a model\n  hint: CMD [\"-m\", \"/models/m.gguf\", …]\n  \
        hint: only the last CMD of a stage counts";
    assert_eq!(files.refused(&["-c", "8192"]), expected);
    let expected = "CMD must begin with an option of llama-server, not with `llama-server`\n  \
        hint: CMD [\"-m\", \"/models/m.gguf\"]";
    assert_eq!(files.refused(&["llama-server", "-m", "m.gguf"]), expected);
}

#[test]
fn files_that_are_not_there_are_told_with_near_names() {
    let files = Files::of(&[("models/Qwen2.Q5_K_M.gguf", &Writer::tiny_model())]);
    let expected = "CMD: `-m` names `Qwen2.Q4_K_M.gguf`, which is not in the image
  looked in: /models/Qwen2.Q4_K_M.gguf, /Qwen2.Q4_K_M.gguf
  hint: CMD [\"-m\", \"/models/Qwen2.Q5_K_M.gguf\"]
CMD: `--chat-template-file` names `/t.jinja`, which is not in the image
  looked in: /t.jinja";
    assert_eq!(
        files.refused(&["-m", "Qwen2.Q4_K_M.gguf", "--chat-template-file", "/t.jinja"]),
        expected
    );
}

#[test]
fn a_file_that_is_not_what_the_option_wants_is_refused() {
    let projector = Writer::default().text("general.architecture", "clip");
    let files =
        Files::of(&[("models/m.gguf", &Writer::tiny_model()), ("models/p.gguf", &projector)])
            .with("models/text.gguf", "version https://git-lfs");
    let error = files.refused(&["-m", "p.gguf", "--mmproj", "m.gguf"]);
    let expected = "CMD: `-m` needs a model, but /models/p.gguf is a projector
CMD: `--mmproj` needs a projector, but /models/m.gguf is a model";
    assert_eq!(error, expected);
    let error = files.refused(&["-m", "text.gguf"]);
    let expected = "/models/text.gguf: not a GGUF file: it begins with `vers` instead of `GGUF`";
    assert_eq!(error.lines().next(), Some(expected));
}
