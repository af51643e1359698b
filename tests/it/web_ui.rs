//! The web page in headless Chromium: type, send, and see the words come that the API gives.

use std::path::Path;

use llama_tests::browser::Browser;
use llama_tests::process::wait_for;
use llama_tests::{http, needs};
use serde_json::json;

const QUESTION: &str = "Hello, who are you?";
/// WebDriver's code of the key.
const ENTER: &str = "\u{e007}";

#[test]
fn a_question_typed_into_the_page_is_answered_there() {
    let (Some(program), Some(model), Some((driver, chromium))) =
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
    let browser = Browser::start(&driver, &chromium, profile.path());
    let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        ask(&browser, server.url(), &expected)
    }));
    let picture = screenshot(&browser);
    if let Err(panic) = outcome {
        eprintln!("what the page showed: {picture}\n{}", server.log().join("\n"));
        std::panic::resume_unwind(panic);
    }
}

fn ask(browser: &Browser, url: &str, expected: &[String]) {
    browser.open(url);
    let field = wait_for("a field for the question", || browser.find("textarea"));
    assert!(
        !contains(&words(&browser.text()), expected),
        "the answer is there before the question"
    );
    browser.type_into(&field, &format!("{QUESTION}{ENTER}"));
    wait_for(&format!("`{}` in the page", expected.join(" ")), || {
        let page = words(&browser.text());
        (contains(&page, &words(QUESTION)) && contains(&page, expected)).then_some(())
    });
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
fn screenshot(browser: &Browser) -> String {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("web-ui.png");
    match browser.picture().map(|picture| std::fs::write(&path, picture)) {
        Some(Ok(())) => path.display().to_string(),
        Some(Err(error)) => error.to_string(),
        None => "no picture".to_owned(),
    }
}
