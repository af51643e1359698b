//! YAML as a model card has it. A key that stands there twice has its last value, as PyYAML reads it.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

/// What a card says.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Yaml {
    Null,
    Bool(bool),
    /// As it would be written.
    Number(String),
    Text(String),
    List(Vec<Yaml>),
    Map(Vec<(Yaml, Yaml)>),
}

impl Yaml {
    /// The value of a key, of a map that has it.
    pub(super) fn get(&self, key: &str) -> Option<&Self> {
        let Self::Map(entries) = self else { return None };
        let is = |entry: &&(Self, Self)| matches!(&entry.0, Self::Text(text) if text == key);
        entries.iter().find(is).map(|(_, value)| value)
    }
}

impl<'de> Deserialize<'de> for Yaml {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(Reader)
    }
}

struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = Yaml;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("plain YAML")
    }

    fn visit_unit<E>(self) -> Result<Yaml, E> {
        Ok(Yaml::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Yaml, E> {
        Ok(Yaml::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Yaml, E> {
        Ok(Yaml::Number(value.to_string()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Yaml, E> {
        Ok(Yaml::Number(value.to_string()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Yaml, E> {
        Ok(Yaml::Number(format!("{value:?}")))
    }

    fn visit_str<E>(self, value: &str) -> Result<Yaml, E> {
        Ok(Yaml::Text(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Yaml, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Yaml::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Yaml, A::Error> {
        let (mut map, mut merged) = (Vec::<(Yaml, Yaml)>::new(), Vec::new());
        while let Some((key, value)) = entries.next_entry::<Yaml, Yaml>()? {
            match (map.iter_mut().find(|(known, _)| *known == key), value) {
                (_, Yaml::Map(more)) if key == Yaml::Text("<<".to_owned()) => merged = more,
                (Some((_, known)), value) => *known = value,
                (None, value) => map.push((key, value)),
            }
        }
        for (key, value) in merged {
            if !map.iter().any(|(known, _)| *known == key) {
                map.push((key, value));
            }
        }
        Ok(Yaml::Map(map))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Yaml {
        serde_norway::from_str(text).unwrap()
    }

    #[test]
    fn the_last_of_two_equal_keys_holds() {
        let text = |text: &str| Yaml::Text(text.to_owned());
        assert_eq!(read("name: a\nlicense: mit\nname: b\n").get("name"), Some(&text("b")));
        let merged = read("base: &x {name: a, url: u}\nmodel:\n  <<: *x\n  name: b\n");
        let model = merged.get("model").unwrap();
        assert_eq!((model.get("name"), model.get("url")), (Some(&text("b")), Some(&text("u"))));
        assert_eq!(model.get("<<"), None);
    }

    #[test]
    fn every_kind_of_value_is_read() {
        let card = read("a: ~\nb: true\nc: 7\nd: -1\ne: 1.0\nf: [x]\n");
        let number = |text: &str| Some(Yaml::Number(text.to_owned()));
        let get = |key| card.get(key).cloned();
        assert_eq!((get("a"), get("b")), (Some(Yaml::Null), Some(Yaml::Bool(true))));
        assert_eq!((get("c"), get("d"), get("e")), (number("7"), number("-1"), number("1.0")));
        assert_eq!(get("f"), Some(Yaml::List(vec![Yaml::Text("x".to_owned())])));
    }
}
