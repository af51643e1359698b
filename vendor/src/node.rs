//! Which Node.js builds the web UI.

/// The oldest version of each line that the pinned Vite takes (`engines` in `tools/ui/package-lock.json`).
pub const OLDEST: &[(u32, u32)] = &[(20, 19), (22, 12)];

/// Whether a version, as (major, minor), is of one of the lines that begin with `oldest`, or came after the last of
/// them.
#[must_use]
pub fn is_new_enough((major, minor): (u32, u32), oldest: &[(u32, u32)]) -> bool {
    oldest.iter().any(|first| major == first.0 && minor >= first.1)
        || oldest.last().is_none_or(|last| major > last.0)
}

/// `20.19 or 22.12`.
#[must_use]
pub fn wanted(oldest: &[(u32, u32)]) -> String {
    let versions = oldest.iter().map(|(major, minor)| format!("{major}.{minor}"));
    versions.collect::<Vec<_>>().join(" or ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vite_takes_two_lines_and_what_came_after_them() {
        for (version, taken) in [
            ((18, 19), false),
            ((20, 18), false),
            ((20, 19), true),
            ((21, 7), false),
            ((22, 11), false),
            ((22, 12), true),
            ((23, 0), true),
            ((24, 19), true),
        ] {
            assert_eq!(is_new_enough(version, OLDEST), taken, "{version:?}");
        }
        assert!(is_new_enough((0, 1), &[]));
        assert_eq!(wanted(OLDEST), "20.19 or 22.12");
    }
}
