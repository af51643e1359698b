//! JSON whose keys stay in the order in which they were written, as a person is shown it.

use std::fmt;

use serde::de::{MapAccess, SeqAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Number;

use crate::Error;

/// A value of JSON.
#[derive(Debug, Clone, PartialEq)]
enum Ordered {
    Null,
    Bool(bool),
    Number(Number),
    Text(String),
    List(Vec<Ordered>),
    Map(Vec<(String, Ordered)>),
}

/// An image's config as `inspect` shows it: indented, and without its history.
///
/// # Errors
/// When it is no JSON.
pub fn inspect(config: &[u8]) -> Result<String, Error> {
    let parsed: Ordered = serde_json::from_slice(config)
        .map_err(|e| Error::new(format!("cannot read the image's config: {e}")))?;
    let shown = match parsed {
        Ordered::Map(mut pairs) => {
            pairs.retain(|(key, _)| key != "history");
            Ordered::Map(pairs)
        }
        other => other,
    };
    Ok(serde_json::to_string_pretty(&shown).expect("what was JSON is JSON"))
}

/// A document of JSON, indented.
///
/// # Errors
/// When it is no JSON.
pub fn indented(document: &[u8]) -> Result<String, Error> {
    let parsed: Ordered = serde_json::from_slice(document)
        .map_err(|e| Error::new(format!("cannot read the document: {e}")))?;
    Ok(serde_json::to_string_pretty(&parsed).expect("what was JSON is JSON"))
}

impl Serialize for Ordered {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => serializer.serialize_unit(),
            Self::Bool(yes) => serializer.serialize_bool(*yes),
            Self::Number(number) => number.serialize(serializer),
            Self::Text(text) => serializer.serialize_str(text),
            Self::List(items) => items.serialize(serializer),
            Self::Map(pairs) => {
                let mut map = serializer.serialize_map(Some(pairs.len()))?;
                pairs.iter().try_for_each(|(key, value)| map.serialize_entry(key, value))?;
                map.end()
            }
        }
    }
}

impl<'de> Deserialize<'de> for Ordered {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyVisitor)
    }
}

struct AnyVisitor;

impl<'de> Visitor<'de> for AnyVisitor {
    type Value = Ordered;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Ordered, E> {
        Ok(Ordered::Null)
    }

    fn visit_bool<E>(self, yes: bool) -> Result<Ordered, E> {
        Ok(Ordered::Bool(yes))
    }

    fn visit_u64<E>(self, n: u64) -> Result<Ordered, E> {
        Ok(Ordered::Number(n.into()))
    }

    fn visit_i64<E>(self, n: i64) -> Result<Ordered, E> {
        Ok(Ordered::Number(n.into()))
    }

    fn visit_f64<E>(self, n: f64) -> Result<Ordered, E> {
        Ok(Number::from_f64(n).map_or(Ordered::Null, Ordered::Number))
    }

    fn visit_str<E>(self, text: &str) -> Result<Ordered, E> {
        Ok(Ordered::Text(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Ordered, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Ordered::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut pairs: A) -> Result<Ordered, A::Error> {
        let mut map = Vec::new();
        while let Some(pair) = pairs.next_entry()? {
            map.push(pair);
        }
        Ok(Ordered::Map(map))
    }
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
