//! Flags as the manifest has them: with names for the folders of the machine that built, which tell strangers nothing.

use std::collections::BTreeMap;
use std::path::PathBuf;

use llama_build::FlagSet;

use workspace::cargo;

/// The definitions in `flags`. Packagers' `CFLAGS` have the folder of the source in them: `-ffile-prefix-map=/build=.`
pub(crate) fn by_name(flags: &FlagSet) -> BTreeMap<String, String> {
    let folders = [
        (cargo::toolkits(), "$TOOLKITS"),
        (cargo::target_dir(), "$CARGO_TARGET_DIR"),
        (cargo::home(), "$CARGO_HOME"),
        (cargo::root(), "$PWD"),
    ];
    flags.iter().map(|(name, value)| (name.to_owned(), portable(value, &folders))).collect()
}

/// `value` with names for `folders`; one that lies in another comes before it.
fn portable(value: &str, folders: &[(PathBuf, &str)]) -> String {
    let known = folders.iter().filter(|(folder, _)| folder.parent().is_some());
    known.fold(value.to_owned(), |value, (folder, name)| {
        value.replace(&folder.display().to_string(), name)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_of_the_machine_get_names() {
        let folders = |paths: [&str; 2]| {
            let [inner, outer] = paths.map(PathBuf::from);
            [(inner, "$CARGO_TARGET_DIR"), (outer, "$PWD")]
        };
        let flags = "-O2 -ffile-prefix-map=/build/x=. -I/build/x/target/include";
        assert_eq!(
            portable(flags, &folders(["/build/x/target", "/build/x"])),
            "-O2 -ffile-prefix-map=$PWD=. -I$CARGO_TARGET_DIR/include"
        );
        // Of a container that builds at its top everything is in that folder.
        assert_eq!(portable(flags, &folders(["/elsewhere", "/"])), flags);
    }
}
