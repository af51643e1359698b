//! Whether a text has the form of an image's name. What it names is for the registry to say.

/// Whether `text` is `[host[:port]/]path[:tag][@algorithm:hex]`, or has a scheme, as `hf://` has.
pub(super) fn is_reference(text: &str) -> bool {
    if let Some((scheme, rest)) = text.split_once("://") {
        let good = |c: char| c.is_ascii_alphanumeric() || c == '+';
        return !scheme.is_empty() && scheme.chars().all(good) && !rest.is_empty();
    }
    let (rest, digest) = match text.split_once('@') {
        Some((rest, digest)) => (rest, Some(digest)),
        None => (text, None),
    };
    let (name, tag) = match rest.rsplit_once(':') {
        Some((name, tag)) if !tag.contains('/') => (name, Some(tag)),
        _ => (rest, None),
    };
    digest.is_none_or(is_digest) && tag.is_none_or(is_tag) && is_name(name)
}

fn is_name(name: &str) -> bool {
    let path = match name.split_once('/') {
        Some((host, path)) if is_host(host) => path,
        _ => name,
    };
    name.len() <= 255 && path.split('/').all(is_component)
}

/// A first part with a dot, a port or an upper-case letter is a host, and `localhost` is.
fn is_host(part: &str) -> bool {
    let (host, port) = part.split_once(':').map_or((part, None), |(host, port)| (host, Some(port)));
    let marked = part.contains(['.', ':']) || part == "localhost" || part != part.to_lowercase();
    let good = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '.';
    let digits = |port: &str| !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit());
    marked && !host.is_empty() && host.chars().all(good) && port.is_none_or(digits)
}

/// Letters and digits, parted by `.`, `_`, `__` or dashes.
fn is_component(part: &str) -> bool {
    let word = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let parted = |gap: &str| matches!(gap, "." | "_" | "__") || gap.bytes().all(|b| b == b'-');
    part.starts_with(word)
        && part.ends_with(word)
        && part.split(word).filter(|gap| !gap.is_empty()).all(parted)
}

fn is_tag(tag: &str) -> bool {
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    (1..=128).contains(&tag.len())
        && tag.starts_with(word)
        && tag.chars().all(|c| word(c) || c == '.' || c == '-')
}

fn is_digest(digest: &str) -> bool {
    let (algorithm, hex) = digest.split_once(':').unwrap_or_default();
    let good = |c: char| c.is_ascii_alphanumeric() || "+._-".contains(c);
    algorithm.starts_with(|c: char| c.is_ascii_alphabetic())
        && algorithm.chars().all(good)
        && hex.len() >= 32
        && hex.bytes().all(|b| b.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "alpine a/b a/b:c localhost:5000/a r.example/a/b-c_d.e:v1 localhost/a Host/a \
        a@sha256:0123456789abcdef0123456789abcdef hf://Org/Repo:Q4_K_M a__b a---b 1 r:5/x";
    const BAD: &str =
        "/a a/ a//b A a: a:b:c a@b a..b a___b -a a- r.example/ a:-b hf:// é a@sha256:00";

    #[test]
    fn names_of_images_have_a_form() {
        for good in GOOD.split_whitespace() {
            assert!(is_reference(good), "{good}");
        }
        for bad in BAD.split_whitespace().chain(["", "a b"]) {
            assert!(!is_reference(bad), "{bad}");
        }
    }
}
