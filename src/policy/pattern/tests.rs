use super::*;

#[test]
fn a_pattern_is_exact_a_template_or_a_prefix() {
    for (text, kind, count, parameters) in [
        ("/", Kind::Exact, 0, vec![]),
        ("/a", Kind::Exact, 1, vec![]),
        ("/a/", Kind::Exact, 1, vec![]),
        ("/a b/é", Kind::Exact, 2, vec![]),
        ("/a:b/@c/$d", Kind::Exact, 3, vec![]),
        ("/{x}", Kind::Template, 1, vec!["x"]),
        ("/items/{item_id}/tags/{tag}/", Kind::Template, 4, vec!["item_id", "tag"]),
        ("/**", Kind::Prefix, 0, vec![]),
        ("/a/**", Kind::Prefix, 1, vec![]),
        ("/a/**/", Kind::Prefix, 1, vec![]),
        ("/users/{user}/**", Kind::Prefix, 2, vec!["user"]),
    ] {
        let pattern = PathPattern::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        let names: Vec<&str> = pattern
            .segments()
            .iter()
            .filter_map(|segment| match segment {
                Segment::Parameter(name) => Some(&**name),
                Segment::Literal(_) => None,
            })
            .collect();
        assert_eq!((pattern.rank().kind, pattern.segments().len(), names), (kind, count, parameters), "{text}");
        assert_eq!(pattern.as_str(), text);
    }
}

#[test]
fn what_cannot_be_matched_is_refused_with_a_cure() {
    use PatternError::{
        Convertor, DotSegment, DuplicateParameter, EmptySegment, Escape, NotAbsolute, ParameterName, Parameters,
        PartOfSegment, Query, Separator, Star, TooLong,
    };
    let long = "/a".repeat(MAX_SEGMENTS + 1);
    for (text, error) in [
        ("", NotAbsolute),
        ("a", NotAbsolute),
        ("**", NotAbsolute),
        ("/a%20b", Escape),
        ("/a?b", Query('?')),
        ("/a#b", Query('#')),
        ("/a;b", Parameters),
        ("/a\\b", Separator),
        ("/a\tb", Separator),
        ("/a\u{0}", Separator),
        ("//", EmptySegment),
        ("/a//b", EmptySegment),
        ("/a//**", EmptySegment),
        ("/a/ /b", EmptySegment),
        ("/a/./b", DotSegment),
        ("/..", DotSegment),
        ("/a/.. /b", DotSegment),
        ("/a{b}", PartOfSegment("a{b}".to_owned())),
        ("/{a}b", PartOfSegment("{a}b".to_owned())),
        ("/{a}{b}", PartOfSegment("{a}{b}".to_owned())),
        ("/{a", PartOfSegment("{a".to_owned())),
        ("/a}", PartOfSegment("a}".to_owned())),
        ("/{}", ParameterName("{}".to_owned())),
        ("/{a-b}", ParameterName("{a-b}".to_owned())),
        ("/{file:path}", Convertor("file".to_owned())),
        ("/{a}/b/{a}", DuplicateParameter("a".to_owned())),
        ("/*", Star),
        ("/a*", Star),
        ("/**/a", Star),
        ("/a/**/**", Star),
        ("/a**", Star),
        ("/a/***", Star),
        (&long, TooLong),
    ] {
        assert_eq!(PathPattern::parse(text), Err(error), "{text}");
    }
}

#[test]
fn the_cures_read_well() {
    for (text, cure) in [
        (
            "/{file:path}",
            "write `{file}` for one segment or `/**` for any number of them: what they look like is the upstream's to check",
        ),
        ("/a{b}", "a parameter is a whole segment, as in `/items/{item_id}`: `a{b}` is none"),
        ("/*", "`/**` stands at the end only, for all below a path; write `{name}` for one segment"),
    ] {
        assert_eq!(PathPattern::parse(text).unwrap_err().to_string(), cure);
    }
}

#[test]
fn exact_before_template_before_prefix_and_longer_before_shorter() {
    let order = ["/a/b/c", "/a/b", "/", "/a/b/{x}", "/a/{x}/{y}", "/{x}", "/a/b/**", "/a/{x}/**", "/a/**", "/**"];
    let ranks: Vec<Rank> = order.iter().map(|text| PathPattern::parse(text).unwrap().rank()).collect();
    assert!(ranks.is_sorted_by(|one, next| one < next), "{ranks:?}");
}

#[test]
fn a_pattern_reaches_below_a_path_where_something_it_matches_is_there() {
    for (pattern, path, reaches) in [
        ("/mcp", "/mcp", true),
        ("/mcp/tools", "/mcp", true),
        ("/mcp/**", "/mcp", true),
        ("/mcp/{tool}", "/mcp", true),
        ("/{any}", "/mcp", true),
        ("/{any}/x", "/mcp", true),
        ("/**", "/mcp", true),
        ("/a/**", "/a/b/c", true),
        ("/a/{x}/c", "/a/b", true),
        ("/", "", true),
        ("/a", "", true),
        ("/mcpx", "/mcp", false),
        ("/mc", "/mcp", false),
        ("/", "/mcp", false),
        ("/a", "/a/b", false),
        ("/{any}", "/a/b", false),
        ("/a/{x}/c", "/a/b/d", false),
        ("/other/**", "/mcp", false),
        ("/MCP", "/mcp", false),
    ] {
        let pattern = PathPattern::parse(pattern).unwrap();
        assert_eq!(pattern.reaches(path, false), reaches, "{pattern:?} {path}");
    }
    assert!(PathPattern::parse("/MCP/x").unwrap().reaches("/mcp", true));
}
