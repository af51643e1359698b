//! What an operator asks for and llama.cpp would leave out without a word.

use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io;
use std::path::Path;

use super::options::Use;

/// Why a server that was asked for this must not start.
pub(crate) fn of(asked: &[(Use, OsString)]) -> Option<String> {
    // The last one counts.
    let named = |what: Use| {
        let file = asked.iter().rev().find(|(other, _)| *other == what);
        file.map(|(_, file)| Path::new(file))
    };
    match (named(Use::TlsKey), named(Use::TlsCert)) {
        (Some(_), None) => return Some(other_half("key", "certificate", "--ssl-cert-file")),
        (None, Some(_)) => return Some(other_half("certificate", "key", "--ssl-key-file")),
        _ => {}
    }
    let user = rustix::process::geteuid().as_raw();
    let read = |what, option| {
        let hint = format!("name a file that user {user} may read: {option} FILE");
        cannot(option, named(what)?, "read", &hint, |file| File::open(file))
    };
    let append = |file: &Path| OpenOptions::new().append(true).create(true).open(file);
    read(Use::TlsKey, "--ssl-key-file")
        .or_else(|| read(Use::TlsCert, "--ssl-cert-file"))
        .or_else(|| {
            let hint = format!(
                "name a file that user {user} may write, or leave it out: standard error has the log"
            );
            cannot("--log-file", named(Use::WriteFile)?, "write", &hint, append)
        })
}

/// llama.cpp would serve without TLS.
fn other_half(has: &str, lacks: &str, option: &str) -> String {
    format!("TLS has a {has}, but no {lacks}\n  hint: {option} /path/to/{lacks}.pem")
}

fn cannot(
    option: &str,
    file: &Path,
    what: &str,
    hint: &str,
    open: impl Fn(&Path) -> io::Result<File>,
) -> Option<String> {
    // To open a pipe is to be its other end.
    let is_special = file.metadata().is_ok_and(|meta| !meta.is_file() && !meta.is_dir());
    let error = if is_special { None } else { open(file).err() }?;
    let file = file.display();
    Some(format!("cannot {what} the file of {option}, {file}: {error}\n  hint: {hint}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_a_tls_is_none() {
        let folder = tempfile::tempdir().expect("there is a folder for temporary files");
        let at = |name: &str| folder.path().join(name).into_os_string();
        let refused = |asked: &[(Use, OsString)]| of(asked).unwrap_or_default();
        let (key, cert) = ((Use::TlsKey, at("key.pem")), (Use::TlsCert, at("cert.pem")));
        assert_eq!(
            refused(std::slice::from_ref(&key)),
            "TLS has a key, but no certificate\n  hint: --ssl-cert-file /path/to/certificate.pem"
        );
        assert_eq!(
            refused(std::slice::from_ref(&cert)),
            "TLS has a certificate, but no key\n  hint: --ssl-key-file /path/to/key.pem"
        );
        let both = [key, cert];
        let error = refused(&both);
        assert!(error.starts_with("cannot read the file of --ssl-key-file, "), "{error}");
        assert!(error.ends_with(" may read: --ssl-key-file FILE"), "{error}");
        both.iter().for_each(|(_, file)| std::fs::write(file, "").expect("it can be written"));
        assert_eq!(of(&both), None);
    }

    #[test]
    fn a_log_that_cannot_be_written_is_told() {
        let folder = tempfile::tempdir().expect("there is a folder for temporary files");
        let log = folder.path().join("x.log");
        assert_eq!(of(&[(Use::WriteFile, log.clone().into())]), None);
        let error = of(&[(Use::WriteFile, log.join("y").into())]).expect("it is in a file");
        assert!(error.contains("cannot write the file of --log-file"), "{error}");
    }
}
