//! Cards by name or by their memory: what there is to lay a model out on.

use crate::Error;
use crate::image::command::last_value;

use super::planner::Gpu;

/// What is enough for any model.
const UNLIMITED: u64 = 1 << 50;

const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;

/// Where a model is to run.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Cards {
    /// Cards without a limit: as many as the options split the model over, or one.
    #[default]
    Any,
    /// These.
    Made(Vec<Card>),
    /// Those of this machine.
    Here,
    /// None: the processor alone.
    None,
}

/// A card that is made up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Card {
    /// Its memory.
    pub bytes: u64,
    /// Whether it is the processor's too.
    pub unified: bool,
}

/// What the driver reports, in MiB. Sources: `nvidia-smi` as quoted by users
/// (modal-labs/modal-client#2797: H100, A100, A10, L40S, L4, T4; RLinf/RLinf#255: 4090;
/// noonghunna/club-3090#1129 and #1261: 3090, 5090).
const REPORTED: &[(&str, u64)] = &[
    ("h100", 81_559),
    ("a100", 81_920),
    ("a100-80g", 81_920),
    ("a100-40g", 40_960),
    ("a10", 23_028),
    ("l40s", 46_068),
    ("l4", 23_034),
    ("t4", 15_360),
    ("5090", 32_607),
    ("4090", 24_564),
    ("3090", 24_576),
];

/// What the vendors' product pages say (NVIDIA, AMD, Intel), in GB. Taken for 10⁹ bytes, which is a little less than
/// most of these cards have: nobody's figure of what the driver reports was at hand.
const SOLD: &[(&str, u64)] = &[
    ("h200", 141),
    ("b200", 180),
    ("v100", 16),
    ("v100-32g", 32),
    ("l40", 48),
    ("a6000", 48),
    ("6000-ada", 48),
    ("pro-6000", 96),
    ("5080", 16),
    ("5070ti", 16),
    ("5070", 12),
    ("4080", 16),
    ("4070ti", 12),
    ("4070", 12),
    ("4060ti-16g", 16),
    ("4060", 8),
    ("3080", 10),
    ("3060", 12),
    ("mi300x", 192),
    ("mi250x", 128),
    ("mi210", 64),
    ("w7900", 48),
    ("7900xtx", 24),
    ("7900xt", 20),
    ("a770", 16),
    ("b580", 12),
];

/// What is left out of a name.
const MAKERS: [&str; 9] =
    ["nvidia-", "geforce-", "rtx-", "rtx", "gtx-", "amd-", "radeon-", "instinct-", "rx-"];

impl Cards {
    /// What words of `--gpu` say: sizes, names, `here` or `none`.
    ///
    /// # Errors
    /// When one is neither; all at once.
    pub fn named(words: &[String]) -> Result<Self, Error> {
        match words {
            [] => return Ok(Self::Any),
            [word] if word == "here" => return Ok(Self::Here),
            [word] if word == "none" => return Ok(Self::None),
            _ => {}
        }
        let (mut cards, mut errors) = (Vec::new(), Vec::new());
        for word in words {
            match card(word) {
                Ok(card) => cards.push(card),
                Err(error) => errors.push(error),
            }
        }
        if errors.is_empty() { Ok(Self::Made(cards)) } else { Err(Error::all(errors)) }
    }

    /// The planner's cards for `options`, and the options for them: a server of `--rpc` is a card before the others,
    /// and nobody asks it.
    pub(super) fn devices(&self, options: Vec<String>) -> Result<(Vec<Gpu>, Vec<String>), Error> {
        let cards = match self {
            Self::Here | Self::None => return Ok((Vec::new(), options)),
            Self::Made(cards) => cards.clone(),
            Self::Any => {
                let of = |names: &[&str]| {
                    last_value(&options, names).map_or(0, |list| list.split([',', '/']).count())
                };
                let own = of(&["-ts", "--tensor-split"]).saturating_sub(of(&["--rpc"])).max(1);
                vec![Card { bytes: UNLIMITED, unified: false }; own]
            }
        };
        let mut gpus = Vec::new();
        let servers = last_value(&options, &["--rpc"]).map_or(0, |list| list.split(',').count());
        let names = (0..servers).map(|at| (format!("RPC{at}"), cards[0].bytes, false));
        let own = cards.iter().enumerate();
        let own = own.map(|(at, card)| (format!("GPU{at}"), card.bytes, card.unified));
        for (name, bytes, unified) in names.chain(own) {
            gpus.push(Gpu { name, bytes, unified });
        }
        Ok((gpus, without(options, "--rpc")))
    }
}

fn without(mut options: Vec<String>, name: &str) -> Vec<String> {
    while let Some(at) = options.iter().position(|word| word == name) {
        options.drain(at..(at + 2).min(options.len()));
    }
    options
}

fn card(word: &str) -> Result<Card, Error> {
    let known = size(word).map(|bytes| Card { bytes, unified: false });
    known.or_else(|| of_name(word)).ok_or_else(|| unknown(word))
}

/// `24GiB`, `24G`, `80000MiB`.
fn size(word: &str) -> Option<u64> {
    let digits = word.find(|c: char| !c.is_ascii_digit() && c != '.')?;
    let (number, unit) = word.split_at(digits);
    let unit = match unit.trim().to_ascii_lowercase().as_str() {
        "gib" | "g" => GIB as f64,
        "gb" => 1e9,
        "mib" | "m" => MIB as f64,
        "mb" => 1e6,
        "tib" | "t" => (1_u64 << 40) as f64,
        _ => return None,
    };
    let bytes = number.parse::<f64>().ok()? * unit;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "it is in these bounds"
    )]
    (bytes >= MIB as f64 && bytes <= UNLIMITED as f64).then_some(bytes as u64)
}

fn of_name(word: &str) -> Option<Card> {
    let name = plain(word);
    if let Some(memory) = apple(&name) {
        return Some(Card { bytes: memory, unified: true });
    }
    let reported = REPORTED.iter().find(|(known, _)| *known == name);
    let sold = SOLD.iter().find(|(known, _)| *known == name);
    let bytes = reported.map(|(_, mib)| mib * MIB).or(sold.map(|(_, gb)| gb * 1_000_000_000))?;
    Some(Card { bytes, unified: false })
}

/// `apple-m4-32g`: what Metal takes of the memory at most, two thirds, or three quarters from 36 GiB on
/// (`recommendedMaxWorkingSetSize`; 21,845 MiB of 32 GiB in ollama#434, 49,152 of 64 in llama.cpp#1870).
fn apple(name: &str) -> Option<u64> {
    let rest = name.strip_prefix("apple-").unwrap_or(name);
    let (chip, memory) = rest.rsplit_once('-')?;
    let memory: u64 =
        memory.trim_end_matches("gib").trim_end_matches("gb").trim_end_matches('g').parse().ok()?;
    let is_chip =
        chip.strip_prefix('m').is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
    let is_memory = (8..=1024).contains(&memory);
    (is_chip && is_memory)
        .then(|| if memory < 36 { memory * GIB * 2 / 3 } else { memory * GIB * 3 / 4 })
}

/// In lower case, with `-` between its parts, and without its maker.
fn plain(word: &str) -> String {
    let mut name = word.to_ascii_lowercase().replace([' ', '_'], "-");
    for maker in MAKERS {
        name = name.strip_prefix(maker).map_or(name.clone(), str::to_owned);
    }
    name
}

fn unknown(word: &str) -> Error {
    let error = Error::new(format!("unknown GPU `{word}`"));
    if word.parse::<f64>().is_ok() {
        return error.hint(format!("add the unit: --gpu {word}GiB"));
    }
    let name = plain(word);
    let names = REPORTED.iter().chain(SOLD).map(|(known, _)| *known);
    let one_letter = |known: &str| strsim::hamming(known, &name).is_ok_and(|letters| letters <= 1);
    let alike = |known: &str| known.contains(&name) || name.contains(known) || one_letter(known);
    let near: Vec<&str> = names.filter(|known| alike(known)).take(5).collect();
    let error = near.iter().fold(error, |error, near| error.hint(format!("--gpu {near}")));
    error
        .hint("name a Mac with its memory: --gpu apple-m4-32g")
        .hint("or give the memory of the GPU: --gpu 24GiB")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<String> {
        line.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn a_card_is_a_size_or_a_name() {
        for (word, bytes, unified) in [
            ("24GiB", 24 * GIB, false),
            ("24g", 24 * GIB, false),
            ("80GB", 80_000_000_000, false),
            ("1.5GiB", 3 * GIB / 2, false),
            ("h100", 81_559 * MIB, false),
            ("RTX4090", 24_564 * MIB, false),
            ("NVIDIA GeForce RTX 4090", 24_564 * MIB, false),
            ("H200", 141_000_000_000, false),
            ("apple-m4-32g", 32 * GIB * 2 / 3, true),
            ("m2-max-64GB", 48 * GIB, true),
        ] {
            assert_eq!(card(word).unwrap(), Card { bytes, unified }, "{word}");
        }
        assert_eq!(Cards::named(&[]).unwrap(), Cards::Any);
        assert_eq!(Cards::named(&words("here")).unwrap(), Cards::Here);
        assert_eq!(Cards::named(&words("none")).unwrap(), Cards::None);
    }

    #[test]
    fn a_card_that_is_unknown_is_told_with_its_neighbours() {
        let error = Cards::named(&words("h10 24")).unwrap_err().to_string();
        assert!(error.starts_with("unknown GPU `h10`\n"), "{error}");
        let error = card("h10").unwrap_err().to_string();
        assert!(error.contains("hint: --gpu h100"), "{error}");
        let error = card("24").unwrap_err().to_string();
        assert!(error.ends_with("hint: add the unit: --gpu 24GiB"), "{error}");
        assert!(card("0GiB").is_err() && card("apple-m4-3g").is_err() && card("9PiB").is_err());
    }

    #[test]
    fn options_say_how_many_cards_there_are() {
        let (gpus, options) =
            Cards::Any.devices(words("-m x --tensor-split 1,1,2 --rpc a:1")).unwrap();
        let names: Vec<&str> = gpus.iter().map(|gpu| gpu.name.as_str()).collect();
        assert_eq!(names, ["RPC0", "GPU0", "GPU1"]);
        assert_eq!(options, words("-m x --tensor-split 1,1,2"));
        let two = Cards::named(&words("24GiB apple-m4-16g")).unwrap();
        let (gpus, _) = two.devices(words("-m x")).unwrap();
        assert_eq!(gpus[1], Gpu { name: "GPU1".into(), bytes: 16 * GIB * 2 / 3, unified: true });
        assert_eq!(Cards::None.devices(words("-m x")).unwrap(), (Vec::new(), words("-m x")));
    }
}
