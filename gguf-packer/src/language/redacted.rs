//! The instructions of a file as they are written, without what may be secret in them: for the provenance of an
//! image, which anybody may read.

use llama_server_bin::secret;

use super::Script;
use super::keyword::Keyword;

impl Script {
    /// One line for each instruction. Variables keep their names; the values that an `ARG` gives and the texts of
    /// heredocs are left out.
    #[must_use]
    pub fn redacted(&self) -> Vec<String> {
        let line = |statement: &super::statement::Statement| match statement.keyword {
            Keyword::Arg => {
                let names = statement.args.iter().map(|word| name(&word.text));
                let names: Vec<&str> = names.collect();
                format!("ARG {}", names.join(" "))
            }
            // The server's keys are words of it.
            Keyword::Cmd => {
                let words: Vec<&str> = statement.args.iter().map(|w| w.text.as_str()).collect();
                let shown = secret::shown(&words);
                let shown: Vec<_> = shown.iter().map(|word| word.to_string_lossy()).collect();
                format!("CMD {}", serde_json::to_string(&shown).expect("texts are JSON"))
            }
            _ => statement.line.text.split_whitespace().collect::<Vec<_>>().join(" "),
        };
        self.statements.iter().map(line).collect()
    }
}

fn name(word: &str) -> &str {
    word.split_once('=').map_or(word, |(name, _)| name)
}

#[cfg(test)]
mod tests {
    use crate::language::parse;

    #[test]
    fn values_of_arguments_and_texts_are_left_out() {
        let text = "# syntax=x\nARG TOKEN=hf_secret KIND\nFROM scratch\nARG KIND=Q4_K_M\n\
                    ADD https://h/${TOKEN}/m.gguf \\\n  m.gguf\nCAT <<EOF p.txt\nsecret words\nEOF\n\
                    CMD [\"-m\", \"m.gguf\", \"--api-key\", \"sesame\"]\n";
        let expected = [
            "ARG TOKEN KIND",
            "FROM scratch",
            "ARG KIND",
            "ADD https://h/${TOKEN}/m.gguf m.gguf",
            "CAT <<EOF p.txt",
            "CMD [\"-m\",\"m.gguf\",\"--api-key\",\"***\"]",
        ];
        assert_eq!(parse(text, "GGUFPackerfile").unwrap().redacted(), expected);
    }
}
