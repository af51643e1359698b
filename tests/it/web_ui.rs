//! The web page in headless Chromium: type, send, and see the words come that the API gives.

use std::ffi::OsStr;
use std::path::Path;
use std::sync::Arc;

use headless_chrome::protocol::cdp::Page::CaptureScreenshotFormatOption;
use headless_chrome::{Browser, LaunchOptions, Tab};
use llama_tests::process::{PATIENCE, wait_for};
use llama_tests::{http, needs};
use serde_json::json;

const QUESTION: &str = "Hello, who are you?";

#[test]
fn a_question_typed_into_the_page_is_answered_there() {
    let (Some(program), Some(model), Some(chromium)) =
        (needs::server(), needs::demo_model(), needs::chromium())
    else {
        return;
    };
    // Greedy by default, so that the page and the API get the same answer.
    let greedy = ["--temp", "0", "--top-k", "1", "--seed", "1", "-n", "32"];
    let server = llama_tests::server::start(&program, &model, &greedy);
    let body = json!({ "messages": [{ "role": "user", "content": QUESTION }] });
    let answer = http::post(&format!("{}/v1/chat/completions", server.url()), &body).ok();
    let expected = words(answer["choices"][0]["message"]["content"].as_str().unwrap());
    assert!(!expected.is_empty(), "the API gave no words: {answer}");

    let profile = tempfile::tempdir().unwrap();
    let browser = browser(&chromium, profile.path());
    let tab = browser.new_tab().unwrap();
    let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        ask(&tab, server.url(), &expected)
    }));
    let picture = screenshot(&tab);
    if let Err(panic) = outcome {
        eprintln!("what the page showed: {picture}\n{}", server.log().join("\n"));
        std::panic::resume_unwind(panic);
    }
}

fn browser(chromium: &Path, profile: &Path) -> Browser {
    // No sandbox: it needs a user namespace, which containers do not have. The page is our own.
    let args = [
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--no-proxy-server",
    ];
    let options = LaunchOptions {
        path: Some(chromium.to_owned()),
        user_data_dir: Some(profile.to_owned()),
        sandbox: false,
        window_size: Some((1280, 900)),
        idle_browser_timeout: PATIENCE,
        args: args.iter().map(OsStr::new).collect(),
        ..LaunchOptions::default()
    };
    Browser::new(options).unwrap()
}

fn ask(tab: &Arc<Tab>, url: &str, expected: &[String]) {
    tab.set_default_timeout(PATIENCE);
    tab.navigate_to(url).unwrap();
    let field = tab.wait_for_element_with_custom_timeout("textarea", PATIENCE).unwrap();
    field.click().unwrap();
    assert!(!contains(&page_words(tab), expected), "the answer is there before the question");
    tab.type_str(QUESTION).unwrap();
    tab.press_key("Enter").unwrap();
    wait_for(&format!("`{}` in the page", expected.join(" ")), || {
        let page = page_words(tab);
        (contains(&page, &words(QUESTION)) && contains(&page, expected)).then_some(())
    });
}

fn page_words(tab: &Tab) -> Vec<String> {
    let text = tab.evaluate("document.body.innerText", false).ok().and_then(|text| text.value);
    words(text.as_ref().and_then(|text| text.as_str()).unwrap_or_default())
}

/// Words alone: the page shows the answer as Markdown.
fn words(text: &str) -> Vec<String> {
    text.split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_owned)
        .collect()
}

fn contains(page: &[String], words: &[String]) -> bool {
    page.windows(words.len()).any(|window| window == words)
}

/// Where the picture lies, for whoever looks for the reason of a failure.
fn screenshot(tab: &Tab) -> String {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("web-ui.png");
    match tab.capture_screenshot(CaptureScreenshotFormatOption::Png, None, None, true) {
        Ok(picture) => std::fs::write(&path, picture)
            .map_or_else(|e| e.to_string(), |()| path.display().to_string()),
        Err(error) => format!("no picture: {error}"),
    }
}
