//! Numbers with which llama.cpp would end in a failed assertion, told before it is asked.

use std::ops::RangeInclusive;

use crate::Error;
use crate::image::command::{last_value, units};

/// An option of a size.
struct Limit {
    /// Its names, the long one last.
    names: [&'static str; 2],
    allowed: RangeInclusive<i64>,
    /// What to type instead.
    hint: &'static str,
}

/// The sizes of llama.cpp are `int32_t`.
const MOST: i64 = i32::MAX as i64;

/// `LLAMA_MAX_SEQ`.
const MOST_SEQUENCES: i64 = 256;

const LIMITS: [Limit; 4] = [
    limit(
        ["-c", "--ctx-size"],
        0..=MOST,
        "--ctx-size 8192, or --ctx-size 0 for as many tokens as the model was trained with",
    ),
    limit(["-b", "--batch-size"], 1..=MOST, "the default: --batch-size 2048"),
    limit(["-ub", "--ubatch-size"], 1..=MOST, "the default: --ubatch-size 512"),
    limit(["-np", "--parallel"], 1..=MOST_SEQUENCES, "--parallel 4"),
];

const fn limit(
    names: [&'static str; 2],
    allowed: RangeInclusive<i64>,
    hint: &'static str,
) -> Limit {
    Limit { names, allowed, hint }
}

/// Sequences unless options say how many, as llama-server has them.
const SEQUENCES: i64 = 4;

/// Refuses sizes that no context can have; all at once.
pub(super) fn check(options: &[String]) -> Result<(), Error> {
    let refusals = units(options).into_iter().filter_map(|unit| {
        let limit = LIMITS.iter().find(|limit| limit.names.contains(&unit.name.as_str()))?;
        let value = unit.given(options).first()?;
        // What is no number was refused before.
        let number: i128 = value.parse().ok()?;
        let automatic = limit.names[1] == "--parallel" && number == -1;
        let is_good = i64::try_from(number).is_ok_and(|number| limit.allowed.contains(&number));
        (!automatic && !is_good).then(|| refused(limit, value))
    });
    let mut wrong: Vec<Error> = refusals.collect();
    wrong.extend(small_batch(options).filter(|_| wrong.is_empty()));
    if wrong.is_empty() { Ok(()) } else { Err(Error::all(wrong)) }
}

/// A batch has a token of each sequence.
fn small_batch(options: &[String]) -> Option<Error> {
    let last = |limit: &Limit| last_value(options, &limit.names)?.parse::<i64>().ok();
    let [_, batch, _, parallel] = &LIMITS;
    let parallel = last(parallel).filter(|number| *number > 0).unwrap_or(SEQUENCES);
    let batch = last(batch).filter(|batch| *batch < parallel)?;
    let text = format!("--batch-size {batch} is too small for {parallel} sequences (--parallel)");
    Some(Error::usage(text).hint(format!("--batch-size {parallel}, or --parallel 1")))
}

fn refused(limit: &Limit, value: &str) -> Error {
    let Limit { names: [_, name], allowed, hint } = limit;
    let (least, most) = (allowed.start(), allowed.end());
    Error::usage(format!("invalid value `{value}` for {name}: it must be from {least} to {most}"))
        .hint(*hint)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(line: &str) -> String {
        let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        check(&words).map_or_else(|error| error.to_string(), |()| String::new())
    }

    #[test]
    fn sizes_with_which_llama_cpp_would_crash_are_refused() {
        let error = told("-m x --ctx-size -5 -b 0 -ub 9999999999");
        let expected = "invalid value `-5` for --ctx-size: it must be from 0 to 2147483647\n  \
            hint: --ctx-size 8192, or --ctx-size 0 for as many tokens as the model was trained with\n";
        assert!(error.starts_with(expected), "{error}");
        for other in ["`0` for --batch-size: it must be from 1 ", "`9999999999` for --ubatch-size"]
        {
            assert!(error.contains(other), "{error}");
        }
        for wrong in ["-c -1", "--batch-size -1", "-np 0", "--parallel 257", "--parallel -2"] {
            assert!(told(wrong).starts_with("invalid value "), "{wrong}");
        }
        let expected = "--batch-size 2 is too small for 4 sequences (--parallel)\n  \
            hint: --batch-size 4, or --parallel 1";
        assert_eq!(told("-b 2").trim_end(), expected);
        assert!(told("-np 16 --batch-size 64 -b 8").contains(" 8 is too small for 16 sequences"));
        assert_eq!(told("-b 1 -np 1"), "");
        assert_eq!(told("-c 0 --batch-size 256 -ub 512 -np -1 --parallel 256 --ctx-size x"), "");
    }
}
