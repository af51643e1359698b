//! Tests of `stages.rs`.

use super::super::instruction::AddSource;
use super::super::parse;
use super::*;

/// The document's quick start, word for word.
pub(in super::super) const QUICK_START: &str = include_str!("samples/quick-start");

fn settings(args: &[(&str, &str)]) -> Settings {
    let build_args = args.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Settings { build_args: build_args.collect(), ..Settings::default() }
}

pub(in super::super) fn resolved(text: &str, settings: &Settings) -> Resolved {
    let script = parse(text, "F").unwrap_or_else(|errors| panic!("{errors}"));
    resolve(&script, settings).unwrap_or_else(|errors| panic!("{errors}"))
}

pub(in super::super) fn steps(text: &str) -> Vec<Instruction> {
    let mut resolved = resolved(text, &Settings::default());
    let stage = resolved.stages.swap_remove(resolved.target);
    stage.steps.into_iter().map(|step| step.instruction).collect()
}

#[test]
fn the_quick_start_is_understood() {
    let start = resolved(QUICK_START, &settings(&[("QUANTIZE_TYPE", "Q4_K_M")]));
    assert!(start.warnings.is_empty());
    let [f16, last] = &start.stages[..] else { panic!("two stages, not {:?}", start.stages) };
    assert_eq!(
        (f16.name.as_deref(), &f16.from, &last.from),
        (Some("f16"), &Origin::Scratch, &Origin::Scratch)
    );
    let texts =
        |stage: &Stage| stage.steps.iter().map(|step| step.text.clone()).collect::<Vec<_>>();
    assert_eq!(
        texts(f16),
        [
            "ADD https://huggingface.co/Qwen/Qwen2-0.5B-Instruct.git Qwen2-0.5B-Instruct",
            "CONVERT --type=F16 Qwen2-0.5B-Instruct Qwen2-0.5B-Instruct.F16.gguf",
        ]
    );
    assert_eq!(
        texts(last)[..3],
        [
            "LABEL gguf.model.from=Hugging Face",
            "QUANTIZE --from=f16 --type=Q4_K_M Qwen2-0.5B-Instruct.F16.gguf Qwen2-0.5B-Instruct.Q4_K_M.gguf",
            "CAT <<EOF system-prompt.txt",
        ]
    );
    let Instruction::Cat(cat) = &last.steps[2].instruction else { panic!("CAT") };
    assert!(cat.text.starts_with("You are an AI") && cat.text.ends_with("to the query.\n"));
    let Instruction::Cmd(cmd) = &last.steps[3].instruction else { panic!("CMD") };
    assert_eq!(cmd[..3], ["-m", "Qwen2-0.5B-Instruct.Q4_K_M.gguf", "-c"]);
    let template = r"{% for message in messages %}{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n'}}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}";
    assert_eq!(cmd[7], template);
    let Instruction::Quantize(quantize) = &last.steps[1].instruction else { panic!("QUANTIZE") };
    assert_eq!(quantize.from, Origin::Stage(0));
    let Instruction::Add(add) = &f16.steps[0].instruction else { panic!("ADD") };
    assert!(matches!(&add.sources[..], [AddSource::Git(_)]));
    // Another base, as the document does it.
    let based = resolved(QUICK_START, &settings(&[("BASE", "ubuntu:22.04")]));
    assert_eq!(based.stages[1].from, Origin::Image("ubuntu:22.04".to_owned()));
}

fn told(text: &str, settings: &Settings) -> String {
    let script = parse(text, "F").unwrap_or_else(|errors| panic!("{errors}"));
    resolve(&script, settings).expect_err("something is wrong").to_string()
}

fn image(name: &str) -> Origin {
    Origin::Image(name.to_owned())
}

fn named(name: &str) -> Origin {
    Origin::Named(name.to_owned())
}

#[test]
fn stages_start_from_what_they_name() {
    let text = "ARG V=1
FROM scratch AS Base
FROM BASE AS next
FROM alpine:$V AS alpine3
FROM --platform=$TARGETPLATFORM docker.io/library/busybox:latest AS box
FROM hf://org/Repo:Q4_K_M
COPY --from=base a b
COPY --from=1 a b
COPY --from=alpine3 a b
COPY --from=box a b";
    let settings = Settings {
        platform: [("TARGETPLATFORM".to_owned(), "linux/arm64".to_owned())].into(),
        contexts: ["busybox".to_owned()].into(),
        ..Settings::default()
    };
    let resolved = resolved(text, &settings);
    let froms: Vec<Origin> = resolved.stages.iter().map(|stage| stage.from.clone()).collect();
    let hub = image("hf://org/Repo:Q4_K_M");
    let expected = [Origin::Scratch, Origin::Stage(0), image("alpine:1"), named("busybox"), hub];
    assert_eq!(froms, expected);
    assert_eq!(resolved.stages[3].platform.as_deref(), Some("linux/arm64"));
    assert_eq!((resolved.target, resolved.stages[0].name.as_deref()), (4, Some("base")));
}

#[test]
fn instructions_read_from_what_they_name() {
    let digest = &format!("r/a@sha256:{}", "0".repeat(64));
    let text = format!(
        "FROM scratch AS base
FROM scratch
COPY --from=BASE a b
COPY --from=0 a b
COPY --from=context a b
COPY --from=CTX a b
COPY --from=scratch a b
COPY --from={digest} a b
CONVERT --from=base a b
QUANTIZE --from=context a b"
    );
    let settings = Settings { contexts: ["ctx".to_owned()].into(), ..Settings::default() };
    let resolved = resolved(&text, &settings);
    let steps = &resolved.stages[1].steps;
    let origins: Vec<&Origin> = steps.iter().filter_map(|step| origin(&step.instruction)).collect();
    let (base, ctx, image) = (Origin::Stage(0), named("ctx"), image(digest));
    let (context, scratch) = (Origin::Context, Origin::Scratch);
    assert_eq!(origins, [&base, &base, &context, &ctx, &scratch, &image, &base, &context]);
}

#[test]
fn a_named_context_stands_for_a_stage_of_its_name() {
    let text = "FROM scratch AS base\nCOPY ${A:?} b\nFROM base";
    let settings = Settings { contexts: ["base".to_owned()].into(), ..Settings::default() };
    let resolved = resolved(text, &settings);
    assert_eq!(resolved.stages[0].from, Origin::Named("base".to_owned()));
    assert!(resolved.stages[0].steps.is_empty());
}

#[test]
fn a_target_leaves_what_it_needs() {
    let text = "FROM scratch AS a
FROM scratch AS unused
COPY ${NONE:?} b
FROM a AS b
FROM scratch AS c
COPY --from=b x y
FROM scratch AS d
COPY --from=unused x y";
    for (target, names, from) in [
        (Some("c"), vec!["a", "b", "c"], Origin::Scratch),
        (Some("B"), vec!["a", "b"], Origin::Stage(0)),
        (Some("0"), vec!["a"], Origin::Scratch),
    ] {
        let settings = Settings { target: target.map(str::to_owned), ..Settings::default() };
        let resolved = resolved(text, &settings);
        let found: Vec<_> =
            resolved.stages.iter().filter_map(|stage| stage.name.as_deref()).collect();
        assert_eq!(found, names);
        assert_eq!(
            (resolved.target, &resolved.stages[resolved.target].from),
            (names.len() - 1, &from)
        );
        for step in &resolved.stages[resolved.target].steps {
            assert_eq!(origin(&step.instruction), Some(&Origin::Stage(1)));
        }
    }
    assert!(told(text, &Settings::default()).starts_with("F:3:6: `NONE` has no value"));
}

/// The value of `A` after each line.
fn values(lines: &str, args: &[(&str, &str)]) -> Vec<String> {
    let resolved = resolved(lines, &settings(args));
    let stage = &resolved.stages[resolved.target];
    let values = stage.steps.iter().map(|step| match &step.instruction {
        Instruction::Label(pairs) => pairs[0].1.clone(),
        other => panic!("{other:?}"),
    });
    values.collect()
}

#[test]
fn arguments_have_values_where_they_are_declared() {
    let show = "LABEL v=\"$A\"";
    for (text, args, expected) in [
        (format!("ARG A=1\nFROM scratch\n{show}\nARG A=2\n{show}"), vec![], vec!["1", "2"]),
        (
            format!("ARG A=1\nFROM scratch\n{show}\nARG A=2\n{show}"),
            vec![("A", "3")],
            vec!["3", "3"],
        ),
        (format!("ARG A=1\nFROM scratch\nARG A\n{show}"), vec![], vec!["1"]),
        (format!("FROM scratch\n{show}\nARG A\n{show}"), vec![("A", "3")], vec!["", "3"]),
        (
            format!("ARG B=b\nARG A=$B$B C=${{A}}c\nFROM scratch\nARG A=$C\n{show}"),
            vec![],
            vec!["bbc"],
        ),
        (
            format!("FROM scratch AS x\nARG A=2\nFROM x\n{show}\nFROM scratch\n{show}"),
            vec![],
            vec![""],
        ),
        (format!("FROM scratch AS x\nARG A=2\nFROM x\n{show}"), vec![], vec!["2"]),
        (
            format!("ARG A=\"a  b\" B='$c'\nFROM scratch\n{show}\nLABEL v=$B"),
            vec![],
            vec!["a  b", "$c"],
        ),
        (format!("ARG A=a\\ b\nFROM scratch\n{show}"), vec![("A", "'$x'\\n")], vec!["'$x'\\n"]),
        (
            "# escape=`\nFROM scratch\nARG A=C:\\x`\n\\y\nLABEL v=$A `\n w=1".to_owned(),
            vec![],
            vec!["C:\\x\\y"],
        ),
    ] {
        assert_eq!(values(&text, &args), expected, "{text} {args:?}");
    }
}

#[test]
fn platforms_have_values_and_may_be_changed() {
    let mut settings = settings(&[("TARGETARCH", "riscv64")]);
    for (name, value) in [("TARGETARCH", "amd64"), ("TARGETOS", "linux")] {
        settings.platform.insert(name.to_owned(), value.to_owned());
    }
    let resolved = resolved("FROM scratch\nCAT $TARGETOS/$TARGETARCH a", &settings);
    let Instruction::Cat(cat) = &resolved.stages[0].steps[0].instruction else { panic!("CAT") };
    assert_eq!(cat.text, "linux/riscv64");
    assert!(resolved.warnings.is_empty());
}

#[test]
fn what_should_be_otherwise_is_told() {
    let text = "ARG USED
FROM scratch AS stage
FROM scratch
COPY --from=stgae a b
QUANTIZE --type=Q4_0_4_8 --output-tensor-type=q4_0_8_8 a b";
    let args = [
        ("USED", "1"),
        ("OTHER", "1"),
        ("http_proxy", "1"),
        ("BUILDKIT_X", "1"),
        ("SOURCE_DATE_EPOCH", "0"),
    ];
    let mut settings = settings(&args);
    settings.platform.insert("TARGETOS".to_owned(), "linux".to_owned());
    let resolved = resolved(text, &settings);
    let warnings: Vec<String> = resolved.warnings.iter().map(ToString::to_string).collect();
    assert_eq!(
        warnings,
        [
            "F:4:13: `stgae` is used as an image name; did you mean the stage `stage`?",
            "F:5:17: llama.cpp no longer has `Q4_0_4_8`: using Q4_0, which llama.cpp repacks when \
            it loads the model",
            "F:5:47: llama.cpp no longer has `q4_0_8_8`: using Q4_0, which llama.cpp repacks when \
            it loads the model",
            "F: build arguments were not consumed, because no ARG declares them: OTHER",
        ]
    );
    let Instruction::Quantize(quantize) = &resolved.stages[0].steps[1].instruction else {
        panic!("QUANTIZE")
    };
    assert_eq!(quantize.options.kind, "Q4_0");
    assert_eq!(quantize.options.output_tensor_type.as_deref(), Some("Q4_0"));
}
