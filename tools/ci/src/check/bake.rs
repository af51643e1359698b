//! The variants in `docker/docker-bake.hcl`: a block between two marks, which `check --fix` writes.

use anyhow::{Context, Result};

use product::arch::Arch;
use product::variant::Variant;

pub(super) const FILE: &str = "docker/docker-bake.hcl";
const START: &str = "# <variants>\n";
const END: &str = "# </variants>\n";

/// `text` with the variants and platforms of the releases between the marks.
pub(super) fn write(text: &str) -> Result<String> {
    let mark = |mark: &str| format!("no line `{}` in {FILE}", mark.trim());
    let (before, rest) = text.split_once(START).with_context(|| mark(START))?;
    let (_, after) = rest.split_once(END).with_context(|| mark(END))?;
    Ok(format!("{before}{START}{}{END}{after}", functions()))
}

/// Functions, because the environment replaces variables.
fn functions() -> String {
    let platforms = |arches: &[Arch]| list(arches.iter().map(|arch| arch.platform));
    let some = Variant::ALL.map(Variant::row).into_iter().filter(|row| row.arches != Arch::ALL);
    let some = some.map(|row| format!("{} = {}", row.variant, platforms(row.arches)));
    let some: Vec<String> = some.collect();
    [
        function("variants", &list(Variant::ALL.map(Variant::name))),
        function("platforms", &platforms(&Arch::ALL)),
        "# Of the variants that do not have all of them.\n".to_owned(),
        function("platforms_of", &format!("{{ {} }}", some.join(", "))),
    ]
    .concat()
}

fn function(name: &str, result: &str) -> String {
    format!("function \"{name}\" {{\n  params = []\n  result = {result}\n}}\n")
}

fn list<'a>(words: impl IntoIterator<Item = &'a str>) -> String {
    let words: Vec<String> = words.into_iter().map(|word| format!("{word:?}")).collect();
    format!("[{}]", words.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_block_between_the_marks_is_written() {
        let written = write("a\n# <variants>\nold\n# </variants>\nb\n").unwrap();
        assert!(written.starts_with("a\n# <variants>\nfunction \"variants\" {\n"), "{written}");
        assert!(written.ends_with("}\n# </variants>\nb\n"), "{written}");
        assert!(written.contains("cuda = [\"linux/amd64\"]"), "{written}");
        assert!(!written.contains("vulkan ="), "{written}");
        assert_eq!(write(&written).unwrap(), written);
        let error = write("a\n").unwrap_err().to_string();
        assert_eq!(error, "no line `# <variants>` in docker/docker-bake.hcl");
    }
}
