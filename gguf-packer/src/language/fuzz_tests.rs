//! No bytes make the language panic, hang, or use much memory.

use std::time::{Duration, Instant};

use super::ignore::Ignore;
use super::{Settings, lint, parse, resolve};

const SAMPLES: [&str; 3] = [
    include_str!("samples/quick-start"),
    concat!(
        include_str!("golden/errors-1"),
        include_str!("golden/errors-2"),
        include_str!("golden/errors-3"),
    ),
    include_str!("samples/everything"),
];

/// Pieces that mean something, to be put anywhere.
const PIECES: [&str; 40] = [
    "\\",
    "`",
    "\"",
    "'",
    "${",
    "}",
    "$",
    "$A",
    "${A:-",
    "${A#",
    "${A%%*",
    "${A//x/",
    "<<EOF",
    "<<-EOF",
    "EOF",
    "<<'E'",
    "\n",
    "\r\n",
    "\t",
    " ",
    "\u{feff}",
    "#",
    "# escape=`\n",
    "# check=skip=all\n",
    "[",
    "[\"",
    "]",
    ",",
    "--",
    "--from=",
    "--type=",
    "--exclude=",
    "ARG ",
    "FROM ",
    "CMD ",
    "COPY ",
    "é",
    "\u{0}",
    "=",
    "*",
];

/// A generator that gives the same numbers each time (Steele, Lea and Flood's SplitMix64).
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % end.max(1) as u64) as usize
    }

    fn place(&mut self, text: &str) -> usize {
        let at = self.below(text.len() + 1);
        (at..=text.len()).find(|at| text.is_char_boundary(*at)).unwrap_or(text.len())
    }

    /// A part of a sample with some changes.
    fn text(&mut self) -> String {
        let sample = SAMPLES[self.below(SAMPLES.len())];
        let (one, other) = (self.place(sample), self.place(sample));
        let whole = self.below(2) == 0;
        let part = if whole { sample } else { &sample[one.min(other)..one.max(other)] };
        let mut text: String = part.chars().take(3000).collect();
        for _ in 0..self.below(6) {
            let (one, other) = (self.place(&text), self.place(&text));
            let (from, end) = (one.min(other), one.max(other));
            let to = (from..=end).rev().find(|to| to - from < 9 && text.is_char_boundary(*to));
            let to = to.unwrap_or(from);
            match self.below(4) {
                0 => text.insert_str(from, PIECES[self.below(PIECES.len())]),
                1 => text.replace_range(from..to, ""),
                2 => {
                    let part = text[from..end].to_owned();
                    text.insert_str(from, &part);
                }
                _ => text = format!("ARG A=x\nFROM scratch\n{text}"),
            }
        }
        text
    }
}

#[test]
fn changed_files_are_read_or_told() {
    let (mut dice, begin, mut good) = (Dice(1), Instant::now(), 0);
    let settings =
        Settings { build_args: [("A".to_owned(), "xy".repeat(9))].into(), ..Settings::default() };
    let ignore = Ignore::of(["*.gguf", "!a*"]).expect("patterns");
    for _ in 0..20_000 {
        let text = dice.text();
        if let Ok(ignore) = Ignore::parse(&text, "I") {
            let _ = ignore.excludes("a/b");
        }
        match parse(&text, "F") {
            Err(errors) => assert!(!errors.to_string().is_empty()),
            Ok(script) => {
                if dice.below(3) == 0 {
                    let _ = lint::lint(&script, &settings, Some(&ignore));
                }
                good += usize::from(resolve(&script, &settings).is_ok());
            }
        }
        assert!(begin.elapsed() < Duration::from_secs(60), "it hangs");
    }
    // Enough of them get all the way through.
    assert!(good > 1000, "{good}");
}

#[test]
fn large_files_take_no_time() {
    let nested = format!("FROM scratch\nCOPY {}x{} y", "${A:-".repeat(50_000), "}".repeat(50_000));
    let grow: String = (0..200).map(|i| format!("ARG V{}=$V{i}$V{i}x\n", i + 1)).collect();
    let grown = grow + "FROM scratch\nCOPY $V20 $V200";
    let chain: String =
        (0..5_000).map(|i| format!("FROM s{i} AS s{}\nARG A{i}=x\n", i + 1)).collect();
    let heredocs = "FROM scratch\n".to_owned() + &"CAT <<A a\n$B\nA\n".repeat(3_000);
    let stars = format!(
        "ARG V={}\nFROM scratch\nCOPY ${{V//{}b/c}} x",
        "a".repeat(500_000),
        "a*".repeat(500)
    );
    let quotes = "FROM scratch\nCOPY ".to_owned() + &"\"'".repeat(500_000);
    let lines = "FROM scratch\n".repeat(50_000);
    let wrong = "FROM scratch\n".to_owned() + &"COPY ${A:?no} $B\n".repeat(9_000);
    let unknown = "RUN x\n".repeat(9_000);
    let wide = format!("FROM scratch\nCOPY {} ./", "$A ".repeat(300_000));
    let flags = format!("FROM scratch\nCOPY {} a b", "--x ".repeat(200_000));
    let marks =
        format!("FROM scratch\nCOPY {} b\n{}", "<<A ".repeat(100_000), "A\n".repeat(100_000));
    let added = format!("FROM scratch\nADD {} b/", "a.gguf ".repeat(100_000));
    let chain = chain.replacen("s0", "scratch", 1);
    let ignore = Ignore::of(["*.gguf"]).expect("patterns");
    for text in [
        nested, grown, chain, heredocs, stars, quotes, lines, wrong, unknown, wide, flags, marks,
        added,
    ] {
        let begin = Instant::now();
        if let Ok(script) = parse(&text, "F") {
            let _ = lint::lint(&script, &Settings::default(), Some(&ignore));
            let _ = resolve(&script, &Settings::default());
        }
        // Less than a second where nobody else computes; the bound is for those who share.
        assert!(begin.elapsed() < Duration::from_secs(20), "{:?}: {:.80}", begin.elapsed(), text);
    }
    let long = " ".repeat((1 << 20) + 1);
    let told = parse(&long, "F").expect_err("too long").to_string();
    assert!(
        told.starts_with(
            "F:1:1: the file is larger than 1 MiB, which is too large for a \
        GGUFPackerfile"
        ),
        "{told}"
    );
}
