//! A library that the server loads and that tries what somebody would who has taken the server over.

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::path::{Path, PathBuf};

use llama_tests::needs;
use llama_tests::process::{Finished, command, finish};

const SOURCE: &str = include_str!("burglar.c");

/// What is done without the sandbox, and what is answered within.
const REFUSED: [(&str, &str); 15] = [
    ("read a secret", "EACCES"),
    ("change a secret", "EACCES"),
    ("make a file", "EACCES"),
    ("connect to a port", "EACCES"),
    ("listen on a port", "EACCES"),
    ("connect to an abstract socket", "EPERM"),
    ("signal the parent", "EPERM"),
    ("run a program", "EPERM"),
    ("be traced", "EPERM"),
    ("make a namespace", "EPERM"),
    ("clone into a namespace", "EPERM"),
    ("open a netlink socket of audit", "EPERM"),
    ("open a raw socket", "EPERM"),
    ("type into a terminal", "EPERM"),
    ("ask for an io_uring", "ENOSYS"),
];
const ALLOWED: [&str; 3] = ["read the model", "open a netlink socket of routes", "start a thread"];

#[test]
fn who_takes_a_locked_server_over_gets_nothing_that_it_does_not_serve() {
    let (Some(programs), Some(compiler)) = (needs::both_servers(), needs::c_compiler()) else {
        return;
    };
    let burglar = Burglar::new(&compiler);
    for (name, program) in programs {
        let free = burglar.acts(&program, "0");
        let locked = burglar.acts(&program, "require");
        for act in ALLOWED {
            assert_eq!((act, &*free[act], &*locked[act]), (act, "done", "done"), "{name}");
        }
        let root = free["read the users' passwords"] == "done";
        for (act, error) in REFUSED {
            assert_eq!((act, &*locked[act]), (act, error), "{name}");
            // The kernel refuses some of it to all others.
            assert!(!root || free[act] != error, "{name} refuses anyway to {act}");
        }
        // Only root reads them.
        assert_eq!(locked["read the users' passwords"], "EACCES", "{name}");
    }
}

/// The library, and what it goes for.
struct Burglar {
    folder: tempfile::TempDir,
    library: PathBuf,
    port: TcpListener,
    _abstract_socket: UnixListener,
}

impl Burglar {
    fn new(compiler: &Path) -> Self {
        let folder = tempfile::tempdir().unwrap();
        // The only folder of it that the server may read.
        let own = folder.path().join("own");
        std::fs::create_dir(&own).unwrap();
        let (source, library) = (own.join("burglar.c"), own.join("burglar.so"));
        std::fs::write(&source, SOURCE).unwrap();
        let mut cc = command(compiler);
        let Finished { status, output } =
            finish(cc.args(["-shared", "-fPIC", "-o"]).arg(&library).arg(&source));
        assert!(status.success(), "{output}");
        for file in ["model.gguf", "secret"] {
            std::fs::write(folder.path().join(file), "x").unwrap();
        }
        let address = SocketAddr::from_abstract_name(abstract_name()).unwrap();
        Self {
            folder,
            library,
            port: TcpListener::bind("127.0.0.1:0").unwrap(),
            _abstract_socket: UnixListener::bind_addr(&address).unwrap(),
        }
    }

    /// Each act with what came of it.
    fn acts(&self, program: &Path, sandbox: &str) -> BTreeMap<String, String> {
        let file = |name: &str| self.folder.path().join(name);
        let mut server = command(program);
        server.args(["--list-devices", "--port", "1", "-m"]).arg(file("model.gguf"));
        server.env("LLAMA_SERVER_SANDBOX", sandbox).env("GGML_BACKEND_PATH", &self.library);
        server.env("BURGLAR_MODEL", file("model.gguf")).env("BURGLAR_SECRET", file("secret"));
        let _ = std::fs::remove_file(file("new"));
        server.env("BURGLAR_NEW", file("new")).env("BURGLAR_ABSTRACT", abstract_name());
        server.env("BURGLAR_PORT", self.port.local_addr().unwrap().port().to_string());
        let output = finish(&mut server).output;
        let acts =
            output.lines().filter_map(|line| line.strip_prefix("burglar: ")?.split_once(": "));
        let acts: BTreeMap<_, _> =
            acts.map(|(act, end)| (act.to_owned(), end.to_owned())).collect();
        assert!(acts.contains_key("start a thread"), "{output}");
        acts
    }
}

fn abstract_name() -> String {
    format!("llama-burglar-{}", std::process::id())
}
