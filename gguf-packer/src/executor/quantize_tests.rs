//! QUANTIZE with a tool that only says what it was asked for.

use super::*;

/// Options with nothing but a type.
pub(crate) fn options(kind: &str) -> QuantizeOptions {
    QuantizeOptions {
        kind: kind.to_owned(),
        pure: false,
        imatrix: None,
        include_weights: vec![],
        exclude_weights: vec![],
        leave_output_tensor: false,
        output_tensor_type: None,
        token_embedding_type: None,
        tensor_types: vec![],
    }
}
