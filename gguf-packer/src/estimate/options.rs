//! The options for the planner: those of the package's command, then the user's, as today's llama-server takes them,
//! less those that say nothing about memory and name files.

use super::limits;
use crate::Error;
use crate::image::command::{self, DOWNLOADS, Role, Unit, numbers};
use crate::run::compat::{self, Texts};

/// Options that get the draft model from elsewhere, which downloads it.
const DRAFTS: [&str; 2] = ["-hfd", "--hf-repo-draft"];

/// Values of the original that mean that nothing is said.
const UNSAID: [(&str, &str); 3] =
    [("--ctx-size", "-1"), ("--gpu-layers", "-1"), ("--gpu-layers-draft", "-1")];

/// All options. Of the package's command, only those that a server on this machine would get.
pub(super) fn all(command: &[String], user: &[String]) -> Result<Vec<String>, Error> {
    let given: Vec<String> = user.iter().flat_map(|word| split(word)).collect();
    let mut units = command::units(command).into_iter().chain(command::units(&given));
    let downloads = [&DOWNLOADS[..], &DRAFTS[..]].concat();
    if let Some(unit) = units.find(|unit| downloads.contains(&unit.name.as_str())) {
        return Err(Error::usage(format!(
            "`{}` would download the model, which an estimate does not do",
            unit.name
        ))
        .hint("name the model itself: gguf-packer estimate hf://ORG/REPO/FILE.gguf"));
    }
    // The planner reads options as the server does: it would write the log that `--log-file` names.
    let command = command::about_the_model(command).args;
    let all = [without_texts(&command)?, without_texts(&said(&given))?].concat();
    let options = compat::today(&all, &NoTexts)?.args;
    numbers::check(&options)?;
    limits::check(&options)?;
    Ok(options)
}

/// `--option=value` of ours and of the original's, which llama-server takes in two words.
fn split(word: &str) -> Vec<String> {
    match word.split_once('=') {
        Some((option, value))
            if option.starts_with("--")
                && option[2..].bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b)) =>
        {
            vec![option.to_owned(), value.to_owned()]
        }
        _ => vec![word.to_owned()],
    }
}

fn said(words: &[String]) -> Vec<String> {
    let units = command::units(words).into_iter();
    let is_said = |unit: &Unit| {
        let value = unit.given(words).first().map_or("", String::as_str);
        !UNSAID.contains(&(unit.name.as_str(), value))
    };
    let words = |unit: Unit| [&[unit.word(words).clone()], unit.given(words)].concat();
    units.filter(is_said).flat_map(words).collect()
}

/// Without templates, prompts, grammars, keys: the texts of a remote model stayed where it is.
fn without_texts(words: &[String]) -> Result<Vec<String>, Error> {
    let named = command::files(words)?;
    let texts: Vec<usize> = named
        .iter()
        .filter(|named| matches!(named.role, Role::Text | Role::Runtime))
        .map(|named| named.at)
        .collect();
    let kept = words.iter().enumerate();
    let kept = kept.filter(|(at, _)| !texts.contains(at) && !texts.contains(&(at + 1)));
    Ok(kept.map(|(_, word)| word.clone()).collect())
}

/// What asks for a text was left out.
struct NoTexts;

impl Texts for NoTexts {
    fn file(&self, path: &str) -> Result<String, Error> {
        Err(Error::new(format!("cannot read `{path}`: an estimate reads no text files")))
    }

    fn template(&self) -> Result<Option<String>, Error> {
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<String> {
        line.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn a_value_of_the_command_holds_unless_the_user_says_otherwise() {
        let command =
            words("-m /m.gguf -c 8192 -np 2 --system-prompt-file s.txt --flash-attn --no-mmap");
        let all =
            all(&command, &words("-c 4096 --gpu-layers=-1 --ctx-size -1 --chat-template-file x"))
                .unwrap();
        let expected = "-m /m.gguf -c 8192 -np 2 --flash-attn on -c 4096 --load-mode none";
        assert_eq!(all.join(" "), expected);
    }

    #[test]
    fn options_of_two_years_ago_are_those_of_today() {
        let all =
            all(&words("-m /m --lora-scaled a 0.5"), &words("--lora-scaled=b:1 -fa off")).unwrap();
        assert_eq!(all.join(" "), "-m /m --lora-scaled a:0.5,b:1 -fa off");
    }

    #[test]
    fn an_image_makes_the_planner_write_no_file() {
        let command =
            words("-m /m --log-file /etc/x --rpc host:1 --slot-save-path / --unknown -c 1");
        assert_eq!(all(&command, &words("-np 2")).unwrap().join(" "), "-m /m -c 1 -np 2");
    }

    #[test]
    fn a_number_that_llama_server_would_cut_off_is_refused() {
        for (command, user) in [("-m /m -c 32k", ""), ("-m /m", "--ctx-size=32k")] {
            let error = all(&words(command), &words(user)).unwrap_err();
            assert!(error.what().starts_with("invalid value `32k` for "), "{error}");
            assert_eq!(error.exit_code(), 2);
        }
    }

    #[test]
    fn options_may_have_underscores() {
        let given = words("--ctx_size=-1 --batch_size 64 --gpu_layers -1 --flash_attn");
        let all = all(&words("-m /m"), &given).unwrap();
        assert_eq!(all.join(" "), "-m /m --batch-size 64 --flash-attn on");
        let error = super::all(&words("-m /m"), &words("--batch_size 0")).unwrap_err().to_string();
        assert!(error.starts_with("invalid value `0` for --batch-size"), "{error}");
    }

    #[test]
    fn nothing_is_downloaded() {
        for (line, option) in [("-hf org/repo", "-hf"), ("--model_url=https://x", "--model-url")] {
            let error = all(&words("-m /m"), &words(line)).unwrap_err().to_string();
            let expected = format!("`{option}` would download the model");
            assert!(error.starts_with(&expected), "{error}");
        }
        assert!(all(&words("-m /m"), &words("--alias -hf")).is_ok(), "a value is no option");
    }
}
