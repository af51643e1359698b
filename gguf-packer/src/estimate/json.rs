//! The estimate as JSON: the original's keys, then the plain bytes of each model on each device, and what fits.

use serde_json::{Value, json};

use super::planner::Run;
use super::report::{Estimate, Row, Share};
use crate::image::command::PromptCache;

impl Estimate {
    /// As JSON.
    #[must_use]
    pub fn json(&self) -> Value {
        let answer = &self.answer;
        let mut estimate = json!({
            "items": self.rows.iter().map(item).collect::<Vec<_>>(),
            "type": "model",
            "architecture": answer.architecture,
            "contextSize": answer.context_size,
            "flashAttention": answer.flash_attention,
            "noMMap": !answer.mmap,
            "embeddingOnly": answer.embedding,
            "reranking": answer.reranking,
            "distributable": self.distributable(),
            "logicalBatchSize": answer.batch,
            "physicalBatchSize": answer.ubatch,
        });
        estimate["runs"] = answer.runs.iter().map(bytes).collect();
        estimate["devices"] = json!(answer.devices);
        estimate["contextTrained"] = json!(answer.context_trained);
        estimate["parallel"] = json!(answer.parallel);
        estimate["layers"] = json!(answer.layers);
        estimate["promptCache"] = cache(self.prompt_cache);
        estimate["contextCheckpoints"] = cache(self.checkpoints);
        if let Some(fit) = self.fit() {
            estimate["fit"] = json!(fit);
        }
        json!({ "estimate": estimate })
    }
}

/// Bytes at most; null without a limit.
fn cache(cache: PromptCache) -> Value {
    match cache {
        PromptCache::UpTo(mib) => json!(mib.saturating_mul(1 << 20)),
        PromptCache::Unlimited => Value::Null,
    }
}

/// The bytes of each model on each device.
fn bytes(run: &Run) -> Value {
    let mut memory = Vec::new();
    for part in &run.parts {
        memory.extend(part.memory.iter().map(|on| {
            json!({
                "role": part.role,
                "device": on.device,
                "weights": on.weights,
                "context": on.context,
                "compute": on.compute,
                "layers": on.layers,
            })
        }));
    }
    json!({ "gpuLayers": run.gpu_layers, "memory": memory })
}

fn item(row: &Row) -> Value {
    let mut item = json!({
        "offloadLayers": row.offloaded,
        "fullOffloaded": row.full,
        "ram": share(0, &row.ram),
        "vrams": row.cards.iter().enumerate().map(|(at, card)| share(at, card)).collect::<Vec<_>>(),
    });
    if let Some(tokens) = row.tokens {
        item["maximumTokensPerSecond"] = json!(tokens);
    }
    item
}

fn share(position: usize, share: &Share) -> Value {
    json!({
        "handleLayers": share.layers,
        "handleInputLayer": share.input,
        "handleOutputLayer": share.output,
        "remote": share.remote,
        "position": position,
        "uma": share.uma,
        "nonuma": share.nonuma,
    })
}
