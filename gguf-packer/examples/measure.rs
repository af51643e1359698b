//! Measures the packer that was built beside it: `cargo run --release -p gguf-packer --example measure
//! [FOLDER]`, after `cargo build --release -p gguf-packer`. Packing is compared with what nobody can do without,
//! a copy and a hash, in turns, and pulling with `curl` and a hash; each figure is a median.

#![expect(clippy::disallowed_methods, reason = "it starts programs and watches them")]

use std::error::Error;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use gguf_packer::digest::Digest;
use gguf_packer::store::{NewImage, Store};

/// Bytes of the model.
const SIZE: usize = 1 << 30;
/// Times that each is measured.
const TURNS: usize = 5;
/// Images that are listed.
const IMAGES: usize = 1000;

type Done<T> = Result<T, Box<dyn Error>>;

/// How long a program took, and the most memory that it had, in KiB.
#[derive(Clone, Copy, Default)]
struct Cost {
    time: Duration,
    memory: u64,
}

fn main() -> Done<()> {
    let own = std::env::current_exe()?;
    let built = own.ancestors().nth(2).ok_or("an example is in a folder of its profile")?;
    let packer = built.join("gguf-packer");
    let below = std::env::args_os().nth(1).map_or(built.to_owned(), PathBuf::from);
    let dir = tempfile::tempdir_in(below)?;
    let (context, store) = (dir.path().join("context"), dir.path().join("store"));
    fs::create_dir(&context)?;
    let model = context.join("model.gguf");
    write_model(&model)?;
    let file = "FROM scratch\nCOPY model.gguf .\nCMD [\"-m\", \"model.gguf\"]\n";
    fs::write(context.join("GGUFPackerfile"), file)?;
    let run = |words: &[&str]| {
        let mut command = Command::new(&packer);
        command.arg("--store").arg(&store).args(words);
        cost(command.current_dir(&context))
    };
    let build = ["build", "--quiet", "--tag", "m:1", "."];
    let (mut plain, mut packed) = (Vec::new(), Vec::new());
    for _ in 0..TURNS {
        plain.push(copy_and_hash(&model, &dir.path().join("copy"))?);
        let _ = fs::remove_dir_all(&store);
        rest()?;
        packed.push(run(&build)?);
        rest()?;
    }
    let (plain, packed) = (median(plain), median(packed));
    let ratio = packed.time.as_secs_f64() / plain.time.as_secs_f64();
    println!("cp and sha256sum    {}", shown(plain));
    println!("build, 1 GiB        {}  {ratio:.2} of cp and sha256sum", shown(packed));
    println!("build, unchanged    {}", shown(median_of(|| run(&build))?));
    println!(
        "save, oci-archive   {}",
        shown(run(&["save", "--output", "oci-archive=../a", "m:1"])?)
    );
    println!("store check --deep  {}", shown(run(&["store", "check", "--deep"])?));
    measure_pull(&packer, &store, dir.path())?;
    more_images(&store)?;
    println!("list, {IMAGES} images   {}", shown(median_of(|| run(&["list"]))?));
    Ok(())
}

/// Pulling over this machine's own network, in turns with fetching the same layer by `curl` and hashing it.
fn measure_pull(packer: &Path, store: &Path, dir: &Path) -> Done<()> {
    let command = |store: &Path, words: &[&str]| {
        let mut command = Command::new(packer);
        command.arg("--store").arg(store).args(words).current_dir(dir);
        cost(&mut command)
    };
    command(store, &["save", "--output", "oci-dir=layout", "m:1"])?;
    let host = serve(dir.join("layout"))?;
    let blobs = fs::read_dir(dir.join("layout/blobs/sha256"))?.collect::<Result<Vec<_>, _>>()?;
    let size = |blob: &fs::DirEntry| blob.metadata().map_or(0, |blob| blob.len());
    let layer = blobs.iter().max_by_key(|blob| size(blob)).ok_or("the image has layers")?;
    let url = format!("http://{host}/v2/m/blobs/sha256:{}", layer.file_name().to_string_lossy());
    let (fetched, other) = (dir.join("fetched"), dir.join("other"));
    let (mut plain, mut pulled) = (Vec::new(), Vec::new());
    for _ in 0..TURNS {
        let curl = cost(
            Command::new("curl").args(["--fail", "--silent", "--output"]).arg(&fetched).arg(&url),
        )?;
        let hashed = cost(Command::new("sha256sum").arg(&fetched))?;
        plain.push(Cost { time: curl.time + hashed.time, memory: curl.memory.max(hashed.memory) });
        fs::remove_file(&fetched)?;
        rest()?;
        pulled.push(command(&other, &["pull", "--progress", "quiet", &format!("{host}/m:1")])?);
        fs::remove_dir_all(&other)?;
        rest()?;
    }
    let (plain, pulled) = (median(plain), median(pulled));
    let ratio = pulled.time.as_secs_f64() / plain.time.as_secs_f64();
    println!("curl and sha256sum  {}", shown(plain));
    println!("pull, 1 GiB         {}  {ratio:.2} of curl and sha256sum", shown(pulled));
    Ok(())
}

/// A registry that has what an OCI layout has, under each name; says where it is.
fn serve(layout: PathBuf) -> Done<String> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let host = listener.local_addr()?.to_string();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let layout = layout.clone();
            // Who asks may go away in the middle of an answer.
            std::thread::spawn(move || answer(&stream, &layout).unwrap_or_default());
        }
    });
    Ok(host)
}

fn answer(mut stream: &TcpStream, layout: &Path) -> Done<()> {
    let head: Vec<String> = BufReader::new(stream)
        .lines()
        .map_while(Result::ok)
        .take_while(|line| !line.is_empty())
        .collect();
    let line = head.first().ok_or("a question has a line")?;
    let target = line.split(' ').nth(1).ok_or("a question has a target")?;
    let digest = match target.rsplit_once("sha256:") {
        Some((_, digest)) => digest.to_owned(),
        None if target.contains("/manifests/") => {
            let index = json(&layout.join("index.json"))?;
            let first = index["manifests"][0]["digest"].as_str().ok_or("it has an image")?;
            first.trim_start_matches("sha256:").to_owned()
        }
        None => return Ok(stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")?),
    };
    let path = layout.join("blobs/sha256").join(digest);
    let mut kind = "application/octet-stream".to_owned();
    if target.contains("/manifests/") {
        kind = json(&path)?["mediaType"].as_str().ok_or("a manifest says its type")?.to_owned();
    }
    let mut file = File::open(&path)?;
    let length = file.metadata()?.len();
    write!(
        stream,
        "HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
    )?;
    if !line.starts_with("HEAD ") {
        std::io::copy(&mut file, &mut stream)?;
    }
    Ok(())
}

fn json(path: &Path) -> Done<serde_json::Value> {
    Ok(serde_json::from_slice(&fs::read(path)?)?)
}

/// A header of one tensor, whose numbers are anything.
fn write_model(path: &Path) -> Done<()> {
    let text = |text: &str| [&(text.len() as u64).to_le_bytes()[..], text.as_bytes()].concat();
    let header = |floats: u64| {
        let mut bytes = b"GGUF".to_vec();
        bytes.extend(3_u32.to_le_bytes());
        bytes.extend([1_u64, 1].iter().flat_map(|count| count.to_le_bytes()));
        bytes.extend([text("general.architecture"), 8_u32.to_le_bytes().to_vec()].concat());
        bytes.extend([text("llama"), text("output.weight"), 1_u32.to_le_bytes().to_vec()].concat());
        bytes.extend(floats.to_le_bytes());
        bytes.extend([0_u8; 4 + 8]);
        bytes.resize(bytes.len().next_multiple_of(32), 0);
        bytes
    };
    let weights = (SIZE - header(0).len()) / 4 * 4;
    let mut file = File::create(path)?;
    file.write_all(&header(weights as u64 / 4))?;
    let mut state = 1_u64;
    let mut left = weights;
    while left > 0 {
        // Knuth's generator: nothing that a file system could make smaller.
        let mut piece: Vec<u8> = (0..1 << 17)
            .flat_map(|_| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                (state ^ (state >> 29)).to_le_bytes()
            })
            .collect();
        piece.truncate(left);
        file.write_all(&piece)?;
        left -= piece.len();
    }
    Ok(file.sync_all()?)
}

fn copy_and_hash(from: &Path, to: &Path) -> Done<Cost> {
    let copied = cost(Command::new("cp").arg("--reflink=never").arg(from).arg(to))?;
    let hashed = cost(Command::new("sha256sum").arg(to))?;
    fs::remove_file(to)?;
    rest()?;
    let (time, memory) = (copied.time + hashed.time, copied.memory.max(hashed.memory));
    Ok(Cost { time, memory })
}

/// What is still to be written must not be in the next one's way.
fn rest() -> Done<()> {
    Ok(Command::new("sync").status().map(drop)?)
}

fn cost(command: &mut Command) -> Done<Cost> {
    let start = Instant::now();
    let mut child = command.stdout(Stdio::null()).spawn()?;
    let mut memory = 0;
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        memory = memory.max(peak(&child).unwrap_or(0));
        std::thread::sleep(Duration::from_millis(1));
    };
    let time = start.elapsed();
    if status.success() {
        Ok(Cost { time, memory })
    } else {
        Err(format!("{command:?}: {status}").into())
    }
}

fn peak(child: &Child) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{}/status", child.id())).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.split_whitespace().next()?.parse().ok()
}

fn median_of(mut run: impl FnMut() -> Done<Cost>) -> Done<Cost> {
    Ok(median((0..TURNS).map(|_| run()).collect::<Done<_>>()?))
}

/// The middle time, and the most memory.
fn median(mut costs: Vec<Cost>) -> Cost {
    costs.sort_by_key(|cost| cost.time);
    let memory = costs.iter().map(|cost| cost.memory).max().unwrap_or(0);
    Cost { memory, ..costs[costs.len() / 2] }
}

fn shown(cost: Cost) -> String {
    format!("{:8.3} s  {:5.1} MiB", cost.time.as_secs_f64(), cost.memory as f64 / 1024.0)
}

/// Images that differ from the one that is there by a label.
fn more_images(root: &Path) -> Done<()> {
    let store = Store::open_at(root).map_err(|e| e.to_string())?;
    let image = store.find("m:1").map_err(|e| e.to_string())?;
    for n in 1..IMAGES {
        let mut config: serde_json::Value = serde_json::from_slice(&image.config)?;
        config["config"]["Labels"]["number"] = n.to_string().into();
        let config = serde_json::to_vec(&config)?;
        let mut manifest: serde_json::Value = serde_json::from_slice(&image.manifest)?;
        manifest["config"]["digest"] = Digest::of(&config).to_string().into();
        manifest["config"]["size"] = config.len().into();
        let (layers, manifest) = (image.layers.clone(), serde_json::to_vec(&manifest)?);
        let new = NewImage { config, layers, manifest, ..NewImage::default() };
        let name = format!("registry.example/models/model-{n}:q5-k-m").parse();
        let name = name.map_err(|e: gguf_packer::Error| e.to_string())?;
        store.commit(&new, &[name]).map_err(|e| e.to_string())?;
    }
    Ok(())
}
