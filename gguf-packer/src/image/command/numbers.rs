//! Values that should be whole numbers. Upstream's llama-server takes the digits before the first other character, so a
//! context of `32k` has 32 tokens; ours ends when it is started (`vendor/patches/0068`).

use super::options::Takes;
use super::units;
use crate::Error;

/// Refuses such values of `args`; all at once.
///
/// # Errors
/// When an option that takes a whole number has another value.
pub(crate) fn check(args: &[String]) -> Result<(), Error> {
    let wrong: Vec<Error> = wrong(args).map(Wrong::error).collect();
    if wrong.is_empty() { Ok(()) } else { Err(Error::all(wrong)) }
}

/// An option whose value is no whole number.
pub(crate) struct Wrong {
    /// Which argument the value is.
    pub(crate) at: usize,
    name: String,
    value: String,
}

/// All of them.
pub(crate) fn wrong(args: &[String]) -> impl Iterator<Item = Wrong> {
    let numbers = units(args)
        .into_iter()
        .filter(|unit| unit.known.is_some_and(|known| known.takes == Takes::Number));
    numbers.filter_map(|unit| {
        let (at, value) = (unit.at + 1, args.get(unit.at + 1)?.clone());
        value.parse::<i128>().is_err().then_some(Wrong { at, name: unit.name, value })
    })
}

impl Wrong {
    /// What is wrong.
    pub(crate) fn what(&self) -> String {
        let Self { name, value, .. } = self;
        format!("invalid value `{value}` for {name}: it takes a whole number")
    }

    /// What to type.
    pub(crate) fn hint(&self) -> String {
        match meant(&self.value) {
            Some(number) => format!("{} {number}", self.name),
            None => format!("{} N, with digits only", self.name),
        }
    }

    fn error(self) -> Error {
        Error::usage(self.what()).hint(self.hint())
    }
}

/// The number that `32k`, `8,192`, `1e5` or `4.0` stand for.
fn meant(value: &str) -> Option<i64> {
    let plain = value.replace([',', '_'], "");
    let (digits, times) = match plain.to_ascii_lowercase().strip_suffix(['k', 'm']) {
        Some(digits) if plain.ends_with(['k', 'K']) => (digits.to_owned(), 1 << 10),
        Some(digits) => (digits.to_owned(), 1 << 20),
        None => (plain, 1),
    };
    let number = digits.parse::<f64>().ok()? * f64::from(times);
    // Larger ones are no sizes of anything.
    let is_whole = number.fract() == 0.0 && number.abs() < f64::from(i32::MAX);
    #[expect(clippy::cast_possible_truncation, reason = "it is whole and fits")]
    is_whole.then_some(number as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(line: &str) -> String {
        let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        check(&words).map_or_else(|error| error.to_string(), |()| String::new())
    }

    #[test]
    fn a_number_that_llama_server_would_cut_off_is_refused() {
        let expected = "invalid value `32k` for --ctx-size: it takes a whole number\n  \
            hint: --ctx-size 32768";
        assert_eq!(told("-m x --ctx-size 32k"), expected);
        for (line, hint) in [
            ("-c 8,192", "-c 8192"),
            ("-b 1e5", "-b 100000"),
            ("-np 4.0", "-np 4"),
            ("--ctx_size 1M", "--ctx-size 1048576"),
            ("-np 2x", "-np N, with digits only"),
        ] {
            assert!(told(line).ends_with(&format!("hint: {hint}")), "{}", told(line));
        }
        assert_eq!(told("-c 1k -b 2k").matches("invalid value").count(), 2);
    }

    #[test]
    fn other_values_pass() {
        assert_eq!(told("-c 8192 -n -1 -ngl all --temp 0.5 --unknown 1k -np +2 -c"), "");
    }
}
