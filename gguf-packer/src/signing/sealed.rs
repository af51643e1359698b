//! cosign's private keys on the disk: sealed with a password, by scrypt and NaCl's secretbox.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use crypto_secretbox::aead::Aead;
use crypto_secretbox::{KeyInit, XSalsa20Poly1305};
use serde::Deserialize;

use crate::Error;

/// Memory that unsealing may take, in bytes: sixteen times what cosign's keys take.
const MOST_MEMORY: u64 = 1 << 30;

#[derive(Deserialize)]
struct Sealed {
    kdf: Derivation,
    cipher: Cipher,
    ciphertext: String,
}

#[derive(Deserialize)]
struct Derivation {
    name: String,
    params: Parameters,
    salt: String,
}

#[derive(Deserialize)]
struct Parameters {
    #[serde(rename = "N")]
    n: u64,
    r: u32,
    p: u32,
}

#[derive(Deserialize)]
struct Cipher {
    name: String,
    nonce: String,
}

/// What is sealed in `text`.
///
/// # Errors
/// When it is not sealed as cosign does, or with another password.
pub(super) fn open(text: &[u8], password: &str) -> Result<Vec<u8>, Error> {
    let sealed: Sealed = serde_json::from_slice(text)
        .map_err(|e| Error::new(format!("cosign did not encrypt this key: {e}")))?;
    let Parameters { n, r, p } = sealed.kdf.params;
    let known = sealed.kdf.name == "scrypt" && sealed.cipher.name == "nacl/secretbox";
    let memory = n.saturating_mul(u64::from(r)).saturating_mul(128);
    if !known || !n.is_power_of_two() || memory > MOST_MEMORY || u64::from(p) * memory > MOST_MEMORY
    {
        let what = format!("{} with N={n}, r={r}, p={p}, {}", sealed.kdf.name, sealed.cipher.name);
        return Err(Error::new(format!("unsupported encryption: {what}")));
    }
    let log = u8::try_from(n.trailing_zeros()).expect("a number of 64 bits has no more zeros");
    let decoded = |what: &str, text: &str| {
        STANDARD.decode(text).map_err(|e| Error::new(format!("its {what} is damaged: {e}")))
    };
    let salt = decoded("salt", &sealed.kdf.salt)?;
    let nonce = decoded("nonce", &sealed.cipher.nonce)?;
    let nonce: [u8; 24] =
        nonce.try_into().map_err(|_| Error::new("its nonce does not have 24 bytes"))?;
    let parameters = scrypt::Params::new(log, r, p, scrypt::Params::RECOMMENDED_LEN)
        .map_err(|e| Error::new(format!("unsupported encryption: {e}")))?;
    let mut key = [0; 32];
    scrypt::scrypt(password.as_bytes(), &salt, &parameters, &mut key)
        .expect("32 bytes are a length that scrypt makes");
    let ciphertext = decoded("text", &sealed.ciphertext)?;
    let opened = XSalsa20Poly1305::new(&key.into()).decrypt(&nonce.into(), ciphertext.as_slice());
    opened.map_err(|_| Error::new("wrong password"))
}
