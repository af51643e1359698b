//! What an image stands on: when it was made, as this machine's engine or a registry knows it.

use serde::Deserialize;
use serde_json::Value;

use super::engine::docker;
use product::identity;

/// Seconds since 1970 by which `image` was there, rounded up to a minute; `None` where neither the engine nor a
/// registry knows it.
pub(super) fn made(image: &str) -> Option<u64> {
    let here = docker(["image", "inspect", "--format", "{{.Created}}"]).arg(image).read();
    let there = || {
        let inspect = docker(["buildx", "imagetools", "inspect", "--format", "{{json .Image}}"]);
        let answer = inspect.arg(image).read().ok()?;
        serde_json::from_str(&answer).ok().and_then(|answer| newest(&answer))
    };
    here.ok().and_then(|time| minute_after(time.trim())).or_else(there)
}

#[derive(Debug, Deserialize)]
struct Config {
    created: String,
}

/// Of the configuration of an image, or of one for each platform.
fn newest(answer: &Value) -> Option<u64> {
    let created = |config: &Value| {
        let config = Config::deserialize(config).ok()?;
        minute_after(&config.created)
    };
    let platforms = answer.as_object().into_iter().flat_map(|platforms| platforms.values());
    created(answer).or_else(|| platforms.filter_map(created).max())
}

/// Of RFC 3339 in UTC, as in `2025-08-20T14:20:05.5Z`.
fn minute_after(time: &str) -> Option<u64> {
    let minute = time.ends_with('Z').then(|| time.get(2..16))??;
    let digits: String = minute.chars().filter(char::is_ascii_digit).collect();
    Some(identity::epoch(&digits)? + 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_those_of_the_next_minute() {
        assert_eq!(minute_after("2025-08-20T14:20:05.123456789Z"), Some(1_755_699_660));
        assert_eq!(minute_after("2025-08-20T14:20:00+02:00"), None);
        assert_eq!(minute_after(""), None);
    }

    #[test]
    fn of_several_platforms_the_last_one_counts() {
        let one = serde_json::json!({"created": "2025-08-20T14:20:05Z", "os": "linux"});
        assert_eq!(newest(&one), Some(1_755_699_660));
        let later = serde_json::json!({"created": "2025-08-20T14:21:05Z"});
        let both = serde_json::json!({"linux/amd64": later, "linux/arm64": one});
        assert_eq!(newest(&both), Some(1_755_699_720));
        assert_eq!(newest(&Value::Null), None);
    }
}
