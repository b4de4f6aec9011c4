use super::*;
use crate::policy::PathPattern;

/// `GET,POST /path`, or `/path` for every method.
fn routes(lines: &[&str]) -> Vec<RouteSpec> {
    let route = |line: &&str| {
        let (methods, path) = line.split_once(' ').unwrap_or(("", line));
        RouteSpec {
            methods: methods.split(',').filter(|method| !method.is_empty()).map(str::to_owned).collect(),
            ..RouteSpec::new(PathPattern::parse(path).unwrap(), Access::Authenticated)
        }
    };
    lines.iter().map(route).collect()
}

fn conflicts(lines: &[&str]) -> Vec<(ConflictKind, usize, usize)> {
    conflicts_of(lines, false)
}

fn conflicts_of(lines: &[&str], ignore_case: bool) -> Vec<(ConflictKind, usize, usize)> {
    let found = Table::compile(routes(lines), Access::Authenticated, ignore_case).map(|_| ()).err().unwrap_or_default();
    found.into_iter().map(|conflict| (conflict.kind, conflict.route, conflict.other)).collect()
}

fn found(table: &Table, method: &str, path: &str) -> String {
    let path = CanonicalPath::parse(path.as_bytes()).unwrap();
    let text = |matched| match matched {
        Match::Route(route) => route.index().to_string(),
        Match::Default => "default".to_owned(),
        Match::MethodNotAllowed(allow) => format!("405 {allow}"),
        Match::EncodedSlash => "slash".to_owned(),
    };
    let found = table.find(&path, method);
    [Some(found.first), found.second].into_iter().flatten().map(text).collect::<Vec<_>>().join(" | ")
}

#[test]
fn the_first_in_the_order_of_precedence_decides() {
    let table = Table::compile(
        routes(&[
            "/**",
            "/items/{id}",
            "GET /items/{id}",
            "/items/mine",
            "POST /items/mine/",
            "/items/{id}/tags/{tag}",
            "/items/mine/tags/{tag}",
            "/items/**",
            "/items/{id}/files/**",
            "GET,PUT /only",
            "/",
        ]),
        Access::Deny,
        false,
    )
    .unwrap();
    for (method, path, expected) in [
        ("GET", "/", "10"),
        ("GET", "/x", "0"),
        ("GET", "/x/y/z", "0"),
        ("GET", "/items", "7"),
        ("GET", "/items/", "7"),
        ("GET", "/items/7", "2"),
        ("HEAD", "/items/7", "2"),
        ("PUT", "/items/7", "1"),
        ("get", "/items/7", "1"),
        ("GET", "/items/mine", "3"),
        ("POST", "/items/mine", "4"),
        ("POST", "/items/mine/", "4"),
        ("GET", "/items/7/tags/red", "5"),
        ("GET", "/items/mine/tags/red", "6"),
        ("GET", "/items/7/tags", "7"),
        ("GET", "/items/7/files", "8"),
        ("GET", "/items/7/files/a/b", "8"),
        ("GET", "/items/mine/files", "8"),
        ("GET", "/items/%6Dine", "3"),
        ("GET", "/Items/mine", "0"),
        ("GET", "/itemsmine", "0"),
        ("DELETE", "/only", "0"),
        ("GET", "/items/mine;x", "2 | 3"),
        ("GET", "/items;x/7", "0 | 2"),
        ("GET", "/;x", "0 | 10"),
    ] {
        assert_eq!(found(&table, method, path), expected, "{method} {path}");
    }
}

#[test]
fn a_path_without_the_method_says_which_it_has() {
    let table = Table::compile(
        routes(&["POST,GET /a", "PUT,GET /{x}", "DELETE /a/**", "PATCH /b/**", "QUERY /b"]),
        Access::Public,
        false,
    )
    .unwrap();
    for (method, path, expected) in [
        ("GET", "/a", "0"),
        ("PUT", "/a", "1"),
        ("DELETE", "/a", "2"),
        ("PATCH", "/a", "405 DELETE, GET, HEAD, POST, PUT"),
        ("get", "/a", "405 DELETE, GET, HEAD, POST, PUT"),
        ("HEAD", "/a/b", "405 DELETE"),
        ("GET", "/b/c", "405 PATCH"),
        ("OPTIONS", "/b", "405 GET, HEAD, PATCH, PUT, QUERY"),
        ("OPTIONS", "/c/d", "default"),
        ("POST", "/b/c;x", "405 PATCH | 405 PATCH"),
        ("POST", "/a;x", "405 GET, HEAD, PUT | 0"),
    ] {
        assert_eq!(found(&table, method, path), expected, "{method} {path}");
    }
}

#[test]
fn an_empty_table_leaves_all_to_the_default() {
    let table = Table::compile(Vec::new(), Access::Deny, false).unwrap();
    assert_eq!(found(&table, "GET", "/"), "default");
    assert_eq!(table.default_access(), Access::Deny);
    assert!(table.routes().is_empty());
}

#[test]
fn case_is_folded_where_the_policy_says_so() {
    let lines = ["/Items/Mine", "/items/{Id}/Tags", "GET /FILES/**", "/Ü/x"];
    let tables = [true, false].map(|ignore| Table::compile(routes(&lines), Access::Deny, ignore).unwrap());
    for (method, path, folded, exact) in [
        ("GET", "/items/mine", "0", "default"),
        ("GET", "/ITEMS/MINE/", "0", "default"),
        ("GET", "/Items/Mine", "0", "0"),
        ("GET", "/Items/X/tags", "1", "default"),
        ("GET", "/items/X/Tags", "1", "1"),
        ("GET", "/%49tems/MINE;x", "default | 0", "default | default"),
        ("get", "/Files/a", "405 GET, HEAD", "default"),
        ("GET", "/fileS/A/b", "2", "default"),
        // ASCII only: no upstream agrees with another on the rest.
        ("GET", "/%C3%BC/x", "default", "default"),
        ("GET", "/%C3%9C/X", "3", "default"),
    ] {
        assert_eq!(tables.each_ref().map(|table| found(table, method, path)), [folded, exact], "{method} {path}");
    }
    assert_eq!(tables[0].routes()[2].label(), "/FILES/**", "as it was written");
}

#[test]
fn routes_that_differ_in_case_alone_tie_where_it_is_folded() {
    use ConflictKind::{Tie, Unreachable};
    for (lines, folded) in [
        (&["/a", "/A"][..], vec![(Tie, 1, 0)]),
        (&["/a/{x}", "/A/{y}"], vec![(Tie, 1, 0)]),
        (&["/a/**", "/A/**"], vec![(Tie, 1, 0)]),
        (&["/A/**", "/a", "/a/{x}/**"], vec![(Unreachable, 0, 1)]),
        (&["GET /a", "POST /A"], vec![]),
        (&["/é", "/É"], vec![]),
    ] {
        assert_eq!(conflicts_of(lines, true), folded, "{lines:?}");
        assert_eq!(conflicts_of(lines, false), vec![], "{lines:?}");
    }
}

#[test]
fn an_encoded_slash_is_for_routes_that_take_one_in_both_readings() {
    let mut specs = routes(&["GET /files/**", "/files/{name}", "/blobs/{name}", "/blobs/**", "/plain/**"]);
    for spec in &mut specs[..3] {
        spec.encoded_slash = true;
    }
    let table = Table::compile(specs, Access::Public, false).unwrap();
    for (method, path, expected) in [
        ("GET", "/files/a%2Fb", "0 | 1"),
        ("GET", "/files/a%2fb/c", "0 | 0"),
        ("GET", "/files%2Fa", "1 | slash"),
        ("GET", "/blobs/a%2Fb", "slash | 2"),
        ("GET", "/plain/a%2Fb", "slash | slash"),
        ("GET", "/else/a%2Fb", "slash | slash"),
        ("PUT", "/files/a%2Fb", "slash | 1"),
        ("GET", "/files/ab", "1"),
        ("GET", "/files/a%252Fb", "1"),
    ] {
        assert_eq!(found(&table, method, path), expected, "{method} {path}");
    }
}

#[test]
fn routes_that_could_tie_are_found_wherever_they_could() {
    use ConflictKind::Tie;
    for (lines, expected) in [
        (&["/a", "/a"][..], vec![(Tie, 1, 0)]),
        (&["/a", "/a/"], vec![(Tie, 1, 0)]),
        (&["/", "/"], vec![(Tie, 1, 0)]),
        (&["/**", "/**"], vec![(Tie, 1, 0)]),
        (&["/a/{x}", "/a/{y}"], vec![(Tie, 1, 0)]),
        (&["/a/{x}/c", "/a/b/{y}"], vec![(Tie, 1, 0)]),
        (&["/{x}/b", "/a/{y}"], vec![(Tie, 1, 0)]),
        (&["/{x}/b/**", "/a/{y}/**"], vec![(Tie, 1, 0)]),
        (&["GET,POST /a", "POST,PUT /a"], vec![(Tie, 1, 0)]),
        (&["GET /a", "GET /a"], vec![(Tie, 1, 0)]),
        (&["/a", "/b", "/a", "/b", "/a"], vec![(Tie, 2, 0), (Tie, 3, 1), (Tie, 4, 0), (Tie, 4, 2)]),
        // Other methods, or another precedence.
        (&["GET /a", "POST /a"], vec![]),
        (&["GET /a", "/a"], vec![]),
        (&["GET /a/{x}/c", "/a/b/{y}"], vec![]),
        (&["/a/{x}/c", "/b/{x}/c"], vec![]),
        (&["/a/{x}/c", "/a/b/{y}/d"], vec![]),
        (&["/a/{x}", "/a/b"], vec![]),
        (&["/a/{x}/**", "/a/**"], vec![]),
        (&["/A", "/a"], vec![]),
        // A better route takes all that both match.
        (&["/a/{x}/c", "/a/b/{y}", "/a/b/c"], vec![]),
        (&["GET /a/{x}/c", "GET,PUT /a/b/{y}", "GET /a/b/c"], vec![]),
        (&["/{x}/b/**", "/a/{y}/**", "/a/b/**"], vec![]),
        (&["/{x}/b/**", "/a/{y}/**", "/a/b", "/a/b/{z}/**"], vec![]),
        // It takes only some.
        (&["/a/{x}/c", "/a/b/{y}", "GET /a/b/c"], vec![(Tie, 1, 0)]),
        (&["GET,PUT /a/{x}/c", "GET,PUT /a/b/{y}", "GET /a/b/c"], vec![(Tie, 1, 0)]),
        (&["/{x}/b/**", "/a/{y}/**", "/a/b"], vec![(Tie, 1, 0)]),
        (&["/{x}/b/**", "/a/{y}/**", "/a/b/{z}/**"], vec![(Tie, 1, 0)]),
    ] {
        assert_eq!(conflicts(lines), expected, "{lines:?}");
    }
}

#[test]
fn routes_that_serve_nothing_are_found() {
    use ConflictKind::{Tie, Unreachable};
    for (lines, expected) in [
        (&["/a/**", "/a", "/a/{x}/**"][..], vec![(Unreachable, 0, 1)]),
        (&["GET /a/**", "GET,PUT /a", "/a/{x}/**"], vec![(Unreachable, 0, 1)]),
        (&["/**", "/", "/{x}", "/{x}/{y}/**"], vec![(Unreachable, 0, 1)]),
        (&["/a/{x}/**", "/a/{x}", "/a/{x}/{y}/**"], vec![(Unreachable, 0, 1)]),
        (&["HEAD /a"], vec![(Unreachable, 0, 0)]),
        (&["/a/**", "/a", "/a/{x}/**", "/a"], vec![(Unreachable, 0, 1), (Tie, 3, 1)]),
        // Something is left for them.
        (&["/a/**", "/a", "/a/{x}"], vec![]),
        (&["/a/**", "/a", "/a/b/**"], vec![]),
        (&["/a/**", "GET /a", "/a/{x}/**"], vec![]),
        (&["/a/**", "/a", "GET /a/{x}/**"], vec![]),
        (&["/a/**", "/a/{x}/**"], vec![]),
        (&["/a", "GET /a", "POST /a"], vec![]),
        (&["/{x}", "/a", "/b"], vec![]),
    ] {
        assert_eq!(conflicts(lines), expected, "{lines:?}");
    }
}

/// The answers of [`conflict`] against all requests there are in a small world: two letters, two methods, paths of up to three
/// segments (as deep as its patterns and one deeper).
#[test]
fn conflicts_are_those_that_a_search_of_all_requests_finds() {
    let patterns = ["/a", "/{x}", "/**", "/a/b", "/a/{x}", "/{x}/b", "/{x}/{y}", "/a/**", "/{x}/**"];
    let lines: Vec<String> = patterns.iter().flat_map(|path| [(*path).to_owned(), format!("GET {path}")]).collect();
    let letters = ["a", "b", "c"];
    let mut paths = vec!["/".to_owned()];
    for depth in 1..=3_u32 {
        for number in 0..3_usize.pow(depth) {
            let path: Vec<&str> = (0..depth).map(|place| letters[number / 3_usize.pow(place) % 3]).collect();
            paths.push(format!("/{}", path.join("/")));
        }
    }
    let count = lines.len();
    for number in 0..count.pow(3) {
        let chosen = [number % count, number / count % count, number / count / count];
        if number % 7 != 0 && chosen.iter().any(|one| chosen.iter().filter(|other| *other == one).count() > 1) {
            continue;
        }
        let lines = chosen.map(|one| lines[one].as_str());
        let specs = routes(&lines);
        let mut ties = false;
        let mut served = [false; 3];
        for path in &paths {
            for method in ["GET", "PUT"] {
                let matching = |spec: &&RouteSpec| matches(spec, path, method);
                let precedence = |spec: &RouteSpec| (spec.path.rank(), spec.methods.is_empty());
                let Some(best) = specs.iter().filter(matching).map(precedence).min() else { continue };
                let best: Vec<usize> =
                    (0..3).filter(|&one| matching(&&specs[one]) && precedence(&specs[one]) == best).collect();
                ties |= best.len() > 1;
                for one in best {
                    served[one] = true;
                }
            }
        }
        let found = conflicts(&lines);
        let unreachable: Vec<usize> = (0..3).filter(|one| !served[*one]).collect();
        let reported = |kind| found.iter().filter(move |one| one.0 == kind).map(|one| one.1);
        assert_eq!(reported(ConflictKind::Tie).count() > 0, ties, "{lines:?}");
        assert_eq!(reported(ConflictKind::Unreachable).collect::<Vec<_>>(), unreachable, "{lines:?}");
        if found.is_empty() {
            let table = Table::compile(specs.clone(), Access::Deny, false).unwrap();
            for path in &paths {
                for method in ["GET", "PUT"] {
                    let best = (0..3)
                        .filter(|one| matches(&specs[*one], path, method))
                        .min_by_key(|one| (specs[*one].path.rank(), specs[*one].methods.is_empty()));
                    let path = CanonicalPath::parse(path.as_bytes()).unwrap();
                    assert_eq!(table.find(&path, method).first.route().map(Route::index), best, "{lines:?} {path:?}");
                }
            }
        }
    }
}

/// By definition, not by index.
fn matches(spec: &RouteSpec, path: &str, method: &str) -> bool {
    use crate::policy::pattern::{Kind, Segment};
    let segments: Vec<&str> = path.split('/').skip(1).filter(|segment| !segment.is_empty()).collect();
    let pattern = spec.path.segments();
    let long_enough = match spec.path.rank().kind {
        Kind::Prefix => segments.len() >= pattern.len(),
        Kind::Exact | Kind::Template => segments.len() == pattern.len(),
    };
    long_enough
        && (spec.methods.is_empty() || spec.methods.iter().any(|known| known == method))
        && pattern.iter().zip(segments).all(|(pattern, segment)| match pattern {
            Segment::Literal(literal) => **literal == *segment,
            Segment::Parameter(_) => true,
        })
}

#[test]
fn a_thousand_routes_that_all_look_alike_compile_at_once() {
    let lines: Vec<String> = (0..1_000).map(|number| format!("/api/{{x}}/{number}/{{y}}/**")).collect();
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    assert_eq!(conflicts(&lines), vec![]);
    let same = vec!["/a/{x}"; 200];
    assert_eq!(conflicts(&same).len(), 200 * 199 / 2, "each pair, once");
}
