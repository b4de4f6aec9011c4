use super::*;

fn bytes(hex: &str) -> Vec<u8> {
    let digits: Vec<_> = hex.chars().filter(|digit| !digit.is_whitespace()).collect();
    digits.chunks(2).map(|pair| u8::from_str_radix(&String::from_iter(pair), 16).unwrap()).collect()
}

/// The lengths of the names that are remembered, the last one first.
fn remembered(paths: &Paths) -> Vec<usize> {
    (62..).map_while(|index| paths.table.name(index)).map(|name| name.length).collect()
}

/// RFC 7541 C.1
#[test]
fn numbers() {
    for (hex, bits, expected) in [
        ("0a", 5, Some(10)),
        ("1f 9a 0a", 5, Some(1337)),
        ("2a", 8, Some(42)),
        ("ff 00", 7, Some(127)),
        ("ff 80 80 80 00", 7, Some(127)),
        ("ff ff ff ff 7f", 7, Some(127 + (1 << 28) - 1)),
        ("ff 80 80 80 80 00", 7, None),
        ("ff 80", 7, None),
        ("ff", 7, None),
    ] {
        let bytes = bytes(hex);
        assert_eq!(Rest(&bytes[1..]).integer(bytes[0], bits), expected, "{hex}");
    }
}

/// RFC 7541 C.2 to C.6. Behind each head, the lengths of the names that are remembered.
#[test]
fn examples_of_the_rfc() {
    const STATUS: usize = 7;
    const LOCATION: usize = 8;
    const DATE: usize = 4;
    const CACHE: usize = 13;
    const AUTHORITY: usize = 10;
    for (name, most, heads) in [
        ("C.2.1", 4096, &[("400a 6375 7374 6f6d 2d6b 6579 0d63 7573 746f 6d2d 6865 6164 6572", &[10][..])][..]),
        ("C.2.2", 4096, &[("040c 2f73 616d 706c 652f 7061 7468", &[])]),
        ("C.2.3", 4096, &[("1008 7061 7373 776f 7264 0673 6563 7265 74", &[])]),
        ("C.2.4", 4096, &[("82", &[])]),
        (
            "C.3",
            4096,
            &[
                ("8286 8441 0f77 7777 2e65 7861 6d70 6c65 2e63 6f6d", &[AUTHORITY]),
                ("8286 84be 5808 6e6f 2d63 6163 6865", &[CACHE, AUTHORITY]),
                ("8287 85bf 400a 6375 7374 6f6d 2d6b 6579 0c63 7573 746f 6d2d 7661 6c75 65", &[10, CACHE, AUTHORITY]),
            ],
        ),
        (
            "C.4",
            4096,
            &[
                ("8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff", &[AUTHORITY]),
                ("8286 84be 5886 a8eb 1064 9cbf", &[CACHE, AUTHORITY]),
                ("8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf", &[10, CACHE, AUTHORITY]),
            ],
        ),
        (
            "C.5",
            256,
            &[
                (
                    "4803 3330 3258 0770 7269 7661 7465 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 3120 \
                     474d 546e 1768 7474 7073 3a2f 2f77 7777 2e65 7861 6d70 6c65 2e63 6f6d",
                    &[LOCATION, DATE, CACHE, STATUS],
                ),
                ("4803 3330 37c1 c0bf", &[STATUS, LOCATION, DATE, CACHE]),
                (
                    "88c1 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 3220 474d 54c0 5a04 677a 6970 7738 \
                     666f 6f3d 4153 444a 4b48 514b 425a 584f 5157 454f 5049 5541 5851 5745 4f49 553b 206d 6178 2d61 6765 3d33 \
                     3630 303b 2076 6572 7369 6f6e 3d31",
                    &[10, 16, DATE],
                ),
            ],
        ),
        (
            "C.6",
            256,
            &[
                (
                    "4882 6402 5885 aec3 771a 4b61 96d0 7abe 9410 54d4 44a8 2005 9504 0b81 66e0 82a6 2d1b ff6e 919d 29ad 1718 \
                     63c7 8f0b 97c8 e9ae 82ae 43d3",
                    &[LOCATION, DATE, CACHE, STATUS],
                ),
                ("4883 640e ffc1 c0bf", &[STATUS, LOCATION, DATE, CACHE]),
                (
                    "88c1 6196 d07a be94 1054 d444 a820 0595 040b 8166 e084 a62d 1bff c05a 839b d9ab 77ad 94e7 821d d7f2 e6c7 \
                     b335 dfdf cd5b 3960 d5af 2708 7f36 72c1 ab27 0fb5 291f 9587 3160 65c0 03ed 4ee5 b106 3d50 07",
                    &[10, 16, DATE],
                ),
            ],
        ),
    ] {
        let mut paths = Paths::default();
        paths.table.resize(most).unwrap();
        for (head, expected) in heads {
            assert_eq!(paths.is_bad_in(&bytes(head)), Ok(false), "{name} {head}");
            assert_eq!(remembered(&paths), *expected, "{name} {head}");
        }
    }
}

#[test]
fn the_huffman_code() {
    for (hex, expected) in [
        ("", Some((0, false))),
        ("f1e3 c2e5 f23a 6ba0 ab90 f4ff", Some((15, false))),
        ("b958 d33f", Some((5, false))),
        ("07", Some((1, false))),
        ("ffaf", Some((1, true))),
        // Its padding is not of ones, is too long, or is the end itself.
        ("00", None),
        ("07ff", None),
        ("ff", None),
        ("ffffffff", None),
        ("ffffffffff", None),
        // Half of a code.
        ("ffa0", None),
        ("fffe", None),
    ] {
        assert_eq!(huffman::read(&bytes(hex)), expected, "{hex}");
    }
}

#[test]
fn what_is_bad_and_what_is_not_understood() {
    for (hex, expected) in [
        ("44 02 2f 23", Ok(true)),
        ("04 02 2f 23", Ok(true)),
        ("14 02 2f 23", Ok(true)),
        ("05 02 2f 23", Ok(true)),
        ("00 05 3a70617468 02 2f 23", Ok(true)),
        ("40 05 3a70617468 02 2f 23", Ok(true)),
        ("00 84 b958d33f 02 2f 23", Ok(true)),
        // By a name that is remembered.
        ("44 02 2f 24 7e 02 2f 23", Ok(true)),
        // Another field has it, or a path's name.
        ("03 02 2f 23", Ok(false)),
        ("00 01 61 02 2f 23", Ok(false)),
        ("00 01 61 05 3a70617468", Ok(false)),
        ("00 05 3a50617468 02 2f 23", Ok(false)),
        // What comes first counts.
        ("04 02 2f 23 be", Ok(true)),
        ("80", Err(Lost)),
        ("be", Err(Lost)),
        ("0f 2f 01 61", Err(Lost)),
        ("44 02 2f", Err(Lost)),
        ("44 81 00", Err(Lost)),
        ("04 82 ffff", Err(Lost)),
        // Not remembered and no path: it is not looked into.
        ("03 81 00", Ok(false)),
        // 4096, and one more (§6.3); shrunk, there is nothing left.
        ("3f e1 1f", Ok(false)),
        ("3f e2 1f", Err(Lost)),
        ("40 01 61 00 20 be", Err(Lost)),
        ("40 01 61 00 3f e1 1f be", Ok(false)),
    ] {
        assert_eq!(Paths::default().is_bad_in(&bytes(hex)), expected, "{hex}");
    }
}

/// A head, whether it is bad, and the size of the table behind it.
struct Head {
    bytes: Vec<u8>,
    is_bad: bool,
    table: usize,
}

/// Connections as `tests/cases/hpack/make.py` makes them.
fn connections() -> Vec<Vec<Head>> {
    let text = include_str!("../../../tests/cases/hpack/heads.txt");
    let head = |line: &str| {
        let [kind, table, hex] = line.split(' ').collect::<Vec<_>>().try_into().unwrap();
        Head { bytes: bytes(hex), is_bad: kind == "bad", table: table.parse().unwrap() }
    };
    let connection = |text: &str| text.lines().filter(|line| !line.starts_with('#')).map(head).collect();
    text.split("\n\n").map(connection).collect()
}

#[test]
fn as_another_decoder_reads_them() {
    let connections = connections();
    let count = connections.iter().flatten().filter(|head| head.is_bad).count();
    assert!(connections.len() > 500 && count > 250, "{} connections, {count} bad heads", connections.len());
    for (number, heads) in connections.iter().enumerate() {
        let mut paths = Paths::default();
        for Head { bytes, is_bad, table } in heads {
            for end in 0..bytes.len().min(200) {
                let cut = Paths { table: paths.table.clone() }.is_bad_in(&bytes[..end]);
                assert!(cut != Ok(true) || *is_bad, "{end} bytes of a good head in connection {number}");
            }
            assert_eq!(paths.is_bad_in(bytes), Ok(*is_bad), "connection {number}");
            assert!(*is_bad || paths.table.size == *table, "{} ≠ {table} in connection {number}", paths.table.size);
        }
    }
}

/// Nothing panics, and the table keeps its size, whatever comes.
#[test]
fn anything_else() {
    let mut state = 7541_u64;
    let mut random = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let mut not_lost = 0;
    for heads in connections() {
        let mut paths = Paths::default();
        for Head { bytes: mut head, .. } in heads {
            let len = u64::try_from(head.len()).unwrap();
            for _ in 0..random() % 4 {
                let place = usize::try_from(random() % len).unwrap();
                head[place] = random().to_le_bytes()[0];
            }
            not_lost += usize::from(paths.is_bad_in(&head).is_ok());
            let noise: Vec<_> = (0..random() % 64).map(|_| random().to_le_bytes()[3]).collect();
            not_lost += usize::from(paths.is_bad_in(&noise).is_ok());
            assert!(remembered(&paths).iter().map(|name| name + 32).sum::<usize>() <= 4_096);
        }
    }
    assert!(not_lost > 100, "{not_lost}");
}
