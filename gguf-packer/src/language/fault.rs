//! Why a text cannot be expanded, and how much expanding may cost.

/// How much a whole file may cost: bytes written and characters compared.
#[derive(Debug)]
pub(super) struct Budget {
    pub(super) bytes: usize,
    pub(super) steps: usize,
}

impl Default for Budget {
    fn default() -> Self {
        Self { bytes: 16 << 20, steps: 1 << 28 }
    }
}

/// A text that cannot be expanded: where in it, why, and what to write.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) at: usize,
    pub(super) what: String,
    pub(super) hint: String,
}

pub(super) fn fault(at: usize, what: impl Into<String>) -> Fault {
    Fault { at, what: what.into(), hint: r"write ${NAME}, or \$ for a dollar sign".to_owned() }
}

pub(super) fn open_quote(at: usize, quote: char) -> Fault {
    let hint = format!(r"close it, or write \{quote} for a literal {quote}");
    Fault { at, what: format!("this `{quote}` is not closed"), hint }
}

pub(super) fn too_much(at: usize, what: impl Into<String>) -> Fault {
    Fault { at, what: what.into(), hint: "shorten it".to_owned() }
}

pub(super) fn modifier(at: usize, first: char, second: Option<char>) -> Fault {
    let sign: String = std::iter::once(first).chain(second).collect();
    if sign.contains(|c: char| c.is_whitespace() || c.is_control()) {
        return fault(at, "this `${` is not closed");
    }
    let hint = "write ${NAME:-value}; instead of `:-` you can use - + ? # ## % %% / //".to_owned();
    Fault { at, what: format!("unsupported modifier `{sign}` in a substitution"), hint }
}
