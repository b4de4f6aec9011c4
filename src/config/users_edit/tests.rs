use serde_json::json;

use super::*;
use crate::config::document;

/// What stands in a users document, broken or not.
fn read(text: &str) -> Option<Vec<Json>> {
    let (node, findings) = document::parse(text.as_bytes());
    let written = document::plain(&node.filter(|_| findings.is_empty())?);
    match written {
        Json::Array(users) => Some(users),
        Json::Object(empty) if empty.is_empty() => Some(Vec::new()),
        _ => None,
    }
}

fn edited(text: &str, change: &Change) -> Result<Option<String>, EditError> {
    edit(text, &read(text).expect("a users document"), change, read)
}

fn newcomer() -> Change {
    Change::Add(NewUser { username: "new".to_owned(), password_hash: "$h$,1".to_owned(), ..NewUser::default() })
}

fn disable(username: &str) -> Change {
    Change::Disabled { username: username.to_owned(), disabled: true }
}

fn enable(username: &str) -> Change {
    Change::Disabled { username: username.to_owned(), disabled: false }
}

fn password(username: &str) -> Change {
    Change::Password { username: username.to_owned(), hash: "$new$,x".to_owned() }
}

#[test]
fn a_user_comes_in_behind_all_others() {
    for (before, after) in [
        ("", "- username: new\n  password_hash: \"$h$,1\"\n"),
        ("# who may log in\n", "# who may log in\n- username: new\n  password_hash: \"$h$,1\"\n"),
        ("# no newline", "# no newline\n- username: new\n  password_hash: \"$h$,1\"\n"),
        ("---\n", "---\n- username: new\n  password_hash: \"$h$,1\"\n"),
        ("[]\n", "- username: new\n  password_hash: \"$h$,1\"\n"),
        ("# x\n[]", "# x\n- username: new\n  password_hash: \"$h$,1\"\n"),
        ("[] # none yet\n", "[{ username: new, password_hash: \"$h$,1\" }] # none yet\n"),
        ("--- []\n", "--- [{ username: new, password_hash: \"$h$,1\" }]\n"),
        ("\u{feff}[]\n", "\u{feff}- username: new\n  password_hash: \"$h$,1\"\n"),
        (
            "- username: a\n  password_hash: x\n  # about a\n# end\n",
            "- username: a\n  password_hash: x\n  # about a\n# end\n- username: new\n  password_hash: \"$h$,1\"\n",
        ),
        (
            "- username: a\r\n  password_hash: x",
            "- username: a\r\n  password_hash: x\r\n- username: new\r\n  password_hash: \"$h$,1\"\r\n",
        ),
        (
            "  - username: a\n    password_hash: x\n",
            "  - username: a\n    password_hash: x\n  - username: new\n    password_hash: \"$h$,1\"\n",
        ),
        (
            "- { username: a, password_hash: x } # é\n",
            "- { username: a, password_hash: x } # é\n- { username: new, password_hash: \"$h$,1\" }\n",
        ),
        (
            "[{ username: a, password_hash: x },\n # b\n]\n",
            "[{ username: a, password_hash: x }, { username: new, password_hash: \"$h$,1\" },\n # b\n]\n",
        ),
        (
            "- username: a\n  password_hash: x\n  full_name: |+\n    A\n\n",
            "- username: a\n  password_hash: x\n  full_name: |+\n    A\n\n- username: new\n  password_hash: \"$h$,1\"\n",
        ),
        (
            "- username: a\n  password_hash: x\n...\n",
            "- username: a\n  password_hash: x\n- username: new\n  password_hash: \"$h$,1\"\n...\n",
        ),
    ] {
        assert_eq!(edited(before, &newcomer()).as_ref().map(Option::as_deref), Ok(Some(after)), "{before:?}");
    }
}

#[test]
fn one_value_changes_and_nothing_else() {
    for (before, change, after) in [
        (
            "- username: a\n  password_hash: x # old\n- username: b\n  password_hash: y\n",
            disable("a"),
            "- username: a\n  password_hash: x # old\n  disabled: true\n- username: b\n  password_hash: y\n",
        ),
        (
            "- username: a\n  disabled:   false   # why\n  password_hash: x\n",
            disable("a"),
            "- username: a\n  disabled:   true   # why\n  password_hash: x\n",
        ),
        (
            "- {disabled: true,username: a,password_hash: x}",
            enable("a"),
            "- {disabled: false,username: a,password_hash: x}",
        ),
        (
            "- { username: a, password_hash: x , scopes: [a, b] }\n",
            disable("a"),
            "- { username: a, password_hash: x, disabled: true , scopes: [a, b] }\n",
        ),
        ("- username: a\n  password_hash: $x", password("a"), "- username: a\n  password_hash: $new$,x"),
        (
            "- 'username': \"é\\u0041\" # ü\n  \"password_hash\": '$x' # ö\n",
            password("éA"),
            "- 'username': \"é\\u0041\" # ü\n  \"password_hash\": '$new$,x' # ö\n",
        ),
        ("- username: a\n  password_hash: x", disable("a"), "- username: a\n  password_hash: x\n  disabled: true\n"),
        (
            "- username: a\r\n  password_hash: x\r\n# é\r\n",
            disable("a"),
            "- username: a\r\n  password_hash: x\r\n  disabled: true\r\n# é\r\n",
        ),
        (
            "-   password_hash: x\n    username: a\n    claims: {a: [1]}\n",
            disable("a"),
            "-   password_hash: x\n    disabled: true\n    username: a\n    claims: {a: [1]}\n",
        ),
        (
            "- username: a\n  password_hash: >-\n    x\n    y\n  scopes: []\n",
            disable("a"),
            "- username: a\n  disabled: true\n  password_hash: >-\n    x\n    y\n  scopes: []\n",
        ),
        (
            "- username: a\n  password_hash: &h x\n- username: b\n  password_hash: *h\n",
            password("b"),
            "- username: a\n  password_hash: &h x\n- username: b\n  password_hash: \"$new$,x\"\n",
        ),
        (
            "- username: a\n  password_hash:\t\"x\"\t# tab\n",
            password("a"),
            "- username: a\n  password_hash:\t\"$new$,x\"\t# tab\n",
        ),
        (
            "---\n# top\n\n- username: a\n\n  password_hash: x\n\n\n# c\n- username: b\n  password_hash: y\n",
            disable("a"),
            "---\n# top\n\n- username: a\n\n  password_hash: x\n  disabled: true\n\n\n# c\n- username: b\n  password_hash: y\n",
        ),
        (
            "[ {username: a, password_hash: x}, {username: b,\n  password_hash: y} ]\n",
            password("b"),
            "[ {username: a, password_hash: x}, {username: b,\n  password_hash: \"$new$,x\"} ]\n",
        ),
    ] {
        assert_eq!(edited(before, &change).as_ref().map(Option::as_deref), Ok(Some(after)), "{before:?}");
    }
}

#[test]
fn what_says_so_already_stays() {
    for (text, change) in [
        ("- username: a\n  password_hash: x\n  disabled: true\n", disable("a")),
        ("- username: a\n  password_hash: x\n  disabled: false\n", enable("a")),
        ("- username: a\n  password_hash: x\n", enable("a")),
        ("- username: a\n  password_hash: $new$,x\n", password("a")),
    ] {
        assert_eq!(edited(text, &change), Ok(None), "{text:?}");
    }
}

#[test]
fn what_cannot_be_done_in_one_place_is_not_done() {
    for (text, change, error) in [
        ("- username: new\n  password_hash: x\n", newcomer(), EditError::Known),
        ("- { username: \"n\\u0065w\", password_hash: x }\n", newcomer(), EditError::Known),
        ("- username: New\n  password_hash: x\n", disable("new"), EditError::Unknown),
        ("", disable("new"), EditError::Unknown),
        // An anchor that others use.
        (
            "- username: a\n  password_hash: &h x\n- username: b\n  password_hash: *h\n",
            password("a"),
            EditError::Unsafe,
        ),
        ("- &u\n  username: a\n  password_hash: x\n- *u\n", disable("a"), EditError::Unsafe),
        ("- username: a\n  password_hash: |-\n    x\n", password("a"), EditError::Unsafe),
        ("~\n", newcomer(), EditError::Unsafe),
        ("---\n# x\n...\n", newcomer(), EditError::Unsafe),
        // The end of a line would become a part of what it says.
        ("- username: a\n  password_hash: x\n  claims: { b: 1 }\n  full_name: |\n    A", newcomer(), EditError::Unsafe),
    ] {
        assert_eq!(edited(text, &change), Err(error), "{text:?}");
    }
}

/// Names that YAML, or a version of it, takes for something else; and those that would end the scalar, or the file.
#[test]
fn every_text_is_read_as_it_was_given() {
    for text in [
        "johndoe",
        "j.doe@example.com",
        "yes",
        "No",
        "null",
        "~",
        "1e3",
        "0x1f",
        "2024-01-01",
        "- a",
        "a: b",
        "a #b",
        "{a}",
        "*a",
        "&a",
        "!a",
        "%a",
        "@a",
        "'",
        "\"",
        "\\",
        "\\n",
        "a\"b\\",
        "é",
        "日本",
        "🦀",
        "a\u{feff}b",
        "\u{2028}",
        "\u{202e}x",
        "a b",
        " a ",
        "${HOME}",
        "<<",
        "=",
        "?",
        "-",
        ",",
        "a,b",
        "[",
        "#",
    ] {
        let user = NewUser {
            username: text.to_owned(),
            password_hash: "$h".to_owned(),
            scopes: vec!["items:read".to_owned(), "a'b".to_owned()],
            roles: vec![text.to_owned()],
            email: Some(text.to_owned()),
            full_name: Some(text.to_owned()),
            disabled: true,
        };
        for before in [
            "",
            "- { username: u, password_hash: x }\n",
            "[{ username: u, password_hash: x }]",
            "- username: u\n  password_hash: x\n",
        ] {
            let after = edited(before, &Change::Add(user.clone())).unwrap().unwrap();
            let written = read(&after).unwrap();
            let expected = json!({
                "username": text, "password_hash": "$h", "scopes": ["items:read", "a'b"], "roles": [text], "email": text,
                "full_name": text, "disabled": true,
            });
            assert_eq!(written.last(), Some(&expected), "{after}");
        }
    }
}

/// Files put together of all ways to write a user, with everything between them that may be there: after a change the other lines
/// are what they were, in their order, and what is read is what was asked for. (What is read, `edit` itself has asked.)
#[test]
fn whatever_the_file_other_lines_stay() {
    const USERS: [&str; 7] = [
        "- username: U\n  password_hash: $x\n",
        "- { username: U, password_hash: \"$x\", scopes: [a, \"b:c\"] }   # flow\n",
        "-   password_hash: '$x'  # é first\n    disabled: false\n    username: \"U\"\n",
        "- username: U # 日本\n\n  # inside\n  password_hash: $x\n  claims:\n    a: { b: [1, 2] }\n    c: |\n      text\n        more\n",
        "-\n  username: 'U'\n  password_hash: \"$x\"\n  roles:\n  - a\n  - b\n",
        "- {username: U,\n   password_hash: $x,\n   disabled: false}\n",
        "- username: U\n  full_name: >\n    folded\n    text\n  password_hash: $x\n  scopes:\n    - a\n",
    ];
    const BETWEEN: [&str; 5] = ["", "\n", "# comment: with { and \"\n", "\n\n  # indented é\n", "#\ttab\n"];
    let mut state = 1_u64;
    let mut pick = |many: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(state >> 33).unwrap() % many
    };
    for _ in 0..2_000 {
        let count = 1 + pick(5);
        let mut text = ["", "---\n", "# top\n---\n\n", "\u{feff}# bom\n"][pick(4)].to_owned();
        for number in 0..count {
            text += &USERS[pick(USERS.len())].replace('U', &format!("user{number}"));
            text += BETWEEN[pick(BETWEEN.len())];
        }
        // Without its newline the block of lines would say something else.
        if pick(4) == 0 && !text.trim_end().ends_with("more") {
            text.truncate(text.trim_end().len());
        }
        if pick(4) == 0 {
            text = text.replace('\n', "\r\n");
        }
        let name = format!("user{}", pick(count));
        let change = match pick(3) {
            0 => newcomer(),
            1 => disable(&name),
            _ => password(&name),
        };
        let Ok(Some(after)) = edited(&text, &change) else { panic!("{text}") };
        let differing = differing_lines(&text, &after);
        let (gone, come) = differing;
        match change {
            // The last line may have got its end.
            Change::Add(_) => assert!(gone.is_empty() && come.iter().all(|line| is_new(line)), "{text}\n=>\n{after}"),
            _ => {
                assert!(gone.len() <= 1 && come.len() == 1, "{text}\n=>\n{after}");
                let kept = |line: &String| line.split("  # ").nth(1).map(str::to_owned);
                assert_eq!(
                    gone.first().and_then(kept),
                    gone.first().and_then(|_| kept(&come[0])),
                    "its comment too\n{text}\n=>\n{after}\n{gone:?} {come:?}"
                );
            }
        }
        assert_eq!(text.contains("\r\n"), after.contains("\r\n"));
        assert!(!after.contains("\r\n") || after.matches('\n').count() == after.matches("\r\n").count());
    }
}

fn is_new(line: &str) -> bool {
    ["- username: new", "  password_hash: \"$h$,1\"", "- { username: new, password_hash: \"$h$,1\" }"].contains(&line)
}

/// The lines in the middle, between those that both begin and end with.
fn differing_lines(before: &str, after: &str) -> (Vec<String>, Vec<String>) {
    let [mut before, mut after]: [Vec<String>; 2] =
        [before, after].map(|text| text.lines().map(str::to_owned).collect());
    while !before.is_empty() && before.first() == after.first() {
        before.remove(0);
        after.remove(0);
    }
    while !before.is_empty() && before.last() == after.last() {
        before.pop();
        after.pop();
    }
    (before, after)
}
