//! The messages of BuildKit that we speak, in its names: `solver/pb/ops.proto`, `frontend/gateway/pb/gateway.proto`,
//! `solver/errdefs/errdefs.proto`, `util/apicaps/pb/caps.proto` of moby/buildkit v0.13 and fsutil's
//! `types/stat.proto`; fields that nobody here needs are left out. Maps are ordered, so that the same graph is the
//! same bytes.

mod gateway;
mod llb;

pub use gateway::*;
pub use llb::*;

fn as_base64<S: serde::Serializer>(bytes: &[u8], to: S) -> Result<S::Ok, S::Error> {
    use base64::Engine as _;
    to.serialize_str(&base64::engine::general_purpose::STANDARD.encode(bytes))
}
