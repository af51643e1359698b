//! Tests of looking at a model: what it costs, and what is seen in each format.

use std::io::Write as _;

use serde_json::json;

use super::super::Settings;
use super::super::fake::{Fault, Registry};
use super::super::tests::{Bench, artifact};
use super::*;
use crate::gguf::write::Writer;
use crate::store::testing;

const RAW: &str = "application/vnd.cncf.model.weight.v1.raw";
const MODEL_PACK: (&str, &[u8]) = ("application/vnd.cncf.model.config.v1+json", b"{}");

fn peek(bench: &Bench, name: &Name) -> Result<Peeked, Error> {
    bench.client.peek(name, None, &|_| ())
}

fn model(writer: &Writer) -> Model {
    Model::new(vec![writer.header()]).unwrap()
}

/// A header of a hundred bytes before a million of weights.
fn large() -> Writer {
    Writer::tiny_model().tensor("output.weight", &[256, 1024], "F32")
}

/// An image whose layers are these, under `q/m:1`.
fn image(registry: &Registry, config: &Value, layers: &[(&str, Vec<u8>)]) -> Name {
    let config = config.to_string();
    let layers: Vec<_> =
        layers.iter().map(|(kind, bytes)| (*kind, bytes.as_slice(), json!({}))).collect();
    let kind = "application/vnd.oci.image.config.v1+json";
    artifact(registry, "q/m", None, (kind, config.as_bytes()), &layers);
    registry.name("q/m:1")
}

fn tar(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut tar = tar::Builder::new(Vec::new());
    for (path, bytes) in files {
        let mut header = tar::Header::new_ustar();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        tar.append_data(&mut header, path, *bytes).unwrap();
    }
    tar.into_inner().unwrap()
}

fn asked(registry: &Registry) -> Vec<String> {
    let log = registry.log();
    log.into_iter()
        .filter_map(|line| line.split_once(" bytes=").map(|(_, range)| range.to_owned()))
        .collect()
}

#[test]
fn of_a_file_in_a_layer_its_beginning_is_read() {
    let (registry, bench) = (Registry::start(), Bench::new());
    let path = json!({ "org.cncf.model.filepath": "m.gguf" });
    artifact(&registry, "q/m", None, MODEL_PACK, &[(RAW, &large().bytes(), path)]);
    let name = registry.name("q/m:1");
    let peeked = peek(&bench, &name).unwrap();
    assert_eq!(peeked.command, ["-m", "/models/m.gguf"]);
    assert_eq!(peeked.models["/models/m.gguf"], model(&large()));
    assert_eq!(asked(&registry), ["0-262143"]);
    registry.fault("GET /v2/q/m/blobs/", 9, Fault::NoRange);
    assert_eq!(peek(&bench, &name).unwrap(), peeked, "a server without ranges");
    registry.fault("GET /v2/q/m/blobs/", 1, Fault::Cut(5000));
    assert!(peek(&bench, &name).is_ok(), "a connection that breaks");
}

#[test]
fn eight_billion_parameters_cost_their_vocabulary() {
    let (registry, bench) = (Registry::start(), Bench::new());
    let tokens: Vec<String> = (0..150_000).map(|n| format!("token-{n:06}")).collect();
    let merges: Vec<String> = (0..150_000).map(|n| format!("left-{n:06} right-{n:06}")).collect();
    let all: Vec<&str> = tokens.iter().map(String::as_str).collect();
    let pairs: Vec<&str> = merges.iter().map(String::as_str).collect();
    let writer = Writer::default()
        .text("general.architecture", "qwen2")
        .text("tokenizer.ggml.model", "gpt2")
        .strings("tokenizer.ggml.tokens", &all)
        .strings("tokenizer.ggml.merges", &pairs)
        .tensor("token_embd.weight", &[4096, 2048], "F32");
    let bytes = writer.bytes();
    assert!(bytes.len() > 36 << 20);
    artifact(&registry, "q/m", None, MODEL_PACK, &[(RAW, &bytes, json!({}))]);
    let peeked = peek(&bench, &registry.name("q/m:1")).unwrap();
    let model = &peeked.models["/models/model.gguf"];
    let (header, size) = model.planned();
    assert!(header.len() < 4096 && size > 32 << 20, "{} {size}", header.len());
    let pieces = asked(&registry);
    let bytes = |piece: &String| {
        let (from, to) = piece.split_once('-').unwrap();
        to.parse::<u64>().unwrap() + 1 - from.parse::<u64>().unwrap()
    };
    let all: u64 = pieces.iter().map(bytes).sum();
    assert!(all > 6 << 20 && all <= 16 << 20, "{pieces:?}");
}

#[test]
fn an_image_says_it_in_its_config() {
    let (registry, bench) = (Registry::start(), Bench::new());
    let writer = large();
    let described = json!({ "GGUFHeader": model(&writer).compact(), "CmdParameterIndex": 3 });
    let adapter = Writer::default().text("general.type", "adapter").tensor("a", &[32], "F32");
    let adapters = json!([{
        "GGUF": model(&adapter), "CmdParameterIndex": 5, "CmdParameterValue": "/models/l.gguf",
    }]);
    let command = ["-c", "8", "-m", "m.gguf", "--lora", "l.gguf", "--chat-template-file", "t"];
    let config = json!({ "config": { "Cmd": command, "Model": described, "Adapters": adapters } });
    let name = image(&registry, &config, &[(LAYER, tar(&[("models/m.gguf", &writer.bytes())]))]);
    let peeked = peek(&bench, &name).unwrap();
    assert_eq!(peeked.command, command);
    assert_eq!(peeked.models["m.gguf"].planned(), model(&writer).planned());
    assert_eq!(peeked.models["l.gguf"].planned(), model(&adapter).planned());
    assert_eq!(asked(&registry), Vec::<String>::new(), "no layer is read");
}

const LAYER: &str = "application/vnd.oci.image.layer.v1.tar";

#[test]
fn a_config_that_says_too_little_is_made_up_for_by_the_layers() {
    let (registry, bench) = (Registry::start(), Bench::new());
    let writer = large().numbers("qwen2.attention.head_count_kv", &[1, 2]);
    let described = json!({ "GGUF": model(&writer), "CmdParameterIndex": 1 });
    let command = json!(["-m", "m.gguf", "--mmproj", "p.gguf"]);
    let config =
        json!({ "config": { "Cmd": command, "Model": described, "WorkingDir": "/models" } });
    let projector = Writer::default().text("general.architecture", "clip");
    let files = tar(&[
        ("models/README.md", b"read me"),
        ("models/m.gguf", &writer.bytes()),
        ("./p.gguf", &projector.bytes()),
    ]);
    let name = image(&registry, &config, &[(LAYER, files.clone())]);
    let peeked = peek(&bench, &name).unwrap();
    assert_eq!(peeked.models["m.gguf"], model(&writer));
    assert_eq!(peeked.models["p.gguf"], model(&projector));
    let ranges = asked(&registry);
    assert!(
        ranges.len() == 2 && ranges[0] == "0-262143",
        "the weights are jumped over: {ranges:?}"
    );
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(&files).unwrap();
    for (end, packed) in [("gzip", gzip.finish().unwrap()), ("zstd", testing::zstd(&files))] {
        let kind = format!("{LAYER}+{end}");
        let name = image(&registry, &config, &[(&kind, packed)]);
        assert_eq!(peek(&bench, &name).unwrap(), peeked, "{kind}");
    }
    // Anybody's image, without a command.
    let name = image(&registry, &json!({ "config": {} }), &[(LAYER, files)]);
    assert_eq!(peek(&bench, &name).unwrap().command, ["-m", "/models/m.gguf"]);
}

#[test]
fn a_layer_that_unpacks_to_a_gigabyte_is_left() {
    let (registry, bench) = (Registry::start(), Bench::new());
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    let mut header = tar::Header::new_ustar();
    header.set_path("zeros").unwrap();
    header.set_size(1 << 30);
    header.set_cksum();
    gzip.write_all(header.as_bytes()).unwrap();
    for _ in 0..520 {
        gzip.write_all(&[0; 1 << 20]).unwrap();
    }
    let layer = ("application/vnd.oci.image.layer.v1.tar+gzip", gzip.finish().unwrap());
    let config = json!({ "config": { "Cmd": ["-m", "m.gguf"] } });
    let name = image(&registry, &config, &[layer]);
    let error = peek(&bench, &name).unwrap_err().to_string();
    assert!(error.contains("too far into a compressed layer"), "{error}");
}

#[test]
fn what_is_not_there_is_told() {
    let (registry, bench) = (Registry::start(), Bench::new());
    let config = json!({ "config": { "Cmd": ["-m", "m.gguf"] } });
    let name = image(&registry, &config, &[(LAYER, tar(&[("x.txt", b"x")]))]);
    let error = peek(&bench, &name).unwrap_err().to_string();
    assert!(error.contains(&format!("cannot find m.gguf in `{name}`")), "{error}");
    let error = peek(&bench, &registry.name("q/m:2")).unwrap_err().to_string();
    assert!(error.contains(&format!("does not have `{}`", registry.name("q/m:2"))), "{error}");
    let path = json!({ "org.cncf.model.filepath": "m.gguf" });
    artifact(&registry, "q/m", None, MODEL_PACK, &[(RAW, b"version https://git-lfs", path)]);
    let error = peek(&bench, &registry.name("q/m:1")).unwrap_err().to_string();
    assert!(error.contains("not a GGUF file: it begins with `vers`"), "{error}");
    registry.fault("GET /v2/q/m/blobs/", 9, Fault::Answer(404, "", ""));
    let error = bench.client.peek_file(&format!("http://{}/m.gguf", registry.address), &|_| ());
    let error = error.unwrap_err().to_string();
    assert!(error.contains("does not have") && error.contains("/m.gguf"), "{error}");
    let error = bench.client.peek_file("https://x.y/m.bin", &|_| ()).unwrap_err().to_string();
    assert!(error.ends_with("it does not end with `.gguf`"), "{error}");
}

#[test]
fn a_file_has_an_address_and_all_its_shards() {
    let registry = Registry::start();
    let endpoint = format!("http://{}", registry.address);
    let bench = Bench::with(|settings| Settings { hugging_face: endpoint.clone(), ..settings });
    let shard = |no: u32| {
        let writer = Writer::default().u32("split.no", no).u32("split.count", 2);
        writer.tensor(if no == 0 { "a" } else { "b" }, &[256], "Q4_K")
    };
    for (no, name) in [(0, "m-00001-of-00002.gguf"), (1, "m-00002-of-00002.gguf")] {
        registry.page(&format!("/o/r/resolve/main/q/{name}"), 200, "", &shard(no).bytes());
    }
    let whole = Model::new(vec![shard(0).header(), shard(1).header()]).unwrap();
    let name = "hf://o/r/q/m-00001-of-00002.gguf".parse().unwrap();
    let peeked = peek(&bench, &name).unwrap();
    assert_eq!(peeked.models.values().collect::<Vec<_>>(), [&whole]);
    let url = format!("{endpoint}/o/r/resolve/main/q/m-00001-of-00002.gguf");
    let same = bench.client.peek_file(&url, &|_| ()).unwrap();
    assert_eq!(same.models.values().collect::<Vec<_>>(), [&whole]);
    assert_eq!(same.command, ["-m", "/m-00001-of-00002.gguf"]);
}
