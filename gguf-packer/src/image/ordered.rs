//! JSON whose keys stay in the order in which they were written, as a person is shown it.

// `serde_json` sorts the keys of a map; this map of YAML keeps their order.
use serde_norway::Value;

use crate::Error;

/// An image's config as `inspect` shows it: indented, and without its history.
///
/// # Errors
/// When it is no JSON.
pub fn inspect(config: &[u8]) -> Result<String, Error> {
    let mut parsed: Value = serde_json::from_slice(config)
        .map_err(|e| Error::new(format!("cannot read the image's config: {e}")))?;
    if let Value::Mapping(pairs) = &mut parsed {
        pairs.retain(|key, _| key != "history");
    }
    Ok(pretty(&parsed))
}

/// A document of JSON, indented.
///
/// # Errors
/// When it is no JSON.
pub fn indented(document: &[u8]) -> Result<String, Error> {
    let parsed = serde_json::from_slice(document)
        .map_err(|e| Error::new(format!("cannot read the document: {e}")))?;
    Ok(pretty(&parsed))
}

fn pretty(parsed: &Value) -> String {
    serde_json::to_string_pretty(parsed).expect("what was JSON is JSON")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_config_is_shown_in_its_order_and_without_history() {
        let config =
            br#"{"os":"linux","config":{"Size":7,"BitsPerWeight":6.5,"n":-1,"x":null,"y":true,
            "Cmd":["-m"]},"history":[{}],"a":{"history":1}}"#;
        let expected = r#"{
  "os": "linux",
  "config": {
    "Size": 7,
    "BitsPerWeight": 6.5,
    "n": -1,
    "x": null,
    "y": true,
    "Cmd": [
      "-m"
    ]
  },
  "a": {
    "history": 1
  }
}"#;
        assert_eq!(inspect(config).unwrap(), expected);
        let error = inspect(b"{").unwrap_err().to_string();
        assert!(error.starts_with("cannot read the image's config: EOF"), "{error}");
    }
}
