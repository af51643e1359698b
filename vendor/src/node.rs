//! Which Node.js builds the web UI.

/// The versions that the pinned Vite takes (`engines` in `tools/ui/package-lock.json`).
pub const WANTED: &str = "20.19 or 22.12";

/// Whether Vite takes this version, as (major, minor).
#[must_use]
pub fn is_new_enough((major, minor): (u32, u32)) -> bool {
    (major == 20 && minor >= 19) || (major == 22 && minor >= 12) || major > 22
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
            assert_eq!(is_new_enough(version), taken, "{version:?}");
        }
    }
}
