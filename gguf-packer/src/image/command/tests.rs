//! Tests of commands: their files, and what of them passes to a server.

use super::*;

fn args(line: &str) -> Vec<String> {
    line.split(' ').map(str::to_owned).collect()
}

fn named(line: &str) -> Vec<(Role, usize, String)> {
    files(&args(line)).unwrap().into_iter().map(|file| (file.role, file.at, file.path)).collect()
}

#[test]
fn every_option_with_a_file_is_known() {
    for (options, role) in [
        ("-m --model", Role::Model),
        ("-md --model-draft --spec-draft-model", Role::Drafter),
        ("-mm --mmproj", Role::Projector),
        ("--lora --control-vector --lora-scaled --control-vector-scaled", Role::Adapter),
        ("--chat-template-file -spf -sysf --system-prompt-file --grammar-file -jf", Role::Text),
        ("--api-key-file --ssl-key-file --ssl-cert-file --new-file -lcd", Role::Runtime),
    ] {
        for option in options.split(' ') {
            assert_eq!(named(&format!("-c 1 {option} f")), [(role, 3, "f".to_owned())], "{option}");
        }
    }
    for option in ["--log-file", "--hf-file", "-hff", "-mu", "-hf", "--port", "file"] {
        assert_eq!(named(&format!("{option} f")), [], "{option}");
    }
}

#[test]
fn adapters_have_scales_in_two_forms() {
    let two = [(Role::Adapter, 1, "a".to_owned()), (Role::Adapter, 1, "b".to_owned())];
    assert_eq!(named("--lora a,b"), two);
    assert_eq!(named("--lora-scaled a:0.5,b:-1"), two);
    let old = named("--lora-scaled a 0.5 --lora-scaled b 1 -m m");
    let expected = [(Role::Adapter, 1, "a"), (Role::Adapter, 4, "b"), (Role::Model, 7, "m")];
    assert_eq!(old, expected.map(|(role, at, path)| (role, at, path.to_owned())));
}

#[test]
fn names_are_replaced_and_scales_stay() {
    let line = "-m m --lora a,b --lora-scaled c:0.5,d:2 --control-vector-scaled e 1.5 --chat-template -m -m \
                n";
    let renamed = rename(&args(line), |file| Ok(format!("/{}", file.path))).unwrap();
    let expected = "-m /m --lora /a,/b --lora-scaled /c:0.5,/d:2 --control-vector-scaled /e 1.5 \
                    --chat-template -m -m /n";
    assert_eq!(renamed.join(" "), expected);
}

#[test]
fn options_go_with_their_files_and_scales() {
    let line = "-md d -m m --lora a,b --lora-scaled c:0.5,d:2 --lora-scaled e 1.5 --temp 1";
    let left = without(&args(line), &[Role::Drafter, Role::Adapter]);
    assert_eq!(left.join(" "), "-m m --temp 1");
}

#[test]
fn all_that_is_wrong_is_told_at_once() {
    let error = rename(&args("-m m --mmproj p --lora"), |file| Err(Error::new(file.path.clone())));
    let expected = "m\np\nthe option `--lora` needs a file\n  hint: CMD [\"--lora\", \"FILE\"]";
    assert_eq!(error.unwrap_err().to_string(), expected);
}

#[test]
fn a_model_may_be_elsewhere() {
    assert!(has_model(&args("-m m")));
    assert!(has_model(&args("-hf org/repo")));
    assert!(!has_model(&args("-c 8192 --mmproj p")));
    assert!(!has_model(&[]));
    assert!(!has_model(&["-m".to_owned(), String::new()]));
}

#[test]
fn only_what_is_about_the_model_passes_to_a_server_here() {
    for line in [
        "-m m -c 8192 --temp 0.7 -ngl -1 --mmproj p --lora a,b --lora-scaled c 0.5 -md d --jinja",
        "--control-vector-layer-range 1 2 -fa --no-mmap -fa off --lookup-cache-static l -sysf s",
        "--chat-template-file t --grammar-file g -jf j --alias -1 --embedding --pooling mean",
    ] {
        let kept = about_the_model(&args(line));
        assert_eq!((kept.args.join(" "), kept.left_out), (line.to_owned(), vec![]));
    }
    for option in [
        "--log-file x",
        "--log-prompts-dir x",
        "--slot-save-path x",
        "-lcd x",
        "--path x",
        "--media-path x",
        "--models-dir x",
        "--models-preset x",
        "--host x",
        "--port 1",
        "--api-prefix x",
        "--reuse-port",
        "--cors-origins x",
        "--api-key x",
        "--api-key-file x",
        "--ssl-key-file x",
        "--ssl-cert-file x",
        "-hf x",
        "-mu x",
        "-dr x",
        "--mmproj-url x",
        "--spec-draft-hf x",
        "--gpt-oss-20b-default",
        "--rpc x",
        "--tools x",
        "--agent",
        "--mcp-servers-json x",
        "--mcp-servers-config x",
        "--ui-mcp-proxy",
        "--ui-config x",
        "--video-ffmpeg-dir x",
        "--props",
        "--metrics",
        "--new",
        "--new-file x",
        "--logdir x",
    ] {
        let kept = about_the_model(&args(&format!("-m m {option} -c 1")));
        assert_eq!(kept.args.join(" "), "-m m -c 1", "{option}");
        assert_eq!(kept.left_out, [option.replace(" x", " …").replace(" 1", " …")]);
    }
}

#[test]
fn no_program_divides_the_rest_of_a_command_otherwise() {
    for (line, passes, left_out) in [
        ("-m m --log_file x", "-m m", "--log-file …"),
        ("--ctx_size 1 --chat_template_file t", "--ctx-size 1 --chat-template-file t", ""),
        ("-m m --new value -c 1", "-m m -c 1", "--new|value"),
        ("-r --mlock -a --log-file --tags x", "--tags x", "-r …|-a …"),
        ("-c --log-file x", "", "-c …|x"),
        ("-r -m -m x", "-m x", "-r …"),
        ("-m m -c", "-m m", "-c …"),
    ] {
        let kept = about_the_model(&args(line));
        assert_eq!(
            (kept.args.join(" "), kept.left_out.join("|")),
            (passes.into(), left_out.into())
        );
    }
    // A file is found as the server finds it.
    assert_eq!(named("-r -m -m x"), [(Role::Model, 3, "x".to_owned())]);
    assert_eq!(named("--chat_template_file t"), [(Role::Text, 1, "t".to_owned())]);
}

#[test]
fn a_container_gets_all_but_the_address() {
    let line =
        "-m m --port 1 --host 0.0.0.0 --api_prefix /x --reuse-port --new a_b -hf r --log-file l";
    let kept = without_address(&args(line));
    assert_eq!(kept.args.join(" "), "-m m --new a_b -hf r --log-file l");
    assert_eq!(kept.left_out, ["--port …", "--host …", "--api-prefix …", "--reuse-port"]);
    let line = "--chat-template --port -m m";
    assert_eq!(without_address(&args(line)).args.join(" "), line);
}
