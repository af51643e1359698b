//! How fast a model can be at most: a token has to read what it needs of each memory once, and to multiply and add
//! each weight of it, one device after the other.

use crate::Error;
use crate::gguf::Model;

/// How fast a device is: `10TFLOPS;1000GBps;64GBps`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Metric {
    /// Operations in a second.
    pub flops: f64,
    /// Bytes in a second, from the memory to the cores.
    pub up: f64,
    /// Bytes in a second, from one device to the next one; none: what `up` is.
    pub down: Option<f64>,
}

/// Units of 1,000, as vendors count.
const UNITS: [(&str, f64); 6] =
    [("P", 1e15), ("T", 1e12), ("G", 1e9), ("M", 1e6), ("K", 1e3), ("", 1.0)];

impl std::str::FromStr for Metric {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let parts: Vec<&str> = text.split(';').map(str::trim).collect();
        let read = match parts[..] {
            [flops, up] => (number(flops, "FLOPS"), number(up, "BPS"), Some(None)),
            [flops, up, down] => {
                (number(flops, "FLOPS"), number(up, "BPS"), number(down, "BPS").map(Some))
            }
            _ => (None, None, None),
        };
        if let (Some(flops), Some(up), Some(down)) = read {
            return Ok(Self { flops, up, down });
        }
        Err(Error::new(format!("invalid --device-metric `{text}`"))
            .hint(
                "give operations, memory bandwidth, and optionally the bandwidth to the next \
                device",
            )
            .hint("--device-metric \"82TFLOPS;1008GBps;32GBps\""))
    }
}

/// A number of more than nothing with its unit.
fn number(text: &str, unit: &str) -> Option<f64> {
    let upper = text.to_ascii_uppercase();
    let upper = upper.strip_suffix("/S").map_or(upper.clone(), |rest| format!("{rest}PS"));
    let digits = upper.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(upper.len());
    let (value, rest) = upper.split_at(digits);
    let (_, scale) = UNITS.iter().find(|(prefix, _)| {
        rest == format!("{prefix}{unit}") || prefix.is_empty() && rest.is_empty()
    })?;
    value.trim().parse().ok().map(|value: f64| value * scale).filter(|n| n.is_finite() && *n > 0.0)
}

/// What a token needs of a device.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Work {
    /// Bytes of the repeating layers' weights and of the output's.
    pub(super) weights: u64,
    /// Bytes of the context.
    pub(super) context: u64,
}

/// What of a model's weights a token needs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Active {
    /// Of all bytes, those that are read.
    share: f64,
    /// Weights of a byte.
    per_byte: f64,
    /// Elements that go from a layer to the next one.
    row: u64,
}

impl Active {
    /// Of a mixture of experts, those that are used at once.
    pub(super) fn of(model: &Model) -> Self {
        let number = |key: &str| model.get(&format!("{}.{key}", model.architecture()))?.number();
        let used = match (number("expert_used_count"), number("expert_count")) {
            (Some(used), Some(all)) if all > 0 => (used as f64 / all as f64).min(1.0),
            _ => 1.0,
        };
        let (mut all, mut read, mut elements) = (0.0, 0.0, 0.0);
        for tensor in model.parts().iter().flat_map(|part| &part.tensors) {
            let bytes = tensor.bytes() as f64;
            all += bytes;
            read += if tensor.name.contains("_exps") { bytes * used } else { bytes };
            elements += tensor.elements() as f64;
        }
        let all = f64::max(all, 1.0);
        Self {
            share: read / all,
            per_byte: elements / all,
            row: number("embedding_length").unwrap_or(0),
        }
    }
}

/// Tokens in a second; the first metric is the processor's, the last one holds for all devices behind it.
pub(super) fn most(work: &[Work], metrics: &[Metric], active: &Active) -> Option<f64> {
    let last = metrics.last()?;
    let busy = |work: &Work| work.weights + work.context > 0;
    let count = work.iter().filter(|work| busy(work)).count();
    let seconds = |(at, work): (usize, &Work)| {
        let metric = metrics.get(at).unwrap_or(last);
        let weights = work.weights as f64 * active.share;
        let reading = (weights + work.context as f64) / metric.up;
        let computing = 2.0 * weights * active.per_byte / metric.flops;
        let handing = if count > 1 {
            active.row as f64 * 4.0 / metric.down.unwrap_or(metric.up)
        } else {
            0.0
        };
        reading.max(computing) + handing
    };
    let all: f64 = work.iter().enumerate().filter(|(_, work)| busy(work)).map(seconds).sum();
    (all > 0.0).then(|| 1.0 / all)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gguf::write::Writer;

    #[test]
    fn a_metric_has_units() {
        let expected = Metric { flops: 82e12, up: 1008e9, down: Some(32e9) };
        assert_eq!("82TFLOPS;1008GBps;32GB/s".parse::<Metric>().unwrap(), expected);
        let plain = Metric { flops: 1e12, up: 5e10, down: None };
        assert_eq!("1000000000000; 50GBps".parse::<Metric>().unwrap(), plain);
        for wrong in ["", "1", "1;2;3;4", "0;1", "x;1", "1GBps;1", "-1;2", "inf;1"] {
            let error = wrong.parse::<Metric>().unwrap_err().to_string();
            assert!(error.starts_with(&format!("invalid --device-metric `{wrong}`")), "{error}");
        }
    }

    #[test]
    fn a_token_waits_for_the_slower_of_reading_and_computing_on_each_device() {
        let active = Active { share: 1.0, per_byte: 1.0, row: 0 };
        let work = [Work { weights: 1000, context: 0 }, Work { weights: 1000, context: 1000 }];
        let slow = Metric { flops: 1e9, up: 1000.0, down: None };
        // A second for the processor, two for the card.
        assert_eq!(most(&work, &[slow], &active), Some(1.0 / 3.0));
        let weak = Metric { flops: 500.0, up: 1e9, down: None };
        assert_eq!(most(&work[..1], &[weak], &active), Some(0.25));
        assert_eq!(most(&work, &[], &active), None);
        assert_eq!(most(&[Work::default()], &[slow], &active), None);
    }

    #[test]
    fn of_a_mixture_only_the_experts_that_are_used_are_read() {
        let writer = Writer::default()
            .text("general.architecture", "qwen2moe")
            .u32("qwen2moe.expert_count", 8)
            .u32("qwen2moe.expert_used_count", 2)
            .tensor("blk.0.ffn_up_exps.weight", &[32, 8], "F32")
            .tensor("blk.0.attn_q.weight", &[32, 8], "F32");
        let active = Active::of(&Model::new(vec![writer.header()]).unwrap());
        assert_eq!(active, Active { share: 0.625, per_byte: 0.25, row: 0 });
    }
}
