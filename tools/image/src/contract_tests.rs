//! An image that keeps every promise, and ones that break each.

use super::*;
use product::variant::Variant;
use serde_json::json;

fn labels_of(variant: &str) -> Value {
    let mut labels = json!({
        "org.opencontainers.image.created": "2025-08-20T14:20:00Z",
        "org.opencontainers.image.version": "2508201420-abc1234",
        "org.opencontainers.image.revision": "abc1234567890abcdef1234567890abcdef12345",
        "org.opencontainers.image.licenses": "MIT",
    });
    let subject = Subject::new(Variant::parse(variant).unwrap());
    for label in LABELS.iter().filter(|label| labels.get(label.name).is_none()).collect::<Vec<_>>()
    {
        match (label.promise, label.of(&subject)) {
            (Promise::There, _) => labels[label.name] = "x".into(),
            (Promise::Exact, Some(value)) => labels[label.name] = value.into(),
            _ => {}
        }
    }
    labels
}

fn kept(variant: &str) -> Value {
    json!({
        "User": "10001:10001",
        "Entrypoint": ["/app/bin/llama-server"],
        "Cmd": null,
        "Env": ["PATH=/bin:/app/bin", "LLAMA_ARG_HOST=::", "LLAMA_SERVER_NEEDS_MODEL=1", "LLAMA_SERVER_SANDBOX=1",
            "NVIDIA_VISIBLE_DEVICES=all", "NVIDIA_DRIVER_CAPABILITIES=compute,utility", "NVIDIA_REQUIRE_CUDA=cuda>=13.0",
            "LD_LIBRARY_PATH=/usr/local/nvidia/lib:/usr/local/nvidia/lib64"],
        "Labels": labels_of(variant),
        "ExposedPorts": {"8080/tcp": {}},
        "Healthcheck": {"Test": ["CMD", "/app/bin/llama-healthcheck"]},
        "Volumes": null,
    })
}

fn broken(config: Value, variant: Variant) -> Vec<String> {
    super::config(&serde_json::from_value(config).unwrap(), &Subject::new(variant))
}

#[test]
fn an_image_that_keeps_its_promises_is_left_alone() {
    assert!(broken(kept("cpu"), Variant::Cpu).is_empty());
    assert!(broken(kept("cuda"), Variant::Cuda).is_empty());
}

#[test]
fn every_promise_about_the_configuration_is_held() {
    for (key, value, message) in [
        ("User", json!("llama"), "the user is `llama`: it must be a number, and not root"),
        ("User", json!(""), "the user is ``: it must be a number, and not root"),
        ("User", json!("10001:0"), "the user is `10001:0`: it must be a number, and not root"),
        ("Entrypoint", json!(null), "ENTRYPOINT is [], not [\"/app/bin/llama-server\"]"),
        ("Cmd", json!(["--port", "1"]), "CMD is [\"--port\", \"1\"], not []"),
        ("ExposedPorts", json!({"80/tcp": {}}), "port 8080 is not exposed"),
        ("Healthcheck", json!(null), "no health check found"),
        (
            "Env",
            json!([
                "PATH=/bin:/app",
                "LLAMA_ARG_HOST=::",
                "LLAMA_SERVER_NEEDS_MODEL=1",
                "LLAMA_SERVER_SANDBOX=1"
            ]),
            "/app/bin is not in PATH",
        ),
        (
            "Volumes",
            json!({"/data": {}}),
            "there are volumes: images built from this one cannot change the files in them",
        ),
    ] {
        let mut config = kept("cpu");
        config[key] = value;
        assert_eq!(broken(config, Variant::Cpu), [message]);
    }
    let mut config = kept("cuda");
    config["Env"] = json!(["PATH=/app/bin", "LLAMA_ARG_HOST=127.0.0.1"]);
    assert_eq!(
        broken(config, Variant::Cuda),
        [
            "the environment has no LLAMA_ARG_HOST=::",
            "the environment has no LLAMA_SERVER_NEEDS_MODEL=1",
            "the environment has no LLAMA_SERVER_SANDBOX=1",
            "the environment has no NVIDIA_VISIBLE_DEVICES=all",
            "the environment has no NVIDIA_DRIVER_CAPABILITIES=compute,utility",
            "the environment has no LD_LIBRARY_PATH=/usr/local/nvidia/lib:/usr/local/nvidia/lib64",
            "the environment has no NVIDIA_REQUIRE_CUDA=cuda>=13.0",
        ]
    );
}

#[test]
fn labels_are_there_and_right() {
    let mut config = kept("cuda");
    config["Labels"]["org.opencontainers.image.created"] = "".into();
    config["Labels"]["llama-server.target"] = "minimal".into();
    config["Labels"].as_object_mut().unwrap().remove("llama-server.minimum-driver");
    assert_eq!(
        broken(config, Variant::Cuda),
        [
            "label org.opencontainers.image.created not found",
            "the label llama-server.target is `minimal`, not `runtime`",
            "the label llama-server.minimum-driver is unset, not `580`",
        ]
    );
    let mut config = kept("cpu");
    config["Labels"] = json!(null);
    let promised = labels_of("cpu").as_object().unwrap().len();
    assert_eq!(broken(config, Variant::Cpu).len(), promised);
}

#[test]
fn the_label_has_every_licence_of_the_distribution() {
    let check = |declared: &str, variant: &str| {
        let mut config = kept(variant);
        config["Labels"]["org.opencontainers.image.licenses"] =
            "MIT AND (MIT OR Apache-2.0) AND LicenseRef-NVIDIA-CUDA-EULA".into();
        let config = serde_json::from_value(config).unwrap();
        let document = json!({ "packages": [{ "licenseDeclared": declared }] }).to_string();
        licenses(&document, &config, &Subject::new(Variant::parse(variant).unwrap()))
    };
    assert!(check("(MIT OR Apache-2.0) AND MIT", "cpu").is_empty());
    assert_eq!(
        check("(ISC AND Zlib) AND LicenseRef-x AND MIT", "cpu"),
        ["the label `licenses` does not have (ISC AND Zlib) AND LicenseRef-x"]
    );
    assert!(check("LicenseRef-cublas AND MIT", "cuda").is_empty());
    let none = licenses("{}", &Config::default(), &Subject::new(Variant::Cpu));
    assert_eq!(none, ["/app/sbom.spdx.json is not a valid bill of materials of a distribution"]);
}

#[test]
fn version_json_has_the_keys_that_others_read_and_agrees_with_the_labels() {
    let config: Config = serde_json::from_value(kept("cpu")).unwrap();
    let check = |json: &Value| version(&json.to_string(), &config, &Subject::new(Variant::Cpu));
    let good = json!({
        "version": "2508201420-abc1234", "commit": "abc1234567890abcdef1234567890abcdef12345",
        "timestamp": "2508201420", "variant": "cpu", "branch": "main", "schema": 1,
        "source_date_epoch": 0, "target": "t", "flags": {}, "tools": {},
        "llama_cpp": {"tag": "b1", "build_number": 1, "version": "1", "tree": "t", "verified": true,
            "patches": []},
        "cpu_variants": [], "symbol_versions": {}, "files": {},
    });
    assert!(check(&good).is_empty());
    let mut bad = good.clone();
    bad["commit"] = "abc".into();
    bad["timestamp"] = "2025-08-20".into();
    bad["variant"] = "cuda".into();
    bad["version"] = "1".into();
    assert_eq!(
        check(&bad),
        [
            "`commit` is `abc`, but must be 40 hexadecimal digits",
            "`timestamp` is `2025-08-20`, but `1` does not begin with it",
            "`variant` is `cuda`, not `cpu`",
            "the label `version` is `2508201420-abc1234`, /app/version.json says `1`",
            "the label `revision` is `abc1234567890abcdef1234567890abcdef12345`, /app/version.json says `abc`",
        ]
    );
    let mut bad = good;
    bad.as_object_mut().unwrap().remove("branch");
    assert!(
        check(&bad)[0].starts_with(
            "/app/version.json is not a valid manifest of a distribution: missing field `branch`"
        ),
        "{:?}",
        check(&bad)
    );
}
