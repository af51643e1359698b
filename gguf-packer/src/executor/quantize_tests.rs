//! QUANTIZE with a tool that only says what it was asked for.

use std::fs;
use std::sync::{Arc, Mutex};

use super::*;
use crate::executor::testing::{Bench, copy, stage};
use crate::language::instruction::{self, Instruction, Origin};

/// Options with nothing but a type.
pub(crate) fn options(kind: &str) -> QuantizeOptions {
    QuantizeOptions {
        kind: kind.to_owned(),
        pure: false,
        imatrix: None,
        include_weights: vec![],
        exclude_weights: vec![],
        leave_output_tensor: false,
        output_tensor_type: None,
        token_embedding_type: None,
        tensor_types: vec![],
    }
}

fn quantize(from: Origin, src: &str, dest: &str, options: QuantizeOptions) -> Instruction {
    let (src, dest) = (src.to_owned(), dest.to_owned());
    Instruction::Quantize(instruction::Quantize { from, src, dest, options })
}

/// A bench whose tool writes what it was given, and the calls of it.
fn bench() -> (Bench, Arc<Mutex<Vec<String>>>) {
    let (mut bench, calls) = (Bench::new(), Arc::new(Mutex::new(Vec::new())));
    let heard = calls.clone();
    bench.tool = Box::new(move |run: ToolRun<'_>| {
        let line = run.arguments.join(" ");
        let input = run.arguments.iter().find(|word| word.starts_with("in/")).expect("an input");
        let shards = fs::read_dir(run.folder.join("in")).expect("a folder").count();
        let text = fs::read_to_string(run.folder.join(input)).expect("the source");
        (run.on_line)("main: quantizing");
        (run.on_line)(
            "[   2/   4]  blk.0.attn_k.weight - [ 64, 64, 1, 1], type = f16, size = 1 MiB",
        );
        fs::write(run.folder.join("out/model.gguf"), format!("{text} {shards}")).expect("a file");
        heard.lock().expect("a lock").push(line);
        Ok(())
    });
    (bench, calls)
}

fn calls(calls: &Mutex<Vec<String>>) -> Vec<String> {
    calls.lock().expect("a lock").drain(..).collect()
}

#[test]
fn a_file_of_a_stage_is_quantized_once() {
    let (bench, heard) = bench();
    bench.write("m.gguf", "weights");
    let first = stage(Origin::Scratch, &[copy("m.gguf", "./")]);
    let step = quantize(Origin::Stage(0), "m.gguf", "m.Q4_K_M.gguf", options("Q4_K_M"));
    let stages = [first, stage(Origin::Scratch, std::slice::from_ref(&step))];
    let built = bench.build_stages(&stages).expect("it builds");
    assert_eq!(bench.shown(&built), ["models/", "models/m.Q4_K_M.gguf = weights 1"]);
    assert_eq!(calls(&heard), ["in/m.gguf out/model.gguf Q4_K_M"]);
    assert!(
        bench
            .news
            .lock()
            .expect("a lock")
            .contains(&"STEP blk.0.attn_k.weight 2 Some(4) Tensors".to_owned())
    );
    let again = bench.build_stages(&stages).expect("it builds");
    assert_eq!(again, built);
    assert!(bench.was_cached(&step));
    assert_eq!(calls(&heard), [""; 0]);
    bench.write("m.gguf", "other");
    bench.build_stages(&stages).expect("it builds");
    assert_eq!(calls(&heard).len(), 1, "another content");
    assert_eq!(bench.leftovers(), [""; 0]);
}

/// Everything that can be asked for.
fn all_options() -> QuantizeOptions {
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    QuantizeOptions {
        kind: "Q5_K_M".to_owned(),
        pure: true,
        imatrix: Some("i.gguf".to_owned()),
        include_weights: names(&["a", "b"]),
        exclude_weights: names(&["c"]),
        leave_output_tensor: true,
        output_tensor_type: Some("Q6_K".to_owned()),
        token_embedding_type: Some("Q8_0".to_owned()),
        tensor_types: names(&["attn_v=Q6_K"]),
    }
}

#[test]
fn every_option_reaches_the_quantizer() {
    let (bench, heard) = bench();
    bench.write("m.gguf", "weights");
    bench.write("data/i.gguf", "matrix");
    let all = all_options();
    let steps = |options| {
        [copy("data/i.gguf", "./"), quantize(Origin::Context, "m.gguf", "/q.gguf", options)]
    };
    bench.build(&steps(all.clone())).expect("it builds");
    let expected = "--imatrix imatrix/i.gguf --include-weights a --include-weights b --exclude-weights c \
                    --leave-output-tensor --pure --output-tensor-type Q6_K --token-embedding-type Q8_0 \
                    --tensor-type attn_v=Q6_K in/m.gguf out/model.gguf Q5_K_M";
    assert_eq!(calls(&heard), [expected]);
    // Each of them makes another file.
    for change in [
        |options: &mut QuantizeOptions| options.kind = "Q4_0".to_owned(),
        |options: &mut QuantizeOptions| options.pure = false,
        |options: &mut QuantizeOptions| options.include_weights.clear(),
        |options: &mut QuantizeOptions| options.exclude_weights.clear(),
        |options: &mut QuantizeOptions| options.leave_output_tensor = false,
        |options: &mut QuantizeOptions| options.output_tensor_type = None,
        |options: &mut QuantizeOptions| options.token_embedding_type = None,
        |options: &mut QuantizeOptions| options.tensor_types.clear(),
    ] {
        let mut changed = all.clone();
        change(&mut changed);
        bench.build(&steps(changed)).expect("it builds");
        assert_eq!(calls(&heard).len(), 1);
    }
    bench.write("data/i.gguf", "another matrix");
    bench.build(&steps(all)).expect("it builds");
    assert_eq!(calls(&heard), [expected]);
}

#[test]
fn all_shards_are_there() {
    let (bench, heard) = bench();
    for n in 1..=3 {
        bench.write(&format!("m-0000{n}-of-00003.gguf"), format!("part {n}"));
    }
    let step = quantize(Origin::Context, "m-00001-of-00003.gguf", "q.gguf", options("Q8_0"));
    let built = bench.build(std::slice::from_ref(&step)).expect("it builds");
    assert_eq!(bench.shown(&built), ["models/", "models/q.gguf = part 1 3"]);
    assert_eq!(calls(&heard), ["in/m-00001-of-00003.gguf out/model.gguf Q8_0"]);
    fs::remove_file(bench.at("m-00002-of-00003.gguf")).expect("a file");
    let error = bench.build(&[step]).expect_err("a shard is missing");
    let expected = "GGUFPackerfile:2:1: found 2 of 3 shards: `m-?????-of-00003.gguf`\n";
    assert!(error.starts_with(expected), "{error}");
}

#[test]
fn a_failure_shows_the_log_and_what_to_do() {
    let mut bench = Bench::new();
    bench.write("m.gguf", "weights");
    bench.tool = Box::new(|run: ToolRun<'_>| {
        for n in 0..30 {
            (run.on_line)(&format!("line {n}"));
        }
        (run.on_line)("Missing importance matrix for tensor blk.0.ffn_down.weight: imatrix");
        Err(Error::new("the quantizer ended with 1"))
    });
    let step = quantize(Origin::Context, "m.gguf", "q.gguf", options("IQ2_XXS"));
    let error = bench.build(&[step]).expect_err("it fails");
    let start = "GGUFPackerfile:2:1: quantizing to IQ2_XXS failed: the quantizer ended with 1\n  \
                 | QUANTIZE m.gguf q.gguf\n  | line 11\n";
    assert!(error.starts_with(start), "{error}");
    let end = "  hint: IQ2_XXS needs an importance matrix: `QUANTIZE --imatrix=FILE`\n  hint: \
        make one with llama.cpp's llama-imatrix, or choose a K type such as Q4_K_M";
    assert!(error.ends_with(end), "{error}");
    bench.tool = Box::new(|run: ToolRun<'_>| {
        (run.on_line)("llama_model_loader: - kv   0: general.architecture str = llama");
        (run.on_line)("[   1/  29] a - [1], type = q8_0, x: failed to quantize: a reason");
        (run.on_line)("llama_quantize: failed");
        Err(Error::new("the quantizer ended with 1"))
    });
    let step = quantize(Origin::Context, "m.gguf", "q.gguf", options("Q8_0"));
    let error = bench.build(&[step]).expect_err("it fails");
    let text = "GGUFPackerfile:2:1: quantizing to Q8_0 failed: a reason\n  \
                | QUANTIZE m.gguf q.gguf\n  | llama_quantize: failed";
    assert_eq!(error, text);
    assert_eq!(bench.leftovers(), [""; 0]);
    bench.tool = Box::new(|_| Ok(()));
    let step = quantize(Origin::Context, "m.gguf", "q.gguf", options("Q8_0"));
    let error = bench.build(&[step]).expect_err("no file");
    assert!(error.contains("quantizing to Q8_0 failed: the quantizer wrote no file"), "{error}");
}

#[test]
fn what_cannot_be_quantized_is_told() {
    let (bench, _) = bench();
    bench.write("m.gguf", "weights");
    let step = |src: &str, matrix: Option<&str>| {
        let options = QuantizeOptions { imatrix: matrix.map(str::to_owned), ..options("Q8_0") };
        bench.build(&[quantize(Origin::Context, src, "q.gguf", options)]).expect_err(src)
    };
    assert!(step("x.gguf", None).starts_with(
        "GGUFPackerfile:2:1: file or folder not found: \
        `x.gguf`"
    ));
    assert!(
        step("m.gguf", Some("i.gguf"))
            .starts_with("GGUFPackerfile:2:1: file or folder not found: `i.gguf`")
    );
    assert!(step(".", None).starts_with("GGUFPackerfile:2:1: `.` is not a file"));
}

#[test]
fn progress_is_read_from_the_log() {
    let line = "[  12/ 291]                  blk.0.attn_k.weight - [  896,  128,     1,     1], type =    \
                f16, converting to q5_K .. size =     0.22 MiB ->     0.07 MiB";
    assert_eq!(progress(line), Some((12, 291, "blk.0.attn_k.weight")));
    for line in ["", "main: quantize time = 1 ms", "[a/b] x - y", "llama_model_loader: [1/"] {
        assert_eq!(progress(line), None, "{line}");
    }
}

#[test]
fn a_file_that_is_no_importance_matrix_is_told() {
    let options = QuantizeOptions { imatrix: Some("i.dat".to_owned()), ..options("Q4_K_M") };
    let told = |line: &str, options: &QuantizeOptions| {
        failed(&Error::tool("the quantizer crashed"), &[line.to_owned()], options).to_string()
    };
    let expected = "quantizing to Q4_K_M failed: i.dat is not an importance matrix\n  \
        hint: make one with llama.cpp's llama-imatrix, and name its file";
    assert_eq!(told("load_imatrix: missing imatrix metadata in file i.dat", &options), expected);
    assert_eq!(told("terminate called after throwing an instance", &options), expected);
    // The last lines of a long run are all about tensors.
    let late =
        ["[  30/ 291] blk.1.attn_q.weight - [896, 896]", "terminate called"].map(str::to_owned);
    let text = failed(&Error::tool("the quantizer crashed"), &late, &options).to_string();
    assert!(!text.contains("importance matrix"), "{text}");
    for (line, options) in [
        ("llama_quantize: quantizing 'a' to 'b' as Q4_K_M", &options),
        ("terminate called", &QuantizeOptions { imatrix: None, ..options.clone() }),
    ] {
        let text = told(line, options);
        assert!(text.contains("the quantizer crashed") && text.contains(DAMAGED), "{text}");
    }
}
