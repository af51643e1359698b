//! A model's header from the JSON that the original keeps in an image (`json.rs` writes it): enough to plan memory,
//! unless an array that was left out is needed.

use serde_json::Value as Json;

use super::{Array, Header, Model, Tensor, TensorType, Value, ValueType};

impl Model {
    /// The model that `json` describes; none when it does not say enough.
    #[must_use]
    pub fn from_json(json: &Json) -> Option<Self> {
        let pairs = json["header"]["metadataKV"].as_array()?;
        let mut header = Header {
            big_endian: false,
            version: 3,
            metadata: pairs.iter().map(pair).collect::<Option<_>>()?,
            tensors: Vec::new(),
            padding: 0,
            data_start: 0,
            size: json["size"].as_u64()?,
        };
        header.check_alignment().ok()?;
        // They stand together here, and are one file.
        header.metadata.retain(|(key, _)| !key.starts_with("split."));
        header.tensors =
            json["tensorInfos"].as_array()?.iter().map(tensor).collect::<Option<_>>()?;
        Self::new(vec![header]).ok()
    }
}

fn pair(json: &Json) -> Option<(String, Value)> {
    let key = json["key"].as_str()?.to_owned();
    let kind = kind(&json["valueType"])?;
    let value = if kind == ValueType::Array {
        let array = array(&json["value"])?;
        // The original has no more than the measures of most arrays.
        let described = key.starts_with("tokenizer.") || key.starts_with("general.");
        if array.items.is_none() && array.len > 0 && !described {
            return None;
        }
        Value::Array(array)
    } else {
        scalar(kind, &json["value"])?
    };
    Some((key, value))
}

fn kind(json: &Json) -> Option<ValueType> {
    ValueType::from_number(u32::try_from(json.as_u64()?).ok()?)
}

fn array(json: &Json) -> Option<Array> {
    let kind = kind(&json["type"])?;
    let items = json["array"].as_array();
    let items = items.map(|items| items.iter().map(|item| scalar(kind, item)).collect());
    let items: Option<Option<Vec<Value>>> = items;
    Some(Array {
        kind,
        len: json["len"].as_u64()?,
        items: match items {
            Some(read) => Some(read?),
            None => None,
        },
        start: 0,
        size: json["size"].as_u64().unwrap_or(0),
    })
}

fn scalar(kind: ValueType, json: &Json) -> Option<Value> {
    let whole = || json.as_u64();
    let signed = || json.as_i64();
    Some(match kind {
        ValueType::Uint8 => Value::Uint8(whole()?.try_into().ok()?),
        ValueType::Uint16 => Value::Uint16(whole()?.try_into().ok()?),
        ValueType::Uint32 => Value::Uint32(whole()?.try_into().ok()?),
        ValueType::Uint64 => Value::Uint64(whole()?),
        ValueType::Int8 => Value::Int8(signed()?.try_into().ok()?),
        ValueType::Int16 => Value::Int16(signed()?.try_into().ok()?),
        ValueType::Int32 => Value::Int32(signed()?.try_into().ok()?),
        ValueType::Int64 => Value::Int64(signed()?),
        #[expect(clippy::cast_possible_truncation, reason = "it was a float of 32 bits")]
        ValueType::Float32 => Value::Float32(json.as_f64()? as f32),
        ValueType::Float64 => Value::Float64(json.as_f64()?),
        ValueType::Bool => Value::Bool(json.as_bool()?),
        ValueType::String => Value::String(json.as_str()?.to_owned()),
        ValueType::Array => return None,
    })
}

fn tensor(json: &Json) -> Option<Tensor> {
    let dimensions: Option<Vec<u64>> =
        json["dimensions"].as_array()?.iter().map(Json::as_u64).collect();
    let tensor = Tensor {
        name: json["name"].as_str()?.to_owned(),
        dimensions: dimensions.filter(|dimensions| dimensions.len() <= 4)?,
        kind: TensorType::from_number(u32::try_from(json["type"].as_u64()?).ok()?)?,
        offset: json["offset"].as_u64()?,
        start: 0,
    };
    let elements = tensor.dimensions.iter().try_fold(1_u64, |all, n| all.checked_mul(*n))?;
    elements.checked_mul(tensor.kind.block().1).is_some().then_some(tensor)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gguf::write::Writer;

    #[test]
    fn what_the_original_keeps_plans_the_same_memory() {
        let writer = Writer::tiny_model().numbers("qwen2.attention.head_count", &[4]);
        let model = Model::new(vec![writer.header()]).unwrap();
        let back = Model::from_json(&serde_json::to_value(&model).unwrap()).unwrap();
        assert_eq!(back.planned(), model.planned());
    }

    #[test]
    fn an_alignment_that_nobody_can_compute_with_is_refused() {
        let model = Model::new(vec![Writer::tiny_model().header()]).unwrap();
        let json = serde_json::to_value(&model).unwrap();
        let with = |kind: ValueType, value: u64| {
            let mut json = json.clone();
            let pairs = json["header"]["metadataKV"].as_array_mut().unwrap();
            let kind = kind.number();
            pairs.push(serde_json::json!({
                "key": "general.alignment", "valueType": kind, "value": value,
            }));
            Model::from_json(&json)
        };
        assert_eq!(with(ValueType::Uint32, 64).unwrap().parts()[0].alignment(), 64);
        for (kind, value) in
            [(ValueType::Uint32, 0), (ValueType::Uint32, 1 << 31), (ValueType::Uint64, 1 << 40)]
        {
            assert_eq!(with(kind, value), None, "{value}");
        }
    }

    #[test]
    fn an_array_that_the_original_left_out_is_missed() {
        let writer = Writer::tiny_model().numbers("qwen2.attention.head_count_kv", &[1, 2]);
        let model = Model::new(vec![writer.header()]).unwrap();
        assert_eq!(Model::from_json(&serde_json::to_value(&model).unwrap()), None);
        assert_eq!(Model::from_json(&serde_json::json!({})), None);
    }
}
