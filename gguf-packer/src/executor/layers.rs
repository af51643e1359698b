//! Entries become layers: one for each file of weights, so that shards travel side by side, and one below
//! them for everything else.

use crate::Error;
use crate::tree::{Entry, Kind, is_below};

use super::backend::Build;
use super::output::BuiltLayer;

/// The layers of `entries`, which `text` made; tells whether all were there.
pub(super) fn build(
    Build { run, backend }: Build<'_>,
    text: &str,
    entries: Vec<Entry>,
) -> Result<(Vec<BuiltLayer>, bool), Error> {
    let (mut layers, mut cached) = (Vec::new(), true);
    for entries in split(entries) {
        run.go_on()?;
        let made = backend.layer(run, text, &entries)?;
        cached &= made.cached;
        let created = run.settings.source_date.unwrap_or(made.created);
        layers.push(BuiltLayer { layer: made.layer, created_by: text.to_owned(), created });
    }
    Ok((layers, cached))
}

/// One list of entries for each layer, folders with what is in them.
fn split(entries: Vec<Entry>) -> Vec<Vec<Entry>> {
    let weights: Vec<Entry> = entries.iter().filter(|entry| is_weights(entry)).cloned().collect();
    if weights.is_empty() {
        return if entries.is_empty() { Vec::new() } else { vec![entries] };
    }
    let above = |path: &str| {
        let is_above = |entry: &&Entry| entry.kind == Kind::Folder && is_below(path, &entry.path);
        entries.iter().filter(is_above).cloned().collect::<Vec<_>>()
    };
    let mut layers: Vec<Vec<Entry>> = weights
        .iter()
        .map(|file| {
            let mut layer = above(&file.path);
            layer.push(file.clone());
            layer
        })
        .collect();
    let only_above = |entry: &Entry| {
        entry.kind == Kind::Folder && weights.iter().any(|file| is_below(&file.path, &entry.path))
    };
    let rest: Vec<Entry> = entries.into_iter().filter(|entry| !is_weights(entry)).collect();
    if !rest.iter().all(only_above) {
        layers.insert(0, rest);
    }
    layers
}

/// Whether a file is one of weights.
fn is_weights(entry: &Entry) -> bool {
    let name = entry.path.to_ascii_lowercase();
    matches!(entry.kind, Kind::File { .. })
        && [".gguf", ".safetensors"].iter().any(|end| name.ends_with(end))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::executor::copy::files::tests::entry;

    fn layers(lines: &[&str]) -> Vec<String> {
        let entries = lines.iter().map(|line| entry(line)).collect();
        let paths = |layer: Vec<Entry>| {
            layer.into_iter().map(|entry| entry.path).collect::<Vec<_>>().join(" ")
        };
        split(entries).into_iter().map(paths).collect()
    }

    #[test]
    fn each_file_of_weights_has_its_layer() {
        assert_eq!(layers(&["m/", "m/a.gguf"]), ["m m/a.gguf"]);
        let all = ["m/", "m/a.gguf", "m/b.safetensors", "m/config.json", "m/s/", "m/s/c.GGUF"];
        assert_eq!(
            layers(&all),
            ["m m/config.json m/s", "m m/a.gguf", "m m/b.safetensors", "m m/s m/s/c.GGUF"]
        );
        assert_eq!(layers(&["m/", "m/x.txt", "m/y.txt"]), ["m m/x.txt m/y.txt"]);
        assert_eq!(layers(&["m/", "m/l.gguf->a.gguf"]), ["m m/l.gguf"], "a link has no weight");
        assert_eq!(layers(&["m/", "m/empty/", "m/a.gguf"]), ["m m/empty", "m m/a.gguf"]);
        assert_eq!(layers(&["m/"]), ["m"], "an empty folder is something");
        assert_eq!(layers(&[]), [""; 0]);
    }
}
