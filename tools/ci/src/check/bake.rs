//! The variants in `docker/docker-bake.hcl`: a block between two marks, which `check --fix` writes.

use anyhow::Result;

use product::arch::Arch;
use product::variant::Variant;

use super::written::{self, Written};

/// The file with the variants and platforms of the releases between its marks.
pub(super) fn file() -> Result<Written> {
    written::between("docker/docker-bake.hcl", ["# <variants>", "# </variants>"], &functions())
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
    fn the_variants_and_the_platforms_of_some_are_functions() {
        let text = functions();
        assert!(text.starts_with("function \"variants\" {\n"), "{text}");
        assert!(text.contains("cuda = [\"linux/amd64\"]"), "{text}");
        assert!(!text.contains("vulkan ="), "{text}");
    }
}
