//! A system prompt becomes part of a chat template: llama-server no longer reads `--system-prompt-file`, and
//! a template can put the message first when a chat has none.

/// llama.cpp's own when neither the model nor the command has one.
const CHATML: &str = "{%- for message in messages -%}\n  \
     {{- '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>\\n' -}}\n\
     {%- endfor -%}\n\
     {%- if add_generation_prompt -%}\n  {{- '<|im_start|>assistant\\n' -}}\n{%- endif -%}";

/// What templates of models without a system role say when they meet one.
const NO_SYSTEM_ROLE: &str = "ystem role not supported";

/// `template` with `prompt` before the chat, unless the chat begins with a system message of its own.
///
/// Models whose template refuses the system role find the prompt at the beginning of the first message.
pub(super) fn with_system_prompt(template: Option<&str>, prompt: &str) -> String {
    let template = template.filter(|text| !text.is_empty() && *text != "chatml").unwrap_or(CHATML);
    let ending = ["\r\n", "\n"].into_iter().find_map(|end| prompt.strip_suffix(end));
    let prompt = quoted(ending.unwrap_or(prompt));
    let own = "messages and messages[0]['role'] in ['system', 'developer']";
    let first = if template.contains(NO_SYSTEM_ROLE) {
        format!(
            "[{{'role': 'user', 'content': {prompt} + '\\n\\n' + messages[0]['content']}}] + messages[1:]"
        )
    } else {
        format!("[{{'role': 'system', 'content': {prompt}}}] + messages")
    };
    format!("{{%- set messages = messages if {own} else {first} -%}}\n{template}")
}

/// Whether `template` is the name of a template that llama.cpp has, and not a template.
pub(super) fn is_name(template: &str) -> bool {
    !template.contains('{') && template != "chatml"
}

/// A text as a literal of Jinja.
fn quoted(text: &str) -> String {
    let text = text.replace('\\', "\\\\").replace('\'', "\\'");
    format!("'{}'", text.replace("\r\n", "\\n").replace('\n', "\\n").replace('\t', "\\t"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_prompt_stands_before_a_chat_without_one() {
        let expected = "{%- set messages = messages if messages and messages[0]['role'] in ['system', \
                        'developer'] else [{'role': 'system', 'content': 'It\\'s \\\\n.\\nBe kind.'}] + messages \
                        -%}\n{{ messages }}";
        assert_eq!(with_system_prompt(Some("{{ messages }}"), "It's \\n.\nBe kind.\n"), expected);
    }

    #[test]
    fn the_end_of_the_last_line_is_no_part_of_the_prompt() {
        for prompt in ["Be kind.", "Be kind.\n", "Be kind.\r\n"] {
            let template = with_system_prompt(Some("x"), prompt);
            assert!(template.contains("'content': 'Be kind.'}"), "{template}");
        }
    }

    #[test]
    fn a_model_without_a_system_role_finds_it_in_the_first_message() {
        let gemma = "{{ raise_exception('System role not supported') }}";
        let expected = "{%- set messages = messages if messages and messages[0]['role'] in ['system', \
                        'developer'] else [{'role': 'user', 'content': 'Be kind.' + '\\n\\n' + \
                        messages[0]['content']}] + messages[1:] -%}\n";
        assert_eq!(with_system_prompt(Some(gemma), "Be kind."), format!("{expected}{gemma}"));
    }

    #[test]
    fn a_model_without_a_template_gets_the_one_that_llama_cpp_would_take() {
        for none in [None, Some(""), Some("chatml")] {
            assert!(with_system_prompt(none, "x").ends_with(&format!("messages -%}}\n{CHATML}")));
        }
        assert!(CHATML.contains("message.role + '\\n'"));
        assert!(is_name("llama2") && !is_name("chatml") && !is_name("{{ messages }}"));
    }
}
