//! Files built through the frontend, over HTTP/2 and by a BuildKit of the test, against builds without it.

use std::collections::BTreeMap;
use std::fs;
use std::pin::pin;

use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::future::{Either, select};
use futures_util::stream::FuturesUnordered;
use h2::RecvStream;
use h2::server::SendResponse;
use http::{HeaderMap, HeaderValue, Request, Response};
use serde_json::{Value, json};
use tokio::io::DuplexStream;

use super::grpc::{framed, status, unframed};
use super::local::Local;
use super::pb::{Op, Refs, Status};
use super::*;
use crate::digest::Digest;
use crate::executor::ToolRun;
use crate::executor::source::hugging_face::tests::Served;
use crate::executor::testing::Bench;
use crate::language::resolve;

/// Files, each for the folder that [`bench`] makes.
const FILES: [&str; 12] = [
    "FROM scratch\nCOPY a.txt .\nCOPY a.txt b.txt\nCOPY sub /there\n",
    "FROM scratch\nCOPY sub/* *.txt all/\nCOPY --parents sub/./deep/*.txt /p/\n",
    "FROM scratch AS one\nCOPY . /all\nFROM scratch\nCOPY --from=one /all/sub moved\nCOPY --chmod=755 a.txt x\n",
    "FROM scratch\nCOPY --exclude=**/two.txt sub less\nCOPY --link a.txt /linked/a\n",
    "ARG NAME=world\nFROM scratch\nARG NAME\nCOPY <<one <<\"two\" /texts/\nhello ${NAME}\none\nhello ${NAME}\ntwo\nCAT <<E text\nx\nE\nCAT <<E text\ny\nE\n",
    "FROM scratch\nADD packed.tar /unpacked/\nADD a.txt /unpacked/more.txt\n",
    "FROM scratch\nCOPY m.gguf .\nQUANTIZE --type=Q4_K_M m.gguf small.gguf\nQUANTIZE --type=Q8_0 small.gguf again.gguf\n",
    "FROM scratch AS f16\nCOPY checkpoint checkpoint\nCONVERT checkpoint c.gguf\nFROM scratch\nQUANTIZE --from=f16 --type=Q5_K_M c.gguf q.gguf\n",
    "FROM below\nCOPY a.txt .\nCOPY --from=below /etc/passwd users\n",
    "FROM scratch\nADD ${HUB}/o/r model/\nADD ${HUB}/o/r.git#main:sub part/\n",
    "FROM scratch\nCOPY --from=other there.txt t\n",
    "FROM scratch\nLABEL nothing=here\n",
];

/// A folder with some of everything, a tool and a converter that say what they were asked for, an image and a hub.
fn bench() -> (Bench, crate::executor::site::Site) {
    let mut bench = Bench::new();
    for path in ["a.txt", "c.txt", "sub/one.txt", "sub/two.txt", "sub/deep/three.txt"] {
        bench.write(path, path);
    }
    bench.write("m.gguf", "weights");
    bench.write("checkpoint/config.json", "{\"architectures\":[\"LlamaForCausalLM\"]}");
    bench.write("checkpoint/model.safetensors", "numbers");
    std::os::unix::fs::symlink("one.txt", bench.at("sub/link")).unwrap();
    let mut archive = tar::Builder::new(Vec::new());
    archive.append_dir_all("in", bench.at("sub")).unwrap();
    bench.write("packed.tar", archive.into_inner().unwrap());
    bench.tool = Box::new(|run: ToolRun<'_>| {
        let at = |index: usize| run.folder.join(&run.arguments[run.arguments.len() - index]);
        let text = fs::read_to_string(at(3)).unwrap();
        let kind = run.arguments.last().unwrap();
        fs::write(at(2), format!("{text} as {kind}")).unwrap();
        Ok(())
    });
    bench.converter = Box::new(|request, _| {
        let text = fs::read_to_string(request.dir.join("model.safetensors")).unwrap();
        let name = request.dir.file_name().unwrap().to_str().unwrap();
        fs::write(request.out, format!("{name} {text}")).unwrap();
        Ok(crate::convert::By::Native)
    });
    for name in ["below", &format!("docker.io/library/below:latest {}", Platform::here())] {
        bench.add_image(name, &["etc/", "etc/passwd=root:x:0"], json!({"config": {}}));
    }
    let hub = Served::new(&[("one.gguf", "large"), ("sub/two.json", "{}"), ("three.md", "#")]);
    let hub = hub.start();
    bench.outside.hugging_face = Some(hub.url.clone());
    fs::create_dir_all(bench.folder.path().join("other")).unwrap();
    fs::write(bench.folder.path().join("other/there.txt"), "there").unwrap();
    let other = bench.folder.path().join("other");
    bench.outside.contexts.insert("other".to_owned(), crate::plan::Context::Folder(other));
    (bench, hub)
}

/// Digests of the layers of a build without BuildKit.
fn natively(bench: &Bench, text: &str) -> Result<Vec<Digest>, String> {
    let script = language::parse(text, "GGUFPackerfile").map_err(|e| e.to_string())?;
    let contexts = bench.outside.contexts.keys().cloned().collect();
    let settings = language::Settings {
        platform: variables(&Platform::here()),
        contexts,
        ..language::Settings::default()
    };
    let resolved = resolve(&script, &settings).map_err(|e| e.to_string())?;
    let built = bench.build_stages(&resolved.stages)?;
    let base = built.base.iter().flat_map(|base| base.layers.iter().map(|layer| layer.diff_id));
    Ok(base.chain(built.layers.iter().map(|made| made.layer.diff_id)).collect())
}

/// What the frontend gave back.
struct Through {
    /// Digests of the layers, unless it failed.
    layers: Result<Vec<Digest>, Status>,
    warnings: Vec<String>,
    answer: BuildResult,
}

/// Builds by the frontend.
fn through(bench: &Bench, text: &str, more: &[(&str, &str)], lacks: &[&'static str]) -> Through {
    let file = tempfile::tempdir().unwrap();
    fs::write(file.path().join("GGUFPackerfile"), text).unwrap();
    let folder = |path: &Path| Folder { path: path.to_owned(), ..Folder::default() };
    let folders = BTreeMap::from([
        ("context".to_owned(), Folder { ignore: bench.ignore.clone(), ..folder(&bench.at("")) }),
        ("dockerfile".to_owned(), folder(file.path())),
        ("other".to_owned(), folder(&bench.folder.path().join("other"))),
    ]);
    let mut options: BTreeMap<String, String> = BTreeMap::from([
        ("source".to_owned(), "gpustack/gguf-packer:latest".to_owned()),
        ("context:other".to_owned(), "local:other".to_owned()),
    ]);
    if let Some(hub) = &bench.outside.hugging_face {
        options.insert("build-arg:HF_ENDPOINT".to_owned(), hub.clone());
    }
    options.extend(more.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())));
    let say = |_: &str| ();
    let tools = Tools { tool: &*bench.tool, converter: &*bench.converter, token: None, say: &say };
    bench.with_settings(&|_| (), |settings| {
        let local = Local::new(settings, &tools, folders).unwrap().lacking(lacks);
        let environment = Environment {
            options,
            session: "the client".to_owned(),
            program: PROGRAM.to_owned(),
            ..Environment::default()
        };
        over_http2(&local, environment);
        let end = local.end().expect("the frontend returns something");
        let answer = end.clone().unwrap_or_default();
        let layers = end.map(|result| layers(&local, bench, &result));
        Through { layers, warnings: local.warnings(), answer }
    })
}

/// Lets the frontend speak to `daemon` as to a BuildKit.
fn over_http2(daemon: &Local<'_>, environment: Environment) {
    let (ours, theirs) = tokio::io::duplex(1 << 16);
    std::thread::scope(|scope| {
        let frontend = scope.spawn(move || {
            let connection = Connection::over(ours).unwrap();
            answer(&connection, environment)
        });
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(serve_calls(theirs, daemon));
        // Its error was told to the daemon.
        let _ = frontend.join().unwrap();
    });
}

/// Answers calls, several at once as BuildKit does: the frontend reads its contexts side by side.
async fn serve_calls(pipe: DuplexStream, daemon: &Local<'_>) {
    let mut connection = h2::server::handshake(pipe).await.unwrap();
    let mut calls = FuturesUnordered::new();
    loop {
        // While the connection is driven, the bodies of calls come.
        let next = {
            let accepted = pin!(connection.accept());
            if calls.is_empty() {
                accepted.await
            } else {
                match select(accepted, calls.next()).await {
                    Either::Left((accepted, _)) => accepted,
                    Either::Right(_) => continue,
                }
            }
        };
        let Some(Ok((request, respond))) = next else { return };
        calls.push(answer_call(request, respond, daemon));
    }
}

async fn answer_call(
    request: Request<RecvStream>,
    mut respond: SendResponse<Bytes>,
    daemon: &Local<'_>,
) {
    let method = request.uri().path().rsplit('/').next().unwrap().to_owned();
    assert_eq!(request.headers()["content-type"], "application/grpc");
    let mut body = request.into_body();
    let mut data = Vec::new();
    while let Some(chunk) = body.data().await {
        let chunk = chunk.unwrap();
        body.flow_control().release_capacity(chunk.len()).unwrap();
        data.extend_from_slice(&chunk);
    }
    let message = unframed(&data).expect("a whole message");
    // What it does may have a runtime of its own.
    let answer =
        std::thread::scope(|scope| scope.spawn(|| daemon.call(&method, message)).join().unwrap());
    let head = Response::builder().header("content-type", "application/grpc").body(()).unwrap();
    let mut send = respond.send_response(head, false).unwrap();
    let (data, trailers) = match answer {
        Ok(message) => (framed(&message), trailers(0, "")),
        Err(Status { code, message, .. }) => (Bytes::new(), trailers(code, &message)),
    };
    send.send_data(data, false).unwrap();
    send.send_trailers(trailers).unwrap();
}

fn trailers(code: i32, message: &str) -> HeaderMap {
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", HeaderValue::from(code));
    let encoded: String = message.bytes().map(|byte| format!("%{byte:02X}")).collect();
    trailers.insert("grpc-message", HeaderValue::from_str(&encoded).unwrap());
    trailers
}

/// Digests of what lies on each other in a result.
fn layers(local: &Local<'_>, bench: &Bench, result: &BuildResult) -> Vec<Digest> {
    let Some(Refs::One(one)) = &result.refs else { return vec![] };
    let definition = one.def.clone().unwrap_or_default();
    let Some(last) = definition.def.last() else { return vec![] };
    let input = Op::decode(&last[..]).unwrap().inputs.remove(0);
    let op = local.op(&input.digest).unwrap();
    let parts = match op.op {
        Some(pb::Kind::Merge(_)) => op.inputs,
        _ => vec![input],
    };
    let layer = |part: pb::Input| match local.image_layers(&part.digest) {
        Some(layers) => layers.into_iter().map(|layer| layer.diff_id).collect(),
        None => {
            let entries = local.entries(&part.digest, part.index).unwrap();
            vec![bench.store.build_layer(&entries).unwrap().diff_id]
        }
    };
    parts.into_iter().flat_map(layer).collect()
}

#[test]
fn buildkit_makes_the_layers_that_we_make() {
    let (bench, hub) = bench();
    for text in FILES {
        let text = text.replace("${HUB}", &hub.url);
        let own = natively(&bench, &text).unwrap_or_else(|e| panic!("{text}: {e}"));
        let built = through(&bench, &text, &[], &[]);
        let layers = built.layers.unwrap_or_else(|e| panic!("{text}: {}", e.message));
        assert_eq!(layers, own, "{text}");
    }
}

#[test]
fn errors_have_the_same_words_and_their_place() {
    let (bench, _hub) = bench();
    for text in [
        "FROM scratch\nCOPY nothing.txt .\n",
        "FROM scratch\nRUN true\n",
        "FROM scratch\nCOPY a.txt .\nQUANTIZE --type=Q4_0 nothing.gguf x.gguf\n",
        "FROM scratch\nCOPY --from=other nothing .\n",
    ] {
        let own = natively(&bench, text).expect_err(text);
        let status = through(&bench, text, &[], &[]).layers.expect_err(text);
        let context = bench.at("").display().to_string();
        let other = bench.folder.path().join("other").display().to_string();
        let own = own.replace(&context, "the build context").replace(&other, "the build context");
        let [source] = &status.details[..] else { panic!("{text}: {status:?}") };
        assert_eq!(source.type_url, "github.com/moby/buildkit/errdefs.Source+json");
        let told: Value = serde_json::from_slice(&source.value).unwrap();
        let line = &told["ranges"][0]["start"]["line"];
        assert!(own.contains(&format!("GGUFPackerfile:{line}:")), "{told} for {own}");
        let unnumbered = |text: &str| text.replace(&format!("\n  {line} | "), "\n  | ");
        assert_eq!(unnumbered(&status.message), unnumbered(&own), "{text}");
    }
}

#[test]
fn an_old_daemon_gets_copies_in_place_of_a_merge() {
    let (bench, _hub) = bench();
    let text = "FROM scratch\nCOPY a.txt .\nCOPY sub more\n";
    let old = through(&bench, text, &[], &["mergeop", "proto.refarray", "gateway.warnings"]);
    let result = old.layers.map(|_| ()).map_err(|e| e.message);
    assert_eq!(result, Ok(()));
    assert!(matches!(old.answer.refs, Some(Refs::OldOne(_))), "{:?}", old.answer);
    let config: Value =
        serde_json::from_slice(&old.answer.metadata["containerimage.config"]).unwrap();
    assert_eq!(config["rootfs"]["type"], "layers");
}

#[test]
fn a_person_is_warned_and_asks_for_what_a_file_offers() {
    let (bench, _hub) = bench();
    let text = "# KIND how small\nARG KIND=Q4_0\nFROM scratch AS Upper\nCOPY a.txt .\n";
    let built = through(&bench, text, &[], &[]);
    assert_eq!(
        built.warnings,
        ["GGUFPackerfile:3:17: StageNameCasing: Stage name 'Upper' should be lowercase"]
    );
    let ask = |what: &str| {
        let built = through(&bench, text, &[("requestid", what)], &[]);
        let said = |name: &str| String::from_utf8(built.answer.metadata[name].clone()).unwrap();
        (serde_json::from_str::<Value>(&said("result.json")).unwrap(), said("result.txt"), built)
    };
    let (outline, text, _) = ask("frontend.outline");
    assert_eq!(outline["args"][0]["name"], "KIND");
    assert_eq!(outline["args"][0]["description"], "how small");
    assert_eq!(outline["args"][0]["location"]["ranges"][0]["start"]["line"], 2);
    assert!(text.contains("KIND        Q4_0    how small"), "{text}");
    let (targets, _, _) = ask("frontend.targets");
    assert_eq!(targets["targets"][0]["name"], "upper");
    let (lint, _, built) = ask("frontend.lint");
    assert_eq!(lint["warnings"][0]["ruleName"], "StageNameCasing");
    assert_eq!(built.answer.metadata["result.statuscode"], b"1");
    let (described, _, _) = ask("frontend.subrequests.describe");
    assert_eq!(described.as_array().unwrap().len(), 4);
    let refused = through(&bench, "FROM scratch\n", &[("requestid", "frontend.poem")], &[]);
    let message = refused.layers.unwrap_err().message;
    assert!(message.starts_with("unsupported subrequest `frontend.poem`"), "{message}");
}

#[test]
fn a_file_that_makes_errors_of_rules_fails() {
    let (bench, _hub) = bench();
    let text = "# check=error=true\nFROM scratch AS Upper\nCOPY a.txt .\n";
    let message = through(&bench, text, &[], &[]).layers.unwrap_err().message;
    assert!(message.starts_with("lint violations found"), "{message}");
    let check = [("build-arg:BUILDKIT_DOCKERFILE_CHECK", "skip=all")];
    assert!(through(&bench, text, &check, &[]).layers.is_ok());
}

/// The operations of a file that quantizes one of a repository: kinds, inputs and names.
const GRAPH: [&str; 9] = [
    "source [] gpustack/gguf-packer:latest",
    "file [] [internal] plan of QUANTIZE --from=f16 --type=Q4_K_M c/one.gguf q.gguf",
    "file [] [internal] plan of HUB/o/r at 0123456789abcdef0123456789abcdef01234567",
    "exec [0, 2] HUB/o/r at 0123456789abcdef0123456789abcdef01234567",
    "exec [0, 1, 3] QUANTIZE --from=f16 --type=Q4_K_M c/one.gguf q.gguf",
    "file [] [internal] plan of CAT <<E t",
    "exec [0, 5] CAT <<E t",
    "merge [4, 6] the layers",
    " [7] result",
];

#[test]
fn a_graph_is_known_without_the_weights() {
    let (mut bench, hub) = bench();
    bench.tool = Box::new(|_| panic!("nothing is quantized for a graph"));
    bench.converter = Box::new(|_, _| panic!("nothing is converted for a graph"));
    hub.asked();
    let text = format!(
        "FROM scratch AS f16\nADD {}/o/r c\nCOPY m.gguf .\nFROM scratch\n\
         QUANTIZE --from=f16 --type=Q4_K_M c/one.gguf q.gguf\nCAT <<E t\nx\nE\n",
        hub.url
    );
    let file = tempfile::tempdir().unwrap();
    fs::write(file.path().join("GGUFPackerfile"), text).unwrap();
    let folder = |path: &Path| Folder { path: path.to_owned(), ..Folder::default() };
    let folders = BTreeMap::from([
        ("context".to_owned(), folder(&bench.at(""))),
        ("dockerfile".to_owned(), folder(file.path())),
    ]);
    let options = BTreeMap::from([
        ("source".to_owned(), "gpustack/gguf-packer:latest".to_owned()),
        ("build-arg:HF_ENDPOINT".to_owned(), hub.url.clone()),
    ]);
    let say = |_: &str| ();
    let tools = Tools { tool: &*bench.tool, converter: &*bench.converter, token: None, say: &say };
    let graph = |form| {
        bench.with_settings(&|_| (), |settings| {
            let (options, folders) = (options.clone(), folders.clone());
            let wanted = Dump { settings, tools: &tools, options, folders };
            dump(&wanted, form).unwrap().0
        })
    };
    let dot = String::from_utf8(graph(Form::Dot)).unwrap();
    assert!(dot.starts_with("digraph {") && dot.contains("QUANTIZE --from=f16"), "{dot}");
    let lines = String::from_utf8(graph(Form::Json)).unwrap();
    let ops: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let name = |op: &Value| {
        let said = op["OpMetadata"]["description"]["llb.customname"].as_str().unwrap_or("result");
        let kind = op["Op"]["Op"].as_object().and_then(|kind| kind.keys().next().cloned());
        let inputs: Vec<usize> = (op["Op"]["inputs"].as_array().into_iter().flatten())
            .map(|input| ops.iter().position(|one| one["Digest"] == input["digest"]).unwrap())
            .collect();
        format!("{} {inputs:?} {}", kind.unwrap_or_default(), said.replace(&hub.url, "HUB"))
    };
    assert_eq!(ops.iter().map(name).collect::<Vec<_>>(), GRAPH);
    let bytes = graph(Form::Protobuf);
    let definition = Definition::decode(&bytes[..]).unwrap();
    let digests = definition.def.iter().map(|bytes| Digest::of(bytes).to_string());
    assert!(digests.eq(ops.iter().map(|op| op["Digest"].as_str().unwrap())));
    assert_eq!(graph(Form::Protobuf), bytes, "the same file is the same graph");
    let asked = hub.asked();
    assert!(asked.iter().all(|path| !path.contains("/resolve/")), "{asked:?}");
}

#[test]
fn nobody_on_the_other_side_is_told() {
    let (ours, theirs) = tokio::io::duplex(1 << 10);
    drop(theirs);
    let told =
        Connection::over(ours).and_then(|connection| answer(&connection, Environment::default()));
    let error = told.unwrap_err().to_string();
    assert!(error.contains("BuildKit"), "{error}");
    assert_eq!(status(2, "x").code, 2);
}
