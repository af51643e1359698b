//! Tests of `walk.rs`.

use super::super::instruction::{Add, AddSource, Cat, Convert, Copy, Placing, QuantizeOptions};
use super::super::parse;
use super::super::stages::resolve;
use super::super::stages::tests::{resolved, steps};
use super::*;

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

fn placing(chown: &str, chmod: &str, exclude: &[&str]) -> Placing {
    Placing {
        chown: Some(chown.to_owned()),
        chmod: Some(chmod.to_owned()),
        link: true,
        exclude: exclude.iter().map(|&pattern| pattern.to_owned()).collect(),
    }
}

#[test]
fn every_option_of_add_has_its_place() {
    let sum = format!("sha256:{}", "0".repeat(64));
    let text = format!(
        "FROM scratch
ADD --checksum={sum} --chmod=u=rw,go-w --chown=1000:staff --link --exclude=*.md --exclude=!a.md https://h/a b/
ADD --keep-git-dir=true --link=false https://h/a.git#v1:sub ssh://h/b me@h.x:c file:///d a* @a:b <<E e/
x
E"
    );
    let url = Add {
        sources: vec![AddSource::Url("https://h/a".to_owned())],
        dest: "b/".to_owned(),
        keep_git_dir: false,
        checksum: Some(sum),
        placing: placing("1000:staff", "u=rw,go-w", &["*.md", "!a.md"]),
    };
    let git = |url: &str| AddSource::Git(url.to_owned());
    let sources = vec![
        git("https://h/a.git#v1:sub"),
        git("ssh://h/b"),
        git("me@h.x:c"),
        git("file:///d"),
        AddSource::Path("a*".to_owned()),
        AddSource::Path("@a:b".to_owned()),
        AddSource::Inline("E".to_owned(), "x\n".to_owned()),
    ];
    let (dest, placing) = ("e/".to_owned(), Placing::default());
    let many = Add { sources, dest, keep_git_dir: true, checksum: None, placing };
    assert_eq!(steps(&text), [Instruction::Add(url), Instruction::Add(many)]);
}

#[test]
fn every_option_of_copy_has_its_place() {
    let text = "FROM scratch
COPY --from=r.example/a:1 --parents --chmod=0755 --chown=me --link --exclude=x a/./b [ab]c d/
COPY a <<A <<'B' ./
1
A
$2
B";
    let pair = |name: &str, text: &str| (name.to_owned(), text.to_owned());
    let image = Copy {
        from: Origin::Image("r.example/a:1".to_owned()),
        sources: vec!["a/./b".to_owned(), "[ab]c".to_owned()],
        inline: Vec::new(),
        dest: "d/".to_owned(),
        parents: true,
        placing: placing("me", "0755", &["x"]),
    };
    let inline = Copy {
        from: Origin::Context,
        sources: vec!["a".to_owned()],
        inline: vec![pair("A", "1\n"), pair("B", "$2\n")],
        dest: "./".to_owned(),
        parents: false,
        placing: Placing::default(),
    };
    assert_eq!(steps(text), [Instruction::Copy(image), Instruction::Copy(inline)]);
}

#[test]
fn cat_takes_words_or_texts() {
    let text = "FROM scratch
CAT one  \"two  three\" 'it''s' p.txt
CAT <<A <<-B p
a
A
\tb
\tB
CAT [\"it's\", \"a  list\", \"q\"]";
    let cat = |text: &str, dest: &str| {
        Instruction::Cat(Cat { text: text.to_owned(), dest: dest.to_owned() })
    };
    let cats = [cat("one two  three its", "p.txt"), cat("a\nb\n", "p"), cat("it's a  list", "q")];
    assert_eq!(steps(text), cats);
}

#[test]
fn every_option_of_convert_has_its_place() {
    let text = "FROM scratch
CONVERT a b
CONVERT --from=context --class=adapter --base=c --type=bf16 a b";
    let convert = |from, kind: &str, base: Option<&str>| {
        Instruction::Convert(Convert {
            from,
            src: "a".to_owned(),
            dest: "b".to_owned(),
            kind: kind.to_owned(),
            lora: base.is_some(),
            base: base.map(str::to_owned),
        })
    };
    assert_eq!(
        steps(text),
        [convert(Origin::Here, "F16", None), convert(Origin::Context, "BF16", Some("c"))]
    );
    let [Instruction::Convert(model)] = &steps("FROM scratch\nCONVERT --class=model a b")[..]
    else {
        panic!("CONVERT")
    };
    assert!(!model.lora);
}

#[test]
fn labels_are_pairs() {
    let text = "FROM scratch
ARG A=x
LABEL a=$A \"b c\"=\"d \\\"e\\\"\" \\
   f='$A' g=
LABEL h  i $A  \"j\"";
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    assert_eq!(
        steps(text),
        [
            Instruction::Label(vec![
                pair("a", "x"),
                pair("b c", "d \"e\""),
                pair("f", "$A"),
                pair("g", "")
            ]),
            Instruction::Label(vec![pair("h", "i x  j")]),
        ]
    );
}

#[test]
fn texts_have_values_unless_their_mark_is_quoted() {
    let text = "FROM scratch
ARG A=x
CAT <<\"E\" a
$A '\\n'
E
CAT <<E $A
$A \"'\\n' \\$A\"
E
CMD [\"-m\", \"$A.gguf\", \"--chat-template\", \"it's {{ '\\\\n' }} \\\\$A\"]";
    let resolved = resolved(text, &Settings::default());
    let steps = &resolved.stages[0].steps;
    let cat = |text: &str, dest: &str| {
        Instruction::Cat(Cat { text: text.to_owned(), dest: dest.to_owned() })
    };
    assert_eq!(steps[0].instruction, cat("$A '\\n'\n", "a"));
    assert_eq!(steps[1].instruction, cat("x \"'\\n' $A\"\n", "x"));
    let words = ["-m", "x.gguf", "--chat-template", "it's {{ '\\n' }} $A"].map(str::to_owned);
    assert_eq!(steps[2].instruction, Instruction::Cmd(words.to_vec()));
    let texts: Vec<&str> = steps.iter().map(|step| step.text.as_str()).collect();
    let cmd = "CMD [\"-m\",\"x.gguf\",\"--chat-template\",\"it's {{ '\\\\n' }} $A\"]";
    assert_eq!(texts, ["CAT <<E a", "CAT <<E x", cmd]);
    assert_eq!((steps[1].at.line, steps[2].at.column), (6, 1));
}

#[test]
fn types_that_need_a_matrix_are_those_of_llama_cpp() {
    for (kind, pure, needs) in [
        ("IQ1_S", true, true),
        ("IQ2_M", false, true),
        ("IQ3_XXS", true, true),
        ("IQ3_XS", false, true),
        ("IQ3_XS", true, false),
        ("Q2_K_S", false, true),
        ("Q2_K", false, false),
        ("IQ3_S", false, false),
        ("IQ4_XS", false, false),
        ("TQ1_0", false, false),
    ] {
        let pure = if pure { "--pure" } else { "" };
        let script = parse(&format!("FROM scratch\nQUANTIZE --type={kind} {pure} a b"), "F")
            .expect("a file");
        assert_eq!(resolve(&script, &Settings::default()).is_err(), needs, "{kind} {pure}");
    }
}

#[test]
fn the_last_cmd_holds_and_each_names_a_model() {
    let both =
        steps("FROM scratch\nCMD [\"-m\", \"a\"]\nCMD [\"--model\", \"b\", \"--lora\", \"c\"]");
    assert_eq!(both.len(), 2);
    let text = "FROM alpine\nCOPY a b";
    assert_eq!(resolved(text, &Settings::default()).stages[0].steps.len(), 1);
    let spaces = "FROM scratch\nCMD [ \"-m\" , \"a\\u0062\" ]  ";
    assert_eq!(steps(spaces), [Instruction::Cmd(vec!["-m".to_owned(), "ab".to_owned()])]);
}
