//! `--chmod`: octal permissions, or what `chmod` takes (`u=rwX,go=rX`, `+x`, `g=u`).

use crate::Error;

/// A change of permissions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Mode {
    /// These bits.
    Octal(u32),
    /// One after the other.
    Symbolic(Vec<Change>),
}

/// One operator of a symbolic mode.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Change {
    /// Bits of the users that are meant: `0o700`, `0o070` and `0o007`, together.
    who: u32,
    operator: char,
    /// The letters after the operator.
    letters: String,
}

impl Mode {
    /// Reads the value of `--chmod`.
    pub(crate) fn parse(text: &str) -> Result<Self, Error> {
        let wrong = || {
            Error::new(format!("invalid permissions: `--chmod={text}`"))
                .hint("write octal digits up to 7777, as in `--chmod=644`")
                .hint("or write symbolic permissions, as in `--chmod=u=rwX,go=rX`")
        };
        if text.starts_with(|c: char| c.is_ascii_digit()) {
            let bits = u32::from_str_radix(text, 8).ok().filter(|bits| *bits <= 0o7777);
            return bits.map(Self::Octal).ok_or_else(wrong);
        }
        let mut changes = Vec::new();
        for clause in text.split(',') {
            changes.extend(clause_changes(clause).ok_or_else(wrong)?);
        }
        Ok(Self::Symbolic(changes))
    }

    /// The permissions of something that had `mode`.
    pub(crate) fn apply(&self, mode: u32, folder: bool) -> u32 {
        match self {
            Self::Octal(bits) => *bits,
            Self::Symbolic(changes) => changes.iter().fold(mode, |mode, c| c.apply(mode, folder)),
        }
    }
}

fn clause_changes(clause: &str) -> Option<Vec<Change>> {
    let operators = |c: char| matches!(c, '+' | '-' | '=');
    let start = clause.find(operators)?;
    let mut who = 0;
    for user in clause[..start].chars() {
        who |= match user {
            'u' => 0o700,
            'g' => 0o070,
            'o' => 0o007,
            'a' => 0o777,
            _ => return None,
        };
    }
    let who = if who == 0 { 0o777 } else { who };
    let mut changes = Vec::new();
    let mut rest = &clause[start..];
    while let Some(operator) = rest.chars().next() {
        let letters = &rest[1..];
        let end = letters.find(operators).unwrap_or(letters.len());
        let (letters, after) = letters.split_at(end);
        let copy = matches!(letters, "u" | "g" | "o");
        if !copy && !letters.chars().all(|c| "rwxXst".contains(c)) {
            return None;
        }
        changes.push(Change { who, operator, letters: letters.to_owned() });
        rest = after;
    }
    Some(changes)
}

impl Change {
    fn apply(&self, mode: u32, folder: bool) -> u32 {
        let bits = self.bits(mode, folder);
        match self.operator {
            '+' => mode | bits,
            '-' => mode & !bits,
            _ => (mode & !(self.who | self.special(0o7000))) | bits,
        }
    }

    fn bits(&self, mode: u32, folder: bool) -> u32 {
        let each = |three: u32| (three | three << 3 | three << 6) & self.who;
        match self.letters.as_str() {
            "u" => return each(mode >> 6 & 7),
            "g" => return each(mode >> 3 & 7),
            "o" => return each(mode & 7),
            _ => {}
        }
        self.letters.chars().fold(0, |bits, letter| {
            bits | match letter {
                'r' => each(4),
                'w' => each(2),
                'x' => each(1),
                'X' if folder || mode & 0o111 != 0 => each(1),
                's' => self.special(0o6000),
                't' => self.special(0o1000),
                _ => 0,
            }
        })
    }

    /// Those of the bits above the permissions that belong to the users that are meant.
    fn special(&self, wanted: u32) -> u32 {
        let mut bits = 0;
        for (who, bit) in [(0o700, 0o4000), (0o070, 0o2000), (0o007, 0o1000)] {
            if self.who & who != 0 {
                bits |= bit & wanted;
            }
        }
        bits
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn permissions_change_as_chmod_changes_them() {
        for (text, before, folder, after) in [
            ("644", 0o755, false, 0o644),
            ("0755", 0o600, false, 0o755),
            ("4755", 0o600, false, 0o4755),
            ("u=rwX,go=rX", 0o600, false, 0o644),
            ("u=rwX,go=rX", 0o700, false, 0o755),
            ("u=rwX,go=rX", 0o600, true, 0o755),
            ("+x", 0o644, false, 0o755),
            ("a-w", 0o666, false, 0o444),
            ("go=", 0o777, false, 0o700),
            ("g=u", 0o640, false, 0o660),
            ("u+s,o+t", 0o755, true, 0o5755),
            ("u-s", 0o4755, false, 0o755),
            ("u+w-x", 0o555, false, 0o655),
        ] {
            let mode = Mode::parse(text).expect(text);
            assert_eq!(mode.apply(before, folder), after, "{text}");
        }
    }

    #[test]
    fn what_is_no_permission_is_refused() {
        for text in ["", "8", "77777", "x", "u=q", "z+x", "u=rw,", "rwx"] {
            let error = Mode::parse(text).expect_err(text).to_string();
            assert!(
                error.starts_with(&format!("invalid permissions: `--chmod={text}`\n")),
                "{error}"
            );
        }
    }
}
