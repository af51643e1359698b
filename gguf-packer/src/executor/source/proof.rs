//! By what a downloaded file is known to be the right one.

use std::fmt;

use sha1::Digest as _;
use sha2::{Sha256, Sha384, Sha512};

use crate::Error;
use crate::digest::Digest;

/// What a file has to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Proof {
    /// Anything.
    None,
    /// Something with this SHA-256.
    Sha256(Digest),
    /// Something with this SHA-384, in hexadecimal digits.
    Sha384(String),
    /// Something with this SHA-512, in hexadecimal digits.
    Sha512(String),
    /// Something that Git knows by this name: a SHA-1 over the size and the content.
    GitBlob { name: String, size: u64 },
}

/// What a file is.
#[derive(Clone)]
pub(super) struct Hashes {
    sha256: Sha256,
    other: Other,
    new: Other,
}

#[derive(Clone)]
enum Other {
    None,
    Sha384(Sha384),
    Sha512(Box<Sha512>),
    Git(sha1::Sha1),
}

impl Proof {
    /// Reads the value of `--checksum`.
    pub(super) fn parse(checksum: &str) -> Result<Self, Error> {
        let wrong = || {
            Error::new(format!("invalid checksum `{checksum}`")).hint(
                "write `--checksum=sha256:` and 64 hexadecimal digits, or use sha384 or sha512",
            )
        };
        let (kind, hex) = checksum.split_once(':').ok_or_else(wrong)?;
        let hex = hex.to_ascii_lowercase();
        let digits = |count| hex.len() == count && hex.bytes().all(|byte| byte.is_ascii_hexdigit());
        match kind {
            "sha256" => Digest::from_hex(&hex).map(Self::Sha256).ok_or_else(wrong),
            "sha384" if digits(96) => Ok(Self::Sha384(hex)),
            "sha512" if digits(128) => Ok(Self::Sha512(hex)),
            _ => Err(wrong()),
        }
    }

    /// Whether it holds for a file with these hashes and of this size.
    pub(super) fn holds(&self, hashes: &Hashes, size: u64) -> bool {
        match self {
            Self::None => true,
            Self::Sha256(digest) => *digest == hashes.sha256(),
            Self::Sha384(hex) | Self::Sha512(hex) => *hex == hashes.other(),
            Self::GitBlob { name, size: expected } => *name == hashes.other() && size == *expected,
        }
    }

    /// What was found instead.
    pub(super) fn found(&self, hashes: &Hashes) -> String {
        match self {
            Self::None | Self::Sha256(_) => hashes.sha256().to_string(),
            Self::Sha384(_) => format!("sha384:{}", hashes.other()),
            Self::Sha512(_) => format!("sha512:{}", hashes.other()),
            Self::GitBlob { .. } => format!("git:{}", hashes.other()),
        }
    }
}

impl fmt::Display for Proof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("anything"),
            Self::Sha256(digest) => digest.fmt(f),
            Self::Sha384(hex) => write!(f, "sha384:{hex}"),
            Self::Sha512(hex) => write!(f, "sha512:{hex}"),
            Self::GitBlob { name, .. } => write!(f, "git:{name}"),
        }
    }
}

impl Hashes {
    /// The hashes that `proof` needs, of nothing yet.
    pub(super) fn of(proof: &Proof) -> Self {
        let new = match proof {
            Proof::None | Proof::Sha256(_) => Other::None,
            Proof::Sha384(_) => Other::Sha384(Sha384::default()),
            Proof::Sha512(_) => Other::Sha512(Box::default()),
            Proof::GitBlob { size, .. } => {
                Other::Git(sha1::Sha1::new().chain_update(format!("blob {size}\0")))
            }
        };
        Self { sha256: Sha256::default(), other: new.clone(), new }
    }

    pub(super) fn clear(&mut self) {
        (self.sha256, self.other) = (Sha256::default(), self.new.clone());
    }

    pub(super) fn update(&mut self, bytes: &[u8]) {
        use sha2::Digest as _;
        self.sha256.update(bytes);
        match &mut self.other {
            Other::None => {}
            Other::Sha384(hash) => hash.update(bytes),
            Other::Sha512(hash) => hash.update(bytes),
            Other::Git(hash) => sha1::Digest::update(hash, bytes),
        }
    }

    pub(super) fn sha256(&self) -> Digest {
        Digest::finish(self.sha256.clone())
    }

    fn other(&self) -> String {
        use sha2::Digest as _;
        match &self.other {
            Other::None => String::new(),
            Other::Sha384(hash) => hex(&hash.clone().finalize()),
            Other::Sha512(hash) => hex(&hash.clone().finalize()),
            Other::Git(hash) => hex(&sha1::Digest::finalize(hash.clone())),
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holds(proof: &Proof, text: &str) -> bool {
        let mut hashes = Hashes::of(proof);
        hashes.update(b"something else");
        hashes.clear();
        hashes.update(text.as_bytes());
        proof.holds(&hashes, text.len() as u64)
    }

    #[test]
    fn each_kind_of_checksum_proves_a_file() {
        // printf abc | sha256sum, sha384sum, sha512sum, git hash-object --stdin
        for proof in [
            "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
            "sha256:BA7816BF8F01CFEA414140DE5DAE2223B00361A396177A9CB410FF61F20015AD",
            "sha384:cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed\
             8086072ba1e7cc2358baeca134c825a7",
            "sha512:ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a\
             2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
        ] {
            let proof = Proof::parse(proof).expect(proof);
            assert!(holds(&proof, "abc") && !holds(&proof, "abd"), "{proof}");
        }
        let name = "f2ba8f84ab5c1bce84a7b441cb1959cfc7093b7f".to_owned();
        let git = Proof::GitBlob { name, size: 3 };
        assert!(holds(&git, "abc") && !holds(&git, "abcd"));
    }

    #[test]
    fn what_is_no_checksum_is_refused() {
        for text in ["", "sha256:00", "md5:00", "sha512:zz"] {
            let error = Proof::parse(text).expect_err(text).to_string();
            assert!(error.starts_with(&format!("invalid checksum `{text}`\n  hint: ")), "{error}");
        }
    }
}
