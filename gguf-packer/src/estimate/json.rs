//! The estimate as JSON: the original's keys, then the plain bytes of each model on each device, and what fits.

use serde_json::{Value, json};

use super::planner::Role;
use super::report::{Estimate, Row, Share};

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
        let runs = answer.runs.iter().map(|run| {
            let part = |role: Role, memory: &super::planner::Memory| {
                json!({
                    "role": role,
                    "device": memory.device,
                    "weights": memory.weights,
                    "context": memory.context,
                    "compute": memory.compute,
                    "layers": memory.layers,
                })
            };
            let parts = run.parts.iter();
            let memory = parts.flat_map(|on| on.memory.iter().map(move |memory| part(on.role, memory)));
            json!({ "gpuLayers": run.gpu_layers, "memory": memory.collect::<Vec<_>>() })
        });
        estimate["runs"] = runs.collect();
        estimate["devices"] = json!(answer.devices);
        estimate["contextTrained"] = json!(answer.context_trained);
        estimate["parallel"] = json!(answer.parallel);
        estimate["layers"] = json!(answer.layers);
        if let Some(fit) = self.fit() {
            estimate["fit"] = json!(fit);
        }
        json!({ "estimate": estimate })
    }
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
