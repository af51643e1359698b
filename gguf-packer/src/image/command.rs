//! The files that a model's command names: which options of llama-server take one, in today's form and in that
//! of 2024.

use crate::Error;

/// What a named file is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// The model.
    Model,
    /// The small model that guesses ahead.
    Drafter,
    /// The eyes and ears.
    Projector,
    /// A LoRA adapter or a control vector.
    Adapter,
    /// A text: a chat template, a system prompt, a grammar. The image has it.
    Text,
    /// A file that the image may have, or the machine that runs it: keys and certificates.
    Runtime,
}

/// A file that a command names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    /// What it is for.
    pub role: Role,
    /// The option, as it is written.
    pub option: String,
    /// Which argument has the name.
    pub at: usize,
    /// The name.
    pub path: String,
    /// Whether the argument has nothing but this one file, with or without its scale.
    pub alone: bool,
}

/// How an option's argument is written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    /// One name.
    One,
    /// Names with commas between them.
    List,
    /// `NAME:SCALE,…`, or in 2024 `NAME SCALE`.
    Scaled,
}

/// The options by their role.
const OPTIONS: &[(&[&str], Role, Form)] = &[
    (&["-m", "--model"], Role::Model, Form::One),
    (&["-md", "--model-draft", "--spec-draft-model"], Role::Drafter, Form::One),
    (&["-mm", "--mmproj"], Role::Projector, Form::One),
    (&["--lora", "--control-vector"], Role::Adapter, Form::List),
    (&["--lora-scaled", "--control-vector-scaled"], Role::Adapter, Form::Scaled),
    (&["--chat-template-file", "--grammar-file"], Role::Text, Form::One),
    (&["-spf", "-sysf", "--system-prompt-file"], Role::Text, Form::One),
    (&["-jf", "--json-schema-file"], Role::Text, Form::One),
    (&["-lcs", "--lookup-cache-static"], Role::Text, Form::One),
    (&["--ui-config-file", "--webui-config-file"], Role::Text, Form::One),
    (&["--mcp-servers-config", "--models-preset", "--tts-speaker-file"], Role::Text, Form::One),
    (&["-lcd", "--lookup-cache-dynamic"], Role::Runtime, Form::One),
];

/// Options that end with `-file` and name no file of the image.
const OTHER: [&str; 2] = ["--log-file", "--hf-file"];

/// Options that say where the model is, when it is no file of the image.
const ELSEWHERE: [&str; 9] = [
    "-mu",
    "--model-url",
    "-hf",
    "-hfr",
    "--hf-repo",
    "-dr",
    "--docker-repo",
    "--models-dir",
    "--models-preset",
];

/// Options whose argument is a text that may look like an option.
const TEXTS: [&str; 7] = [
    "--chat-template",
    "-a",
    "--alias",
    "--grammar",
    "-j",
    "--json-schema",
    "--chat-template-kwargs",
];

/// The files that `args` name.
///
/// # Errors
/// When an option has no argument.
pub fn files(args: &[String]) -> Result<Vec<Named>, Error> {
    let mut files = Vec::new();
    rename(args, |file| {
        files.push(file.clone());
        Ok(file.path.clone())
    })?;
    Ok(files)
}

/// Whether `args` say where a model is.
#[must_use]
pub fn has_model(args: &[String]) -> bool {
    args.iter().any(|arg| ELSEWHERE.contains(&arg.as_str()))
        || files(args).is_ok_and(|files| files.iter().any(|file| file.role == Role::Model))
}

/// `args` with each file's name replaced by what `to` says.
///
/// # Errors
/// When an option has no argument; whatever `to` says is wrong; all at once.
pub fn rename(
    args: &[String],
    mut to: impl FnMut(&Named) -> Result<String, Error>,
) -> Result<Vec<String>, Error> {
    let (mut renamed, mut errors) = (args.to_vec(), Vec::new());
    let mut at = 0;
    while let Some(option) = args.get(at) {
        at += 1;
        if TEXTS.contains(&option.as_str()) {
            at += 1;
        }
        let Some((role, form)) = taking_file(option) else { continue };
        let Some(argument) = args.get(at) else {
            errors.push(
                Error::new(format!("the option `{option}` needs a file"))
                    .hint(format!("CMD [\"{option}\", \"FILE\"]")),
            );
            break;
        };
        let mut each = |path: &str, alone| {
            let path = path.to_owned();
            to(&Named { role, option: option.clone(), at, path, alone }).map_err(|e| errors.push(e))
        };
        if let Some(new) = rename_argument(argument, form, &mut each) {
            renamed[at] = new;
        }
        at += 1;
        let scale_follows = form == Form::Scaled && scale_of(argument).is_none();
        at += usize::from(scale_follows && args.get(at).is_some_and(|scale| is_scale(scale)));
    }
    if errors.is_empty() { Ok(renamed) } else { Err(Error::all(errors)) }
}

/// `args` without the options whose files have one of `roles`.
#[must_use]
pub fn without(args: &[String], roles: &[Role]) -> Vec<String> {
    let mut gone = Vec::new();
    for file in files(args).unwrap_or_default().iter().filter(|file| roles.contains(&file.role)) {
        gone.extend([file.at - 1, file.at]);
        let scaled = matches!(taking_file(&file.option), Some((_, Form::Scaled)));
        let follows = scaled && scale_of(&args[file.at]).is_none();
        if follows && args.get(file.at + 1).is_some_and(|scale| is_scale(scale)) {
            gone.push(file.at + 1);
        }
    }
    let kept = args.iter().enumerate().filter(|(at, _)| !gone.contains(at));
    kept.map(|(_, arg)| arg.clone()).collect()
}

/// The role and form of an option that takes a file.
fn taking_file(option: &str) -> Option<(Role, Form)> {
    let known = OPTIONS.iter().find(|(names, ..)| names.contains(&option));
    if let Some(&(_, role, form)) = known {
        return Some((role, form));
    }
    let other = option.starts_with('-') && option.ends_with("-file") && !OTHER.contains(&option);
    other.then_some((Role::Runtime, Form::One))
}

fn rename_argument(
    argument: &str,
    form: Form,
    to: &mut impl FnMut(&str, bool) -> Result<String, ()>,
) -> Option<String> {
    let items: Vec<&str> =
        if form == Form::One { vec![argument] } else { argument.split(',').collect() };
    let alone = items.len() == 1;
    let mut renamed = Vec::new();
    for item in items {
        let (path, scale) = match scale_of(item) {
            Some((path, scale)) if form == Form::Scaled => (path, Some(scale)),
            _ => (item, None),
        };
        // An empty argument is as good as none.
        let path = if path.is_empty() { String::new() } else { to(path, alone).ok()? };
        renamed.push(scale.map_or(path.clone(), |scale| format!("{path}:{scale}")));
    }
    Some(renamed.join(","))
}

/// `NAME:SCALE` in its parts.
#[must_use]
pub fn scale_of(item: &str) -> Option<(&str, &str)> {
    item.rsplit_once(':').filter(|(_, scale)| is_scale(scale))
}

fn is_scale(text: &str) -> bool {
    text.parse::<f32>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(line: &str) -> Vec<String> {
        line.split(' ').map(str::to_owned).collect()
    }

    fn named(line: &str) -> Vec<(Role, usize, String)> {
        files(&args(line))
            .unwrap()
            .into_iter()
            .map(|file| (file.role, file.at, file.path))
            .collect()
    }

    #[test]
    fn every_option_with_a_file_is_known() {
        for (options, role) in [
            ("-m --model", Role::Model),
            ("-md --model-draft --spec-draft-model", Role::Drafter),
            ("-mm --mmproj", Role::Projector),
            ("--lora --control-vector --lora-scaled --control-vector-scaled", Role::Adapter),
            ("--chat-template-file -spf -sysf --system-prompt-file --grammar-file -jf", Role::Text),
            ("--api-key-file --ssl-key-file --ssl-cert-file --new-file -lcd", Role::Runtime),
        ] {
            for option in options.split(' ') {
                assert_eq!(
                    named(&format!("-c 1 {option} f")),
                    [(role, 3, "f".to_owned())],
                    "{option}"
                );
            }
        }
        for option in ["--log-file", "--hf-file", "-hff", "-mu", "-hf", "--port", "file"] {
            assert_eq!(named(&format!("{option} f")), [], "{option}");
        }
    }

    #[test]
    fn adapters_have_scales_in_two_forms() {
        let two = [(Role::Adapter, 1, "a".to_owned()), (Role::Adapter, 1, "b".to_owned())];
        assert_eq!(named("--lora a,b"), two);
        assert_eq!(named("--lora-scaled a:0.5,b:-1"), two);
        let old = named("--lora-scaled a 0.5 --lora-scaled b 1 -m m");
        let expected = [(Role::Adapter, 1, "a"), (Role::Adapter, 4, "b"), (Role::Model, 7, "m")];
        assert_eq!(old, expected.map(|(role, at, path)| (role, at, path.to_owned())));
    }

    #[test]
    fn names_are_replaced_and_scales_stay() {
        let line = "-m m --lora a,b --lora-scaled c:0.5,d:2 --control-vector-scaled e 1.5 --chat-template -m -m \
                    n";
        let renamed = rename(&args(line), |file| Ok(format!("/{}", file.path))).unwrap();
        let expected = "-m /m --lora /a,/b --lora-scaled /c:0.5,/d:2 --control-vector-scaled /e 1.5 \
                        --chat-template -m -m /n";
        assert_eq!(renamed.join(" "), expected);
    }

    #[test]
    fn options_go_with_their_files_and_scales() {
        let line = "-md d -m m --lora a,b --lora-scaled c:0.5,d:2 --lora-scaled e 1.5 --temp 1";
        let left = without(&args(line), &[Role::Drafter, Role::Adapter]);
        assert_eq!(left.join(" "), "-m m --temp 1");
    }

    #[test]
    fn all_that_is_wrong_is_told_at_once() {
        let error =
            rename(&args("-m m --mmproj p --lora"), |file| Err(Error::new(file.path.clone())));
        let expected = "m\np\nthe option `--lora` needs a file\n  hint: CMD [\"--lora\", \"FILE\"]";
        assert_eq!(error.unwrap_err().to_string(), expected);
    }

    #[test]
    fn a_model_may_be_elsewhere() {
        assert!(has_model(&args("-m m")));
        assert!(has_model(&args("-hf org/repo")));
        assert!(!has_model(&args("-c 8192 --mmproj p")));
        assert!(!has_model(&[]));
        assert!(!has_model(&["-m".to_owned(), String::new()]));
    }
}
