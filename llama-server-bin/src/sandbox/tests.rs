//! Plans for systems that are not here.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::options::only_prints;
use super::plan::Plan;
use super::request;
use super::system::System;

/// A container: the server is in `/app`, somebody stands in `/work`.
struct Machine {
    variables: BTreeMap<&'static str, &'static str>,
    files: BTreeMap<&'static str, &'static str>,
    devices: Vec<&'static str>,
    folder: &'static str,
}

fn machine() -> Machine {
    Machine {
        variables: BTreeMap::from([("HOME", "/data"), ("PATH", "/usr/bin:/bin")]),
        files: BTreeMap::new(),
        devices: vec!["null", "tty", "sda"],
        folder: "/work",
    }
}

impl Machine {
    fn plan(&self, line: &str) -> Plan {
        let args: Vec<OsString> = line.split(' ').map(OsString::from).collect();
        let system = System {
            env: &|name| self.variables.get(name).map(OsString::from),
            read: &|file| Some((*self.files.get(file.to_str()?)?).to_owned()),
            exists: &|path| path.to_str().is_some_and(|path| self.files.contains_key(path)),
            links: &|folder| match folder == Path::new("/linked") {
                true => vec!["/linked/m.gguf".into()],
                false => Vec::new(),
            },
            folder: self.folder.into(),
            program: "/app/llama-server".into(),
            mapped: ["/lib64/ld-linux-x86-64.so.2", "/app/llama-server", "/far/libggml.so"]
                .map(PathBuf::from)
                .into(),
            loader_conf: "# comment\n/usr/local/cuda/targets/lib\ninclude x".to_owned(),
            devices: self.devices.iter().map(|name| Path::new("/dev").join(name)).collect(),
            user: 1000,
        };
        Plan::new(&request::read(&args, &system), &system)
    }
}

fn paths(set: &std::collections::BTreeSet<PathBuf>) -> Vec<&str> {
    set.iter().map(|path| path.to_str().expect("the paths of these tests are text")).collect()
}

#[test]
fn a_server_of_one_model_keeps_its_model_and_its_port() {
    let plan = machine().plan("llama-server -m /models/m.gguf --port 8080");
    assert_eq!(paths(&plan.read), ["/models/m.gguf"]);
    assert!(plan.write.is_empty() && plan.make_folders.is_empty() && plan.sockets.is_empty());
    assert_eq!(plan.bind, Some([8080].into()));
    assert!(!plan.connect && !plan.spawns());
    for folder in ["/usr/lib", "/app", "/far", "/usr/local/cuda/targets/lib", "/sys"] {
        assert!(plan.system.contains(Path::new(folder)), "{folder}");
    }
    for folder in ["/", "/etc", "/data", "/work", "/usr/bin", "/models", "/dev"] {
        assert!(!plan.system.contains(Path::new(folder)), "{folder}");
    }
    assert!(plan.devices.contains(Path::new("/dev/null")));
    assert!(!plan.devices.contains(Path::new("/dev/sda")));
}

#[test]
fn options_are_known_by_every_name_and_variable() {
    let of = |line: &str| paths(&machine().plan(line).read).join(" ");
    assert_eq!(of("llama-server --model m.gguf"), "m.gguf");
    assert_eq!(of("llama-server -m m.gguf --api_key_file k"), "k m.gguf");
    let mut machine = machine();
    machine.variables.insert("LLAMA_ARG_MODEL", "/m.gguf");
    machine.variables.insert("LLAMA_ARG_PORT", "8081");
    machine.variables.insert("LLAMA_ARG_TOOLS", "");
    let plan = machine.plan("llama-server --port 8082");
    assert_eq!(paths(&plan.read), ["/m.gguf"]);
    assert_eq!(plan.bind, Some([8081, 8082].into()));
    assert!(!plan.spawns());
}

#[test]
fn all_parts_of_a_split_model_and_all_files_of_a_list() {
    let plan = machine().plan(
        "llama-server -m /m-00002-of-00003.gguf --lora a.gguf,b.gguf --lora-scaled c.gguf:0.5",
    );
    let split = ["/m-00001-of-00003.gguf", "/m-00002-of-00003.gguf", "/m-00003-of-00003.gguf"];
    let files = paths(&plan.read);
    for file in split.into_iter().chain(["a.gguf", "b.gguf", "c.gguf"]) {
        assert!(files.contains(&file), "{file} is not in {files:?}");
    }
}

#[test]
fn folders_to_write_in_are_those_that_were_named() {
    let plan = machine().plan(
        "llama-server -m m.gguf --slot-save-path /slots --log-file /l.log --log-prompts-dir /p",
    );
    assert_eq!(paths(&plan.write), ["/l.log", "/p", "/slots"]);
    assert_eq!(paths(&plan.make_folders), ["/p"]);
    assert_eq!(paths(&plan.make_files), ["/l.log"]);
}

#[test]
fn a_download_gets_the_cache_and_the_network() {
    let plan = machine().plan("llama-server -hf ggml-org/tiny");
    let caches = ["/data/.cache/huggingface/hub", "/data/.cache/llama.cpp"];
    assert_eq!(paths(&plan.write), caches);
    assert_eq!(paths(&plan.make_folders), caches);
    assert!(plan.connect && plan.bind.is_none());
    assert_eq!(paths(&plan.programs), ["/app/llama-server", "/lib64/ld-linux-x86-64.so.2"]);

    let mut machine = machine();
    machine.variables.insert("LLAMA_CACHE", "/data/cache");
    assert_eq!(paths(&machine.plan("llama-server --gpt-oss-20b-default").write), ["/data/cache"]);
    machine.variables = BTreeMap::new();
    machine
        .files
        .insert("/etc/passwd", "root:x:0:0::/root:/bin/sh\nme:x:1000:1000::/people/you:/bin/sh");
    let plan = machine.plan("llama-server -hf ggml-org/tiny");
    assert!(paths(&plan.write).contains(&"/people/you/.cache/llama.cpp"), "{plan:?}");
}

#[test]
fn a_download_to_a_named_place_is_written_there() {
    let plan = machine().plan("llama-server -m /models/m.gguf -mu http://x/y.gguf");
    assert!(plan.write.contains(Path::new("/models")) && plan.connect);
}

#[test]
fn a_router_starts_itself_and_reads_what_its_presets_name() {
    let mut machine = machine();
    machine
        .files
        .insert("/p.ini", "[a]\nmodel = /a.gguf\nLLAMA_ARG_MMPROJ = /b.gguf\nagent = off\n");
    let plan = machine.plan("llama-server --models-dir /models --models-preset /p.ini");
    assert_eq!(paths(&plan.read), ["/a.gguf", "/b.gguf", "/models", "/p.ini"]);
    assert_eq!(paths(&plan.programs), ["/app/llama-server", "/lib64/ld-linux-x86-64.so.2"]);
    assert!(plan.connect && plan.bind.is_none());
}

#[test]
fn a_link_in_a_folder_of_models_leads_to_its_model() {
    let plan = machine().plan("llama-server --models-dir /linked");
    assert!(plan.system.contains(Path::new("/linked/m.gguf")), "{plan:?}");
}

#[test]
fn a_file_of_options_counts_as_the_command_line_does() {
    let mut machine = machine();
    machine.files.insert("/data/.config/llama.cpp/config.ini", "m = /m.gguf\nport = 81");
    let plan = machine.plan("llama-server");
    assert_eq!(paths(&plan.read), ["/m.gguf"]);
    assert_eq!(plan.bind, Some([81].into()));
    assert!(!plan.spawns());
}

#[test]
fn tools_get_the_current_folder_and_the_systems_programs() {
    let mut machine = machine();
    let line = "llama-server -m m.gguf --tools all";
    let plan = machine.plan(line);
    assert_eq!(paths(&plan.write), ["/work"]);
    assert!(plan.programs.contains(Path::new("/usr")) && plan.connect);
    machine.folder = "/";
    assert!(machine.plan(line).write.is_empty());
    machine.folder = "/work";
    assert!(machine.plan("llama-server -m m.gguf --no-agent").write.is_empty());
}

#[test]
fn ffmpeg_is_started_where_pictures_are_taken_and_it_is_there() {
    let mut machine = machine();
    let line = "llama-server -m m.gguf --mmproj p.gguf";
    let plan = machine.plan(line);
    assert_eq!(paths(&plan.read), ["m.gguf", "p.gguf"]);
    assert!(plan.connect && !plan.spawns());
    machine.files.insert("/usr/bin/ffmpeg", "");
    let programs = machine.plan(line).programs;
    assert_eq!(paths(&programs), ["/lib64/ld-linux-x86-64.so.2", "/usr/bin/ffmpeg"]);
}

#[test]
fn gpus_stay_reachable_and_their_drivers_keep_their_caches() {
    let mut machine = machine();
    machine.devices.extend(["nvidia0", "nvidiactl", "nvidia-uvm", "nvidia-caps"]);
    let plan = machine.plan("llama-server -m m.gguf");
    for device in ["nvidia0", "nvidiactl", "nvidia-uvm", "nvidia-caps"] {
        assert!(plan.devices.contains(&Path::new("/dev").join(device)), "{device}");
    }
    assert_eq!(paths(&plan.write), ["/data/.cache/nvidia", "/data/.nv"]);
    machine.devices = vec!["kfd", "dri"];
    let plan = machine.plan("llama-server -m m.gguf");
    assert!(plan.devices.contains(Path::new("/dev/kfd")));
    assert!(plan.write.contains(Path::new("/data/.cache/mesa_shader_cache")));
    assert!(plan.write.contains(Path::new("/tmp")));
}

#[test]
fn a_server_of_sockets_has_no_port() {
    let plan = machine().plan("llama-server -m m.gguf --host 127.0.0.1,/run/llama/s.sock,own.sock");
    assert_eq!(paths(&plan.sockets), ["/run/llama/s.sock", "own.sock"]);
    assert_eq!(plan.bind, Some([9931].into()));
    let plan = machine().plan("llama-server -m m.gguf --host own.sock --port 8080");
    assert_eq!(plan.bind, Some([].into()));
    let line = plan.summary(7, true, true);
    assert!(line.contains("; listens on own.sock; does not connect out;"), "{line}");
}

#[test]
fn users_add_what_nobody_could_know() {
    let mut machine = machine();
    machine.variables.insert("LLAMA_SERVER_SANDBOX_READ", "/a:/b");
    machine.variables.insert("LLAMA_SERVER_SANDBOX_WRITE", "/c");
    machine.variables.insert("LD_LIBRARY_PATH", "/opt/vendor/lib:");
    let plan = machine.plan("llama-server -m m.gguf");
    assert_eq!((paths(&plan.read), paths(&plan.write)), (vec!["/a", "/b", "m.gguf"], vec!["/c"]));
    assert!(plan.system.contains(Path::new("/opt/vendor/lib")));
}

#[test]
fn one_line_says_what_is_locked() {
    let plan = machine().plan("llama-server -m m.gguf");
    assert_eq!(
        plan.summary(7, true, true),
        "Landlock (ABI 7) and seccomp: reads m.gguf besides the system's libraries; writes \
        nothing; listens on port 9931; does not connect out; starts no program"
    );
    assert_eq!(
        machine().plan("llama-server --models-dir /m").summary(3, true, false),
        "Landlock (ABI 3): reads /m besides the system's libraries; writes \
         /data/.cache/huggingface/hub, /data/.cache/llama.cpp; starts programs"
    );
    assert_eq!(plan.summary(0, true, true), "seccomp: starts no program");
    assert_eq!(
        plan.summary(6, false, true),
        "Landlock (ABI 6) and seccomp: listens on port 9931; does not connect out; starts no \
        program"
    );
}

#[test]
fn what_only_prints_is_left_alone() {
    let only = |line: &str| only_prints(&line.split(' ').map(OsString::from).collect::<Vec<_>>());
    assert!(only("llama-server --help") && only("llama-server --version"));
    assert!(!only("llama-server -m m.gguf") && !only("llama-server --list-devices"));
}
