//! llama.cpp's own files of options, `config.ini` and the presets of a router: their lines `key = value`.

/// Key and value of every line that has both, of all sections.
///
/// <https://github.com/ggml-org/llama.cpp/blob/b11549/common/preset.cpp#L154-L236>
pub(crate) fn pairs(text: &str) -> impl Iterator<Item = (&str, &str)> {
    text.lines().filter_map(|line| {
        let (key, value) = line.split_once('=')?;
        // A comment begins anywhere.
        let value = value.split([';', '#']).next()?;
        (!key.contains(['[', ';', '#'])).then(|| (key.trim(), value.trim()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_and_values_without_comments_and_sections() {
        let text = "version = 1\n; model = /no.gguf\n[a=b]\nmodel=/m.gguf # it\n  mmproj =\t/p.gguf\r\n#x=y\n";
        let expected = [("version", "1"), ("model", "/m.gguf"), ("mmproj", "/p.gguf")];
        assert_eq!(pairs(text).collect::<Vec<_>>(), expected);
    }
}
