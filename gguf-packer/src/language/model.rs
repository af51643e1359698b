//! `CONVERT`, `QUANTIZE` and `CMD`: instructions that know what a model is.

use super::call::{Call, Notes, Value};
use super::instruction::{Convert, Instruction, Origin, Quantize, QuantizeOptions};
use super::types::{self, Type};
use crate::image::command::numbers;

pub(super) fn convert(call: &Call<'_>, from: Option<Origin>, notes: &mut Notes<'_>) -> Instruction {
    let kind = match call.flag("type") {
        None => "F16",
        Some(value) => match types::of_converted(&value.text) {
            Ok(name) => name,
            Err(hint) => {
                notes.problem(value.at, format!("unknown type `{}`", value.text), hint);
                "F16"
            }
        },
    };
    let lora = match call.flag("class") {
        None => false,
        Some(value) => match value.text.as_str() {
            "model" => false,
            "lora" | "adapter" => true,
            other => {
                let what = format!("unknown class `{other}`");
                notes.problem(value.at, what, "--class=model or --class=lora");
                false
            }
        },
    };
    let base = call.flag("base");
    match (lora, base) {
        (true, None) => {
            let at = call.flag("class").map_or(call.statement.place(), |value| value.at);
            let what = "an adapter needs its base model";
            notes.problem(at, what, "add --base=FOLDER, the model that it was trained on");
        }
        (false, Some(base)) if call.flag("class").is_none_or(|value| value.text == "model") => {
            notes.problem(base.at, "`--base` is only for adapters", "--class=lora");
        }
        _ => {}
    }
    let [src, dest] = paths(call, notes);
    let base = base.map(|value| value.text.clone());
    let from = from.unwrap_or(Origin::Here);
    Instruction::Convert(Convert { from, src, dest, kind: kind.to_owned(), lora, base })
}

pub(super) fn quantize(
    call: &Call<'_>,
    from: Option<Origin>,
    notes: &mut Notes<'_>,
) -> Instruction {
    let kind = call.flag("type").map_or(Some("Q5_K_M"), |value| {
        checked(value, &value.text, types::of_file, "unknown file type", notes)
    });
    let mut tensor = |flag| {
        let value = call.flag(flag)?;
        checked(value, &value.text, types::of_tensor, WRITES_NO, notes).map(str::to_owned)
    };
    let output_tensor_type = tensor("output-tensor-type");
    let token_embedding_type = tensor("token-embedding-type");
    let tensor_types: Vec<String> =
        call.all("tensor-type").filter_map(|value| tensor_type(value, notes)).collect();
    let pure = call.switch("pure", notes);
    if let Some(kind) = kind {
        matrix(call, kind, pure, notes);
    }
    let [src, dest] = paths(call, notes);
    let options = QuantizeOptions {
        kind: kind.unwrap_or("Q5_K_M").to_owned(),
        pure,
        imatrix: call.text_of("imatrix"),
        include_weights: weights(call, "include-weights"),
        exclude_weights: weights(call, "exclude-weights"),
        leave_output_tensor: call.switch("leave-output-tensor", notes),
        output_tensor_type,
        token_embedding_type,
        tensor_types,
    };
    Instruction::Quantize(Quantize { from: from.unwrap_or(Origin::Here), src, dest, options })
}

pub(super) fn cmd(call: &Call<'_>, notes: &mut Notes<'_>) -> Instruction {
    let place = call.args.first().map_or(call.statement.place(), |value| value.at);
    let example = r#"CMD ["-m", "model.gguf", "-c", "8192"]"#;
    if call.args.first().is_none_or(|first| !first.text.starts_with('-')) {
        notes.problem(place, "CMD begins with an option of llama-server", example);
    } else if model_of(&call.args, notes).is_none() {
        notes.problem(place, "CMD does not name a model", example);
    }
    let command: Vec<String> = call.args.iter().map(|value| value.text.clone()).collect();
    for wrong in numbers::wrong(&command) {
        notes.problem(call.args[wrong.at].at, wrong.what(), wrong.hint());
    }
    Instruction::Cmd(command)
}

/// The value of `-m`. An option that names a file and has no value is a problem.
fn model_of<'v>(args: &'v [Value], notes: &mut Notes<'_>) -> Option<&'v str> {
    let mut model = None;
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        let named = match arg.text.as_str() {
            "-m" | "--model" => true,
            "-md"
            | "--model-draft"
            | "--mmproj"
            | "--lora"
            | "--lora-scaled"
            | "--control-vector"
            | "--control-vector-scaled" => false,
            _ => continue,
        };
        let Some(value) = args.next() else {
            let hint = format!(r#""{}", "model.gguf""#, arg.text);
            notes.problem(arg.at, format!("`{}` needs a value", arg.text), hint);
            return Some("");
        };
        if named && !value.text.is_empty() {
            model = Some(value.text.as_str());
        }
    }
    model
}

/// The one source and the destination.
fn paths(call: &Call<'_>, notes: &mut Notes<'_>) -> [String; 2] {
    let source = call.sources().first().expect("the form of the instruction was checked");
    if source.text.is_empty() {
        notes.problem(source.at, "the source is empty", "set every variable in it");
    }
    let dest = call.dest(notes);
    if dest.ends_with('/') {
        let at = call.args.last().map_or(0, |value| value.at);
        let name = call.statement.keyword.name();
        let what = format!("{name} writes a file, but `{dest}` is a folder");
        notes.problem(at, what, format!("{dest}model.gguf"));
    }
    [source.text.clone(), dest]
}

const WRITES_NO: &str = "unknown tensor type";

/// The name of a type; a problem when there is none, a warning when it stands for one that is gone.
fn checked(
    value: &Value,
    kind: &str,
    find: fn(&str) -> Result<Type, String>,
    not: &str,
    notes: &mut Notes<'_>,
) -> Option<&'static str> {
    match find(kind) {
        Ok(found) => {
            if found.replaced {
                let name = found.name;
                let message = format!(
                    "llama.cpp no longer has `{kind}`: using {name}, which llama.cpp repacks when \
                    it loads the model"
                );
                notes.warning(value.at, message);
            }
            Some(found.name)
        }
        Err(hint) => {
            notes.problem(value.at, format!("{not} `{kind}`"), hint);
            None
        }
    }
}

/// `pattern=type`, the type as llama.cpp spells it.
fn tensor_type(value: &Value, notes: &mut Notes<'_>) -> Option<String> {
    let Some((pattern, kind)) = value
        .text
        .rsplit_once('=')
        .filter(|(pattern, kind)| !pattern.is_empty() && !kind.is_empty())
    else {
        let what = format!("`{}` is not PATTERN=TYPE", value.text);
        notes.problem(value.at, what, "--tensor-type=attn_q=Q8_0");
        return None;
    };
    let kind = checked(value, kind, types::of_tensor, WRITES_NO, notes)?;
    Some(format!("{pattern}={kind}"))
}

/// What is wrong with the importance matrix.
fn matrix(call: &Call<'_>, kind: &str, pure: bool, notes: &mut Notes<'_>) {
    let there = call.flag("imatrix").is_some();
    let at = |flag| call.flag(flag).map(|value| value.at);
    if types::needs_matrix(kind, pure) && !there {
        let place = at("type").unwrap_or(call.statement.place());
        let what = format!("{kind} needs an importance matrix");
        notes.problem(place, what, "--imatrix=FILE, as llama-imatrix writes it");
    }
    let (include, exclude) = (at("include-weights"), at("exclude-weights"));
    if let (Some(_), Some(exclude)) = (include, exclude) {
        let what = "`--include-weights` and `--exclude-weights` cannot be used together";
        notes.problem(exclude, what, "remove one of them");
    }
    for (flag, place) in [("include", include), ("exclude", exclude)] {
        if let Some(place) = place.filter(|_| !there) {
            let what = format!("`--{flag}-weights` needs an importance matrix");
            notes.problem(place, what, "--imatrix=FILE");
        }
    }
}

/// Names of tensors, with commas or in several flags.
fn weights(call: &Call<'_>, flag: &str) -> Vec<String> {
    let values = call.all(flag).flat_map(|value| value.text.split(','));
    values.map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned).collect()
}
