use super::super::instruction::{AddSource, QuantizeOptions};
use super::super::parse;
use super::*;

/// The document's quick start, word for word.
pub(in super::super) const QUICK_START: &str = include_str!("samples/quick-start");

fn settings(args: &[(&str, &str)]) -> Settings {
    let build_args = args.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Settings { build_args: build_args.collect(), ..Settings::default() }
}

fn resolved(text: &str, settings: &Settings) -> Resolved {
    let script = parse(text, "F").unwrap_or_else(|errors| panic!("{errors}"));
    resolve(&script, settings).unwrap_or_else(|errors| panic!("{errors}"))
}

fn steps(text: &str) -> Vec<Instruction> {
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

#[test]
fn every_option_of_quantize_has_its_place() {
    let text = "FROM scratch
QUANTIZE --from=context --type=iq2_m --pure --imatrix=m.dat --include-weights=a,b --include-weights=c \\
  --leave-output-tensor=true --output-tensor-type=q6_K --token-embedding-type=Q8_0 --tensor-type=attn.*=q8_0 a b";
    let [Instruction::Quantize(quantize)] = &steps(text)[..] else { panic!("QUANTIZE") };
    assert_eq!(
        (&quantize.from, quantize.src.as_str(), quantize.dest.as_str()),
        (&Origin::Context, "a", "b")
    );
    assert_eq!(
        quantize.options,
        QuantizeOptions {
            kind: "IQ2_M".to_owned(),
            pure: true,
            imatrix: Some("m.dat".to_owned()),
            include_weights: vec!["a".to_owned(), "b".to_owned(), "c".to_owned()],
            exclude_weights: Vec::new(),
            leave_output_tensor: true,
            output_tensor_type: Some("Q6_K".to_owned()),
            token_embedding_type: Some("Q8_0".to_owned()),
            tensor_types: vec!["attn.*=Q8_0".to_owned()],
        }
    );
    let [Instruction::Quantize(plain)] = &steps("FROM scratch\nQUANTIZE a b")[..] else {
        panic!("QUANTIZE")
    };
    assert_eq!((plain.options.kind.as_str(), &plain.from), ("Q5_K_M", &Origin::Here));
    let [Instruction::Quantize(without)] =
        &steps("FROM scratch\nQUANTIZE --imatrix=m --exclude-weights=a,b a b")[..]
    else {
        panic!("QUANTIZE")
    };
    assert_eq!(without.options.exclude_weights, ["a", "b"]);
}
