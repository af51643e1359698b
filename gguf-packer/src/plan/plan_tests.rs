//! Plans, each rule by the smallest stages that show it.

use super::*;
use crate::language::instruction::{
    self, Add, AddSource, Cat, Copy, Instruction, Origin, Stage, Step,
};

fn step(instruction: Instruction) -> Step {
    Step { at: Position { line: 1, column: 1 }, text: format!("{instruction:?}"), instruction }
}

fn stage(from: Origin, steps: Vec<Instruction>) -> Stage {
    let steps = steps.into_iter().map(step).collect();
    Stage { name: None, from, platform: None, steps, at: Position { line: 1, column: 1 } }
}

fn copy(from: Origin, source: &str, dest: &str) -> Instruction {
    let sources = vec![source.to_owned()];
    let (dest, placing) = (dest.to_owned(), Placing::default());
    Instruction::Copy(Copy { from, sources, inline: vec![], dest, parents: false, placing })
}

fn add(sources: Vec<AddSource>) -> Instruction {
    let (dest, placing) = ("d/".to_owned(), Placing::default());
    Instruction::Add(Add { sources, dest, keep_git_dir: false, checksum: None, placing })
}

fn plan(stages: &[Stage]) -> Plan {
    Plan::of(stages, stages.len() - 1, &Outside::default()).expect("a plan")
}

/// Operations and inputs, one node a line.
fn shown(plan: &Plan) -> Vec<String> {
    let op = |node: &Node| serde_json::to_value(&node.op).expect("data")["op"].to_string();
    plan.nodes
        .iter()
        .map(|node| format!("{} {:?}", op(node).trim_matches('"'), node.inputs))
        .collect()
}

#[test]
fn a_stage_is_a_chain_and_equal_sources_are_one_node() {
    let stages = [stage(
        Origin::Scratch,
        vec![
            copy(Origin::Context, "a", "/x/"),
            copy(Origin::Context, "a", "/y/"),
            Instruction::Cat(Cat { text: "t".to_owned(), dest: "p.txt".to_owned() }),
        ],
    )];
    let plan = plan(&stages);
    let expected =
        ["scratch []", "local []", "place [0, 1]", "place [2, 1]", "inline []", "place [3, 4]"];
    assert_eq!(shown(&plan), expected);
    assert_eq!(plan.result, 5);
    let Op::Place(Place { dest, .. }) = &plan.nodes[5].op else { panic!("no place") };
    assert_eq!(dest, "./", "the file of a CAT has a name, its folder is the destination");
}

#[test]
fn a_stage_that_nothing_needs_is_not_run() {
    let stages = [
        stage(Origin::Scratch, vec![copy(Origin::Context, "unused", "/")]),
        stage(Origin::Image("base".to_owned()), vec![copy(Origin::Context, "a", "/")]),
        stage(Origin::Scratch, vec![copy(Origin::Stage(1), "a", "/")]),
    ];
    let plan = plan(&stages);
    assert_eq!(
        shown(&plan),
        ["scratch []", "image []", "local []", "place [1, 2]", "place [0, 3]"]
    );
}

#[test]
fn a_name_tells_what_a_node_does_and_nothing_else() {
    let one = plan(&[stage(Origin::Scratch, vec![copy(Origin::Context, "a", "/x")])]);
    let mut other = stage(Origin::Scratch, vec![copy(Origin::Context, "a", "/x")]);
    other.steps[0].at.line = 9;
    other.steps[0].text = "COPY  a /x".to_owned();
    assert_eq!(plan(&[other]).nodes[2].name, one.nodes[2].name);
    let elsewhere = plan(&[stage(Origin::Scratch, vec![copy(Origin::Context, "a", "/y")])]);
    assert_ne!(elsewhere.nodes[2].name, one.nodes[2].name);
    let source = plan(&[stage(Origin::Scratch, vec![copy(Origin::Context, "b", "/x")])]);
    assert_ne!(source.nodes[2].name, one.nodes[2].name);
}

#[test]
fn sources_of_add_are_told_apart() {
    let text = |text: &str| text.to_owned();
    let sources = vec![
        AddSource::Path(text("a")),
        AddSource::Path(text("b")),
        AddSource::Url(text("https://h/x.gguf")),
        AddSource::Url(text("https://huggingface.co/o/r")),
        AddSource::Git(text("https://huggingface.co/o/r.git#v1:sub")),
        AddSource::Git(text("https://h/r.git")),
        AddSource::Inline(text("n"), text("t")),
    ];
    let plan = plan(&[stage(Origin::Scratch, vec![add(sources)])]);
    let kinds =
        ["local []", "http []", "hugging-face []", "hugging-face []", "git []", "inline []"];
    assert_eq!(shown(&plan)[1..7], kinds);
    let Op::Place(Place { parts, unpack, .. }) = &plan.nodes[7].op else { panic!("no place") };
    assert!(*unpack);
    let everything = [Part::Everything, Part::Everything, Part::Everything];
    assert_eq!(parts[0], Part::Paths(vec![text("a"), text("b")]));
    assert_eq!(parts[1], Part::Files);
    assert_eq!(parts[2..5], everything);
    let Op::HuggingFace(HuggingFace { revision, folder, .. }) = &plan.nodes[4].op else {
        panic!("no repository")
    };
    assert_eq!((revision.as_deref(), folder.as_deref()), (Some("v1"), Some("sub")));
}

#[test]
fn named_contexts_are_what_they_say() {
    let mut outside = Outside::default();
    for (name, value) in [
        ("dir", "../x"),
        ("img", "docker-image://a/b"),
        ("oci", "oci-layout://x:1"),
        ("web", "https://h/x.tar"),
        ("git", "https://h/x.git"),
    ] {
        outside.contexts.insert(name.to_owned(), Context::parse(value));
    }
    let named = |name: &str| Origin::Named(name.to_owned());
    let steps = ["dir", "img", "oci", "web", "git"].map(|name| copy(named(name), "a", "/"));
    let plan = Plan::of(&[stage(Origin::Scratch, steps.to_vec())], 0, &outside).expect("a plan");
    let sources: Vec<String> =
        shown(&plan).into_iter().filter(|op| !op.starts_with("place")).collect();
    assert_eq!(sources, ["scratch []", "local []", "image []", "layout []", "http []", "git []"]);
    let base = Plan::of(&[stage(named("dir"), vec![])], 0, &outside).expect("a plan");
    assert_eq!(shown(&base), ["local []", "scratch []", "place [1, 0]"]);
    let error = Plan::of(&[stage(named("no"), vec![])], 0, &outside).unwrap_err().to_string();
    assert_eq!(error, "unknown build context `no`\n  hint: define it: `--build-context no=FOLDER`");
}

#[test]
fn a_stage_inherits_command_and_labels() {
    let label =
        |key: &str, value: &str| Instruction::Label(vec![(key.to_owned(), value.to_owned())]);
    let stages = [
        stage(
            Origin::Scratch,
            vec![Instruction::Cmd(vec!["-m".to_owned()]), label("a", "1"), label("b", "1")],
        ),
        stage(Origin::Stage(0), vec![label("a", "2")]),
    ];
    let plan = plan(&stages);
    assert_eq!(plan.command, Some(vec!["-m".to_owned()]));
    let labels = [("a", "2"), ("b", "1")].map(|(key, value)| (key.to_owned(), value.to_owned()));
    assert_eq!(plan.labels, labels);
}

#[test]
fn quantizing_a_shard_needs_its_siblings() {
    let options = crate::executor::quantize::tests::options("Q4_K_M");
    let src = "m-00001-of-00002.gguf".to_owned();
    let quantize =
        instruction::Quantize { from: Origin::Context, src, dest: "q.gguf".to_owned(), options };
    let plan = plan(&[stage(Origin::Scratch, vec![Instruction::Quantize(quantize)])]);
    let Op::Local(Local { sources, .. }) = &plan.nodes[1].op else { panic!("no folder") };
    assert_eq!(*sources, ["m-00001-of-00002.gguf", "m-?????-of-00002.gguf"]);
    assert_eq!(plan.nodes[2].inputs, [0, 1]);
    assert_eq!(shards("[x]-00001-of-00002.gguf").as_deref(), Some("\\[x]-?????-of-00002.gguf"));
    assert_eq!(shards("m.gguf"), None);
    assert_eq!(shards("m-1-of-2.gguf"), None);
}
