//! TLS as the server speaks it: with the OpenSSL that it has loaded itself. A TLS client in Rust would be several
//! times this program. The certificate is not checked: it is asked whether the server answers, not who it is.

#![expect(unsafe_code, reason = "the calls into OpenSSL")]

use std::ffi::{CStr, CString, c_int, c_long, c_void};
use std::io::{self, ErrorKind, Read, Write};
use std::mem::transmute;
use std::net::IpAddr;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::ptr::NonNull;

use super::library;

/// What it is called in Debian 12 and 13, and everywhere since 2021.
const LIBRARY: &str = "libssl.so.3";
/// `SSL_CTRL_SET_TLSEXT_HOSTNAME` of ssl.h, where `SSL_set_tlsext_host_name` is a macro.
const SET_HOST_NAME: c_int = 55;

/// Something of OpenSSL's.
type Thing = NonNull<c_void>;

/// OpenSSL's functions; their types have not changed since 1.1.
struct Functions {
    method: unsafe extern "C" fn() -> *mut c_void,
    new_context: unsafe extern "C" fn(*mut c_void) -> *mut c_void,
    new_session: unsafe extern "C" fn(*mut c_void) -> *mut c_void,
    control: unsafe extern "C" fn(*mut c_void, c_int, c_long, *const c_void) -> c_long,
    set_file: unsafe extern "C" fn(*mut c_void, c_int) -> c_int,
    connect: unsafe extern "C" fn(*mut c_void) -> c_int,
    read: unsafe extern "C" fn(*mut c_void, *mut c_void, c_int) -> c_int,
    write: unsafe extern "C" fn(*mut c_void, *const c_void, c_int) -> c_int,
}

/// A connection with TLS over `stream`. It is not closed in OpenSSL's way, and nothing is freed: this program
/// asks once.
pub(crate) struct Tls<S> {
    functions: Functions,
    session: Thing,
    stream: S,
}

/// TLS over `stream` with the server called `host`. `loaded` is the library that the server itself uses.
///
/// # Errors
/// [`ErrorKind::Unsupported`] without OpenSSL, [`ErrorKind::InvalidData`] when the other side speaks no TLS.
pub(crate) fn over<S: AsRawFd>(
    stream: S,
    host: &str,
    loaded: Option<PathBuf>,
) -> io::Result<Tls<S>> {
    let unsupported = |why: String| io::Error::new(ErrorKind::Unsupported, why);
    let functions = functions(loaded.as_deref().unwrap_or(Path::new(LIBRARY)));
    let functions = functions.map_err(|why| unsupported(format!("TLS is not available: {why}")))?;
    // SAFETY: called in the order that OpenSSL asks for; a null pointer goes no further.
    let session = unsafe {
        let context = NonNull::new((functions.new_context)((functions.method)()));
        context.and_then(|context| NonNull::new((functions.new_session)(context.as_ptr())))
    };
    let session = session.ok_or_else(|| unsupported("OpenSSL failed to start".to_owned()))?;
    let tls = Tls { functions, session, stream };
    tls.handshake(host)?;
    Ok(tls)
}

fn functions(library: &Path) -> Result<Functions, String> {
    let handle = library::handle(library)?;
    let find = |name: &CStr| {
        let missing = || format!("{} has no {}", library.display(), name.to_string_lossy());
        library::symbol(handle, name).ok_or_else(missing)
    };
    // SAFETY: the fields have the functions' types in ssl.h.
    #[expect(clippy::missing_transmute_annotations, reason = "the fields have the types")]
    unsafe {
        Ok(Functions {
            method: transmute(find(c"TLS_client_method")?),
            new_context: transmute(find(c"SSL_CTX_new")?),
            new_session: transmute(find(c"SSL_new")?),
            control: transmute(find(c"SSL_ctrl")?),
            set_file: transmute(find(c"SSL_set_fd")?),
            connect: transmute(find(c"SSL_connect")?),
            read: transmute(find(c"SSL_read")?),
            write: transmute(find(c"SSL_write")?),
        })
    }
}

impl<S: AsRawFd> Tls<S> {
    fn handshake(&self, host: &str) -> io::Result<()> {
        let Self { functions, session, stream } = self;
        // An address is no name that a server could go by.
        let name = CString::new(host).ok().filter(|_| host.parse::<IpAddr>().is_err());
        // SAFETY: the session is whole, its descriptor is open as long as `stream` is, and the name is copied.
        let connected = unsafe {
            if let Some(name) = name {
                (functions.control)(session.as_ptr(), SET_HOST_NAME, 0, name.as_ptr().cast());
            }
            (functions.set_file)(session.as_ptr(), stream.as_raw_fd());
            (functions.connect)(session.as_ptr())
        };
        if connected == 1 { Ok(()) } else { Err(ErrorKind::InvalidData.into()) }
    }
}

impl<S> Read for Tls<S> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = c_int::try_from(buffer.len()).unwrap_or(c_int::MAX);
        // SAFETY: the buffer has this length, and the session is open.
        let count = unsafe {
            (self.functions.read)(self.session.as_ptr(), buffer.as_mut_ptr().cast(), length)
        };
        // Not told apart: the end, and an error. What has been read decides.
        Ok(usize::try_from(count).unwrap_or(0))
    }
}

impl<S> Write for Tls<S> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let length = c_int::try_from(bytes.len()).unwrap_or(c_int::MAX);
        // SAFETY: there are so many bytes, which OpenSSL only reads, and the session is open.
        let count =
            unsafe { (self.functions.write)(self.session.as_ptr(), bytes.as_ptr().cast(), length) };
        usize::try_from(count).map_err(|_| ErrorKind::BrokenPipe.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
