//! Quantities as GGUF Packer writes them: `379.38 MiB`, `494.03 M`, `6.35 bpw`.

const BYTES: &[(f64, &str)] = &[
    (1_125_899_906_842_624.0, "PiB"),
    (1_099_511_627_776.0, "TiB"),
    (1_073_741_824.0, "GiB"),
    (1_048_576.0, "MiB"),
    (1_024.0, "KiB"),
];

const NUMBERS: &[(f64, &str)] = &[(1e15, "Q"), (1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "K")];

/// A size, in units of 1,024.
#[must_use]
pub fn bytes(count: u64) -> String {
    match BYTES.iter().find(|(base, _)| count as f64 >= *base) {
        Some((base, unit)) => format!("{} {unit}", two_digits(count as f64 / base)),
        None => format!("{count} B"),
    }
}

/// A number of parameters.
#[must_use]
pub fn parameters(count: u64) -> String {
    match NUMBERS.iter().find(|(base, _)| count as f64 >= *base) {
        Some((base, unit)) => format!("{} {unit}", two_digits(count as f64 / base)),
        // The original leaves a blank where the unit would be; it is of no use to anybody.
        None => count.to_string(),
    }
}

/// Bits per weight.
#[must_use]
pub fn bits_per_weight(bits: f64) -> String {
    if bits <= 0.0 { "0 bpw".to_owned() } else { format!("{bits:.2} bpw") }
}

fn two_digits(value: f64) -> String {
    let text = format!("{value:.2}");
    text.strip_suffix(".00").map_or(text.clone(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_read_as_in_the_document() {
        assert_eq!(bytes(397_808_768), "379.38 MiB");
        assert_eq!(bytes(1_105_954_079), "1.03 GiB");
        assert_eq!(bytes(5 << 20), "5 MiB");
        assert_eq!(bytes(999), "999 B");
        assert_eq!(bytes(0), "0 B");
        assert_eq!(parameters(494_032_768), "494.03 M");
        assert_eq!(parameters(8_030_261_248), "8.03 B");
        assert_eq!(parameters(999), "999");
        assert_eq!(parameters(0), "0");
        assert_eq!(bits_per_weight(6.3519), "6.35 bpw");
        assert_eq!(bits_per_weight(0.0), "0 bpw");
    }
}
