//! Points in time as documents and versions write them, in seconds since 1970.

use std::time::{Duration, UNIX_EPOCH};

/// RFC 3339 in UTC.
pub fn rfc3339(seconds: u64) -> String {
    humantime::format_rfc3339_seconds(UNIX_EPOCH + Duration::from_secs(seconds)).to_string()
}

/// `yymmddhhmm` in UTC.
pub fn yymmddhhmm(seconds: u64) -> String {
    let digits: String = rfc3339(seconds).chars().filter(char::is_ascii_digit).collect();
    digits[2..12].to_owned()
}

/// The seconds of `yymmddhhmm`, if there is such a minute.
pub fn parse_yymmddhhmm(text: &str) -> Option<u64> {
    let parts: Vec<&str> = (0..10).step_by(2).filter_map(|at| text.get(at..at + 2)).collect();
    let [year, month, day, hour, minute] = parts[..] else { return None };
    if text.len() != 10 {
        return None;
    }
    parse_rfc3339(&format!("20{year}-{month}-{day}T{hour}:{minute}:00Z"))
}

/// The seconds of RFC 3339 in UTC, without their fraction.
pub fn parse_rfc3339(text: &str) -> Option<u64> {
    let time = humantime::parse_rfc3339(text).ok()?;
    time.duration_since(UNIX_EPOCH).ok().map(|since| since.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_those_of_the_calendar() {
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_399, "2000-02-28T23:59:59Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (951_868_800, "2000-03-01T00:00:00Z"),
            (1_735_689_599, "2024-12-31T23:59:59Z"),
            (1_800_000_000, "2027-01-15T08:00:00Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
        ] {
            assert_eq!(rfc3339(seconds), text);
        }
    }
    #[test]
    fn minutes_are_read_as_they_are_written() {
        for (text, seconds) in [
            ("2508201420", 1_755_699_600),
            ("0001010000", 946_684_800),
            ("2402292359", 1_709_251_140),
        ] {
            assert_eq!(parse_yymmddhhmm(text), Some(seconds));
            assert_eq!(yymmddhhmm(seconds), text);
        }
        for wrong in [
            "",
            "250820142",
            "25082014200",
            "2513201420",
            "2508322420",
            "25o8201420",
            "2502311200",
            "2502291200",
            "25082014é",
            "+508201420",
        ] {
            assert_eq!(parse_yymmddhhmm(wrong), None, "{wrong}");
        }
    }
}
