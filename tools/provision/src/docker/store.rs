//! containerd's image store of an engine that was there before: images of several platforms need it.

use std::fs;

use anyhow::{Context, Result, bail};
use llama_src::Error;
use llama_src::sh::Cmd;
use serde_json::{Value, json};

use workspace::root::User;

/// Where an engine of the system is told what it does.
const CONFIG: &str = "/etc/docker/daemon.json";

/// Gives the engine that answers containerd's store, with `yes`; it is restarted then.
///
/// # Errors
/// When it has another one and may not, or cannot, be changed.
pub(super) fn ensure(yes: bool) -> Result<()> {
    let status = Cmd::new("docker").args(["info", "--format", "{{json .DriverStatus}}"]).read()?;
    if status.contains("io.containerd.snapshotter") {
        return Ok(());
    }
    let before = fs::read_to_string(CONFIG).ok();
    let after = with_store(before.as_deref())?;
    if !yes {
        bail!(Error::mismatch("the Docker engine does not keep images as containerd does, which images of several platforms need").hint(format!("write this into {CONFIG} and restart it, or say --yes: {after}")));
    }
    let dir = tempfile::tempdir().context("there is no folder to work in")?;
    let file = dir.path().join("daemon.json");
    fs::write(&file, after).with_context(|| format!("cannot write {}", file.display()))?;
    let (user, what) = (User::find()?, "change the Docker engine");
    let install = Cmd::new("install").args(["-D", "-m", "644"]).arg(&file).arg(CONFIG);
    user.as_root(&install, what)?.run()?;
    user.as_root(&Cmd::new("systemctl").args(["restart", "docker"]), what)?.run()?;
    Ok(())
}

/// The engine's configuration with the store in it, and all else as it is.
fn with_store(before: Option<&str>) -> Result<String> {
    let text = before.filter(|text| !text.trim().is_empty()).unwrap_or("{}");
    let mut config: Value =
        serde_json::from_str(text).with_context(|| format!("{CONFIG} is no JSON"))?;
    if !config.is_object() || !matches!(config["features"], Value::Null | Value::Object(_)) {
        bail!("{CONFIG} is no configuration of Docker's");
    }
    if config["features"].is_null() {
        config["features"] = json!({});
    }
    config["features"]["containerd-snapshotter"] = true.into();
    Ok(format!("{config:#}\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_engine_was_told_before_stays() {
        let read = |text: Option<&str>| -> Value {
            serde_json::from_str(&with_store(text).unwrap()).unwrap()
        };
        let store = json!({"features": {"containerd-snapshotter": true}});
        assert_eq!(read(None), store);
        assert_eq!(read(Some("\n")), store);
        let own = r#"{"data-root": "/big", "features": {"buildkit": true}}"#;
        assert_eq!(
            read(Some(own)),
            json!({"data-root": "/big", "features": {"buildkit": true, "containerd-snapshotter": true}})
        );
        for broken in ["[]", "{", r#"{"features": 1}"#] {
            assert!(with_store(Some(broken)).is_err(), "{broken}");
        }
    }
}
