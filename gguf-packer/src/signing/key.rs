//! Keys for signatures: cosign's sealed ones, and plain ones as OpenSSL makes them.

use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair,
    UnparsedPublicKey,
};

use super::{pem, sealed};
use crate::Error;

/// How a public key of P-256 begins (RFC 5480): the algorithm, the curve, a point of 65 bytes.
const SPKI: [u8; 26] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a,
    0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];

/// A key that signs.
pub struct PrivateKey {
    pair: EcdsaKeyPair,
    random: SystemRandom,
}

/// A key that checks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicKey {
    /// An uncompressed point.
    point: Vec<u8>,
}

impl PrivateKey {
    /// Reads the text of a key. `password` is asked for when the key is sealed.
    ///
    /// # Errors
    /// When it is no private key on P-256, or the password is another one.
    pub fn parse(
        text: &str,
        password: impl FnOnce() -> Result<String, Error>,
    ) -> Result<Self, Error> {
        let Some((label, bytes)) = pem::first(text) else {
            return Err(Error::new(
                "not a private key: `-----BEGIN … PRIVATE KEY-----` is missing",
            )
            .hint(MAKE));
        };
        let der = match label.as_str() {
            // The second one is what cosign wrote until 2023.
            "ENCRYPTED SIGSTORE PRIVATE KEY" | "ENCRYPTED COSIGN PRIVATE KEY" => {
                sealed::open(&bytes, &password()?)?
            }
            "PRIVATE KEY" => bytes,
            "PUBLIC KEY" => {
                return Err(Error::new("a public key cannot sign"));
            }
            other => {
                return Err(Error::new(format!("unsupported key type `{other}`")).hint(
                    "convert it to PKCS#8: openssl pkcs8 -topk8 -nocrypt -in KEY -out KEY.p8",
                ));
            }
        };
        let random = SystemRandom::new();
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &der, &random)
            .map_err(|why| Error::new(format!("not an ECDSA P-256 key: {why}")).hint(MAKE))?;
        Ok(Self { pair, random })
    }

    /// The key that checks what this one signs.
    #[must_use]
    pub fn public(&self) -> PublicKey {
        PublicKey { point: self.pair.public_key().as_ref().to_vec() }
    }

    /// Signs.
    ///
    /// # Panics
    /// When the machine has no random numbers.
    #[must_use]
    pub fn sign(&self, bytes: &[u8]) -> Vec<u8> {
        let signed = self.pair.sign(&self.random, bytes);
        signed.expect("an operating system has random numbers").as_ref().to_vec()
    }
}

/// How a key is made.
const MAKE: &str = "make one: cosign generate-key-pair, or openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out cosign.key";

impl PublicKey {
    /// Reads the text of a key.
    ///
    /// # Errors
    /// When it is no public key on P-256.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let read = pem::first(text).filter(|(label, _)| label == "PUBLIC KEY");
        let Some((_, bytes)) = read else {
            return Err(Error::new("not a public key: `-----BEGIN PUBLIC KEY-----` is missing")
                .hint(
                    "extract it from the private key: openssl pkey -in KEY -pubout, or cosign \
                    public-key --key KEY",
                ));
        };
        match bytes.strip_prefix(&SPKI) {
            Some(point) if point.len() == 65 && point[0] == 4 => Ok(Self { point: point.to_vec() }),
            _ => Err(Error::new("not an ECDSA P-256 public key")),
        }
    }

    /// Whether `signature` is this key's, of `bytes`.
    #[must_use]
    pub fn has_signed(&self, bytes: &[u8], signature: &[u8]) -> bool {
        let key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, &self.point);
        key.verify(bytes, signature).is_ok()
    }
}
