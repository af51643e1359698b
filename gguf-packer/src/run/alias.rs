//! The name by which clients know a model. Without one llama-server shows the path of its file, which is the same for
//! many images.

use super::target::Target;
use crate::image::command;
use crate::reference::{Name, is_id};

/// `--alias NAME` with the name of the image, without its registry and version. Nothing if `args` give a name
/// themselves, or the model is a file.
pub(super) fn of(target: &Target, args: &[String]) -> Vec<String> {
    let is_named = command::units(args).iter().any(|unit| matches!(&*unit.name, "-a" | "--alias"));
    let name = target.name.as_deref().filter(|_| !is_named);
    let name = name.filter(|name| !is_id(name)).and_then(|name| name.parse::<Name>().ok());
    let alias = name.map(|name| {
        let repository = name.repository();
        repository.strip_prefix("library/").unwrap_or(repository).to_owned()
    });
    alias.into_iter().flat_map(|alias| ["--alias".to_owned(), alias]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alias(name: Option<&str>, line: &str) -> String {
        let target = Target {
            command: Vec::new(),
            folder: "/".into(),
            mark: String::new(),
            name: name.map(str::to_owned),
            size: 0,
        };
        let args: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        of(&target, &args).join(" ")
    }

    #[test]
    fn a_model_has_the_name_of_its_image() {
        for (name, expected) in [
            ("registry.example:5000/team/qwen2:0.5b", "--alias team/qwen2"),
            ("docker.io/library/demo:1", "--alias demo"),
            ("localhost/library/demo:1", "--alias demo"),
            ("hf.co/org/Model-GGUF:Q4_K_M", "--alias org/Model-GGUF"),
            ("no name at all", ""),
            ("sha256:849d47ebb4a9", ""),
        ] {
            assert_eq!(alias(Some(name), "-m /models/m.gguf"), expected);
        }
        assert_eq!(alias(None, "-m m.gguf"), "");
    }

    #[test]
    fn a_name_that_is_given_stays_the_only_one() {
        for line in ["-m m --alias chat", "-a chat -m m"] {
            assert_eq!(alias(Some("demo:1"), line), "");
        }
        // The value of another option is no name.
        assert_eq!(alias(Some("demo:1"), "-m m --chat-template --alias"), "--alias demo");
    }
}
