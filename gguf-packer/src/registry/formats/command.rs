//! The arguments that name the weights among a model's files.

use crate::Error;

/// `--model` and `--mmproj` for these paths below `folder`; the first model when there are several, which
/// the second value says.
pub(in crate::registry) fn weights(
    folder: &str,
    paths: &[&str],
) -> Result<(Vec<String>, Vec<String>), Error> {
    let mut models: Vec<&str> = Vec::new();
    let mut projectors: Vec<&str> = Vec::new();
    for path in paths.iter().filter(|path| path.ends_with(".gguf")) {
        match (is_projector(path), shard(path)) {
            // The first shard names the others.
            (_, Some((_, number))) if number != 1 => {}
            (true, _) => projectors.push(path),
            (false, _) => models.push(path),
        }
    }
    models.sort_unstable();
    projectors.sort_unstable();
    let model = models.first().ok_or_else(|| Error::new("it contains no GGUF model"))?;
    let full = |path: &str| format!("{folder}/{path}");
    let mut arguments = vec!["-m".to_owned(), full(model)];
    // The most exact one, when there are several.
    let exact = ["f32", "bf16", "f16", "q8_0"];
    let rank = |path: &&&str| {
        let name = path.to_ascii_lowercase();
        exact.iter().position(|kind| name.contains(kind)).unwrap_or(exact.len())
    };
    if let Some(projector) = projectors.iter().min_by_key(rank) {
        arguments.extend(["--mmproj".to_owned(), full(projector)]);
    }
    Ok((arguments, models[1..].iter().map(|path| (*path).to_owned()).collect()))
}

pub(super) fn is_projector(path: &str) -> bool {
    path.rsplit('/').next().unwrap_or(path).to_ascii_lowercase().contains("mmproj")
}

/// The name that the shards of a model share, and which of them this is.
pub(super) fn shard(path: &str) -> Option<(&str, u32)> {
    let stem = path.strip_suffix(".gguf")?;
    let (rest, count) = stem.rsplit_once("-of-")?;
    let (name, number) = rest.rsplit_once('-')?;
    let digits = |text: &str| text.len() == 5 && text.bytes().all(|byte| byte.is_ascii_digit());
    (digits(count) && digits(number)).then(|| (name, number.parse().unwrap_or(0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_shard_and_the_best_projector_are_named() {
        let paths = [
            "q/m-00002-of-00002.gguf",
            "q/m-00001-of-00002.gguf",
            "mmproj-q8_0.gguf",
            "mmproj-F16.gguf",
            "README.md",
        ];
        let (arguments, others) = weights("/models", &paths).unwrap();
        let expected =
            ["-m", "/models/q/m-00001-of-00002.gguf", "--mmproj", "/models/mmproj-F16.gguf"];
        assert_eq!(arguments, expected);
        assert_eq!(others, Vec::<String>::new());
        let (arguments, others) = weights("", &["b.gguf", "a.gguf"]).unwrap();
        assert_eq!(
            (arguments, others),
            (vec!["-m".to_owned(), "/a.gguf".to_owned()], vec!["b.gguf".to_owned()])
        );
        let error = weights("", &["a.safetensors", "mmproj.gguf"]).unwrap_err().to_string();
        assert_eq!(error, "it contains no GGUF model");
    }
}
