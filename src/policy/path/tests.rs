use super::*;

fn read(raw: &str) -> Result<CanonicalPath<'_>, PathError> {
    CanonicalPath::parse(raw.as_bytes())
}

#[test]
fn a_reading_is_decoded_once_and_ends_without_a_slash() {
    for (raw, reading) in [
        ("/", "/"),
        ("/a", "/a"),
        ("/a/", "/a"),
        ("/a/b/", "/a/b"),
        ("/adm%69n", "/admin"),
        ("/%61dmin/", "/admin"),
        ("/%C3%A9/%e2%82%AC", "/é/€"),
        ("/a%20b", "/a b"),
        ("/admin%20", "/admin "),
        ("/admin+", "/admin+"),
        ("/+/refs", "/+/refs"),
        ("/a%3Fb%23c", "/a?b#c"),
        ("/100%25", "/100%"),
        ("/%2561dmin", "/%61dmin"),
        ("/...", "/..."),
        ("/.a/..b/a..", "/.a/..b/a.."),
        ("/a:b@c!$&'()*,=~|\"<>[]{}^`", "/a:b@c!$&'()*,=~|\"<>[]{}^`"),
        ("/ADMIN", "/ADMIN"),
    ] {
        let path = read(raw).unwrap_or_else(|error| panic!("{raw}: {error}"));
        assert_eq!((path.reading(), path.raw(), path.second_reading()), (reading, raw, None), "{raw}");
        assert_eq!(
            matches!(path.reading, Cow::Borrowed(_)),
            !raw.contains('%'),
            "{raw}: only what is decoded is copied"
        );
    }
}

#[test]
fn what_two_parsers_could_read_differently_is_refused() {
    use PathError::{
        BadEscape, DotSegment, EmptySegment, EncodedSeparator, MixedParameters, NotAbsolute, NotUtf8, RawByte,
        SlashAndParameters,
    };
    for (raw, error) in [
        ("", NotAbsolute),
        ("a", NotAbsolute),
        ("*", NotAbsolute),
        ("http://a.example/", NotAbsolute),
        ("\\a", NotAbsolute),
        ("/a?b", RawByte),
        ("/a#b", RawByte),
        ("/a\\b", RawByte),
        ("/a b", RawByte),
        ("/é", RawByte),
        ("/%", BadEscape),
        ("/%2", BadEscape),
        ("/%2g", BadEscape),
        ("/%u002f", BadEscape),
        ("/%+1", BadEscape),
        ("/a%5Cb", EncodedSeparator),
        ("/a%2Fb%5Cc", EncodedSeparator),
        ("/%2f", EmptySegment),
        ("/%2Fa", EmptySegment),
        ("/a%2F/b", EmptySegment),
        ("/a/%2Fb", EmptySegment),
        ("/a%2F%2fb", EmptySegment),
        ("/a%2f/", EmptySegment),
        ("/a%2F%20/b", EmptySegment),
        ("/a%2F..%2Fb", DotSegment),
        ("/a%2f.", DotSegment),
        ("/a/..%2fb", DotSegment),
        ("/a%2F%2e%2e%2Fb", DotSegment),
        ("/a/.%20%2Fb", DotSegment),
        ("/a%2Fb;x", SlashAndParameters),
        ("/a;x%2Fb", SlashAndParameters),
        ("/a%2Fb%3Bx", SlashAndParameters),
        ("/a%2F..;x", DotSegment),
        ("/%ff", NotUtf8),
        ("/%c0%af", NotUtf8),
        ("/%e0%80%af", NotUtf8),
        ("/%ed%a0%80", NotUtf8),
        ("//", EmptySegment),
        ("//a", EmptySegment),
        ("/a//", EmptySegment),
        ("/a//b", EmptySegment),
        ("/;/a", EmptySegment),
        ("/a/;x=1/b", EmptySegment),
        ("/%20/a", EmptySegment),
        ("/a/%20", EmptySegment),
        ("/a/%C2%A0;x", EmptySegment),
        ("/.", DotSegment),
        ("/..", DotSegment),
        ("/a/./b", DotSegment),
        ("/a/../b", DotSegment),
        ("/a/..", DotSegment),
        ("/a/%2e", DotSegment),
        ("/a/%2E./b", DotSegment),
        ("/a/.%2e/b", DotSegment),
        ("/a/..;/b", DotSegment),
        ("/a/..;x=1", DotSegment),
        ("/a/..%3b/b", DotSegment),
        ("/a/.%20;x/b", DotSegment),
        ("/a/%20../b", DotSegment),
        ("/a/..%20/b", DotSegment),
        ("/a/%E2%80%8B..%C2%A0/b", DotSegment),
        ("/a;x/b%3By", MixedParameters),
    ] {
        assert_eq!(read(raw), Err(error), "{raw}");
    }
}

#[test]
fn every_byte_is_decided_raw_and_encoded() {
    for byte in 0..=u8::MAX {
        let raw = [b"/a".as_slice(), &[byte], b"b"].concat();
        let plain = matches!(byte, 0x21..=0x7E) && !matches!(byte, b'\\' | b'#' | b'?' | b'%');
        assert_eq!(CanonicalPath::parse(&raw).is_ok(), plain, "raw {byte:#04x}");
        for encoded in [format!("/a%{byte:02x}b"), format!("/a%{byte:02X}b")] {
            let decodes = matches!(byte, 0x20..=0x7E) && byte != b'\\';
            match read(&encoded) {
                Ok(path) => {
                    assert!(decodes, "{encoded}");
                    assert_eq!(path.reading(), format!("/a{}b", char::from(byte)), "{encoded}");
                    assert_eq!(path.has_encoded_slash(), byte == b'/', "{encoded}");
                }
                Err(_) => assert!(!decodes, "{encoded}"),
            }
        }
    }
}

#[test]
fn parameters_make_a_second_reading() {
    for (raw, first, second) in [
        ("/a;x", "/a;x", "/a"),
        ("/a;", "/a;", "/a"),
        ("/a;x/", "/a;x", "/a"),
        ("/a;x=1;y/b", "/a;x=1;y/b", "/a/b"),
        ("/a;x/b;y", "/a;x/b;y", "/a/b"),
        ("/a%3Bx", "/a;x", "/a"),
        ("/a%3bx/b", "/a;x/b", "/a/b"),
        ("/a/;x", "/a/;x", "/a"),
        ("/;x", "/;x", "/"),
        ("/a%20;x", "/a ;x", "/a "),
    ] {
        let path = read(raw).unwrap_or_else(|error| panic!("{raw}: {error}"));
        assert_eq!((path.reading(), path.second_reading()), (first, Some(second)), "{raw}");
    }
}

#[test]
fn an_encoded_slash_makes_a_second_reading() {
    for (raw, first, second) in [
        ("/a%2Fb", "/a/b", "/a\0b"),
        ("/a%2fb/", "/a/b", "/a\0b"),
        ("/a%2Fb%2fc/d", "/a/b/c/d", "/a\0b\0c/d"),
        ("/a%2F", "/a", "/a\0"),
        ("/%C3%A9%2Fb", "/é/b", "/é\0b"),
        ("/a%252F%2Fb", "/a%2F/b", "/a%2F\0b"),
    ] {
        let path = read(raw).unwrap_or_else(|error| panic!("{raw}: {error}"));
        assert_eq!((path.reading(), path.second_reading()), (first, Some(second)), "{raw}");
        assert!(path.has_encoded_slash(), "{raw}");
    }
}

#[test]
fn what_further_decoding_would_make_dangerous_is_capped() {
    for (raw, capped) in [
        ("/a%252Fb", true),
        ("/a%252fb", true),
        ("/a%255cb", true),
        ("/a%2500", true),
        ("/a%250d%250ab", true),
        ("/a%257f", true),
        ("/%252e%252e/a", true),
        ("/%252e", true),
        ("/%25252e", true),
        ("/%2525252e%2525252E", true),
        ("/.%252e", true),
        ("/%252e%252e;x/a", true),
        ("/%252e%252e%253bx/a", true),
        ("/%2520..", true),
        ("/%2520/a", true),
        ("/%25ff", true),
        ("/100%25/%252e%252e", true),
        ("/a%2F%252e%252e", true),
        ("/a%252F%2Fb", true),
        ("/a%2Fb%2561", false),
        ("/a%2525252525252525252525252fb", true),
        ("/%25%32%65", true),
        ("/%2561dmin", false),
        ("/admin%253f", false),
        ("/admin%2523", false),
        ("/admin%2520", false),
        ("/100%25", false),
        ("/100%25zz", false),
        ("/%25u002f", false),
        ("/a%253Bx", false),
        ("/a%2e%2e", false),
    ] {
        let path = read(raw).unwrap_or_else(|error| panic!("{raw}: {error}"));
        assert_eq!(path.is_capped(), capped, "{raw}");
        assert!(path.reading().len() < raw.len(), "{raw}: decoded once all the same");
    }
    let deep = format!("/%{}", "25".repeat(4_000));
    assert!(read(&deep).unwrap().is_capped(), "more rounds than anybody decodes");
}

/// Property: a reading, written as a path again, is read as itself. Over all short paths of the letters that matter.
#[test]
fn a_reading_written_out_reads_as_itself() {
    let letters = ["/", ".", ";", "a", "%2e", "%25", "%3B", "%20", "%C3%A9", "%2F", "2", "e"];
    let mut accepted = 0;
    for length in 0..=4 {
        for number in 0..letters.len().pow(length) {
            let tail = (0..length).map(|place| letters[number / letters.len().pow(place) % letters.len()]);
            let raw: String = ["/"].into_iter().chain(tail).collect();
            let Ok(path) = read(&raw) else { continue };
            accepted += 1;
            for reading in [Some(path.reading()), path.second_reading()].into_iter().flatten() {
                let written = written(reading);
                let again = read(&written).unwrap_or_else(|error| panic!("{raw} → {written}: {error}"));
                let same = if reading.contains(ENCODED_SLASH) { again.second_reading() } else { Some(again.reading()) };
                assert_eq!(same, Some(reading), "{raw} → {written}");
                assert!(!again.reading().ends_with('/') || again.reading() == "/", "{raw}");
            }
            if path.has_encoded_slash() {
                let literal = path.second_reading().unwrap();
                assert_eq!(literal.replace(ENCODED_SLASH, "/").trim_end_matches('/'), path.reading(), "{raw}");
                continue;
            }
            let again = written(path.reading());
            let again = read(&again).unwrap();
            assert_eq!((again.second_reading(), again.is_capped()), (path.second_reading(), path.is_capped()), "{raw}");
        }
    }
    assert!(accepted > 1_000, "{accepted}");
}

fn written(reading: &str) -> String {
    let letter = |byte: u8| match byte {
        b'/' | b'.' | b'a'..=b'z' | b'0'..=b'9' => char::from(byte).to_string(),
        0 => "%2F".to_owned(),
        other => format!("%{other:02X}"),
    };
    reading.bytes().map(letter).collect()
}

/// The two ways of checking say the same of every path that both may be asked for.
#[test]
fn a_plain_path_is_judged_as_any_other() {
    let parts = ["/", ".", "..", "a", "-", "...", "a.b", "~", ":"];
    for number in 0..parts.len().pow(5) {
        let mut path = String::from("/");
        let mut rest = number;
        for _ in 0..5 {
            path.push_str(parts[rest % parts.len()]);
            rest /= parts.len();
        }
        assert_eq!(segments::check_plain(&path), segments::check(&path), "{path}");
    }
}
