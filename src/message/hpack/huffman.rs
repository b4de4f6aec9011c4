//! The Huffman code of header strings (RFC 7541 §5.2, Appendix B), as far as one asks how long a string is and whether a path may
//! hold it. It is read half a byte at a time.

use super::is_foreign;

/// The length of a decoded string, and whether there is a byte in it that no path holds; `None` if it is not of this code.
pub(super) fn read(coded: &[u8]) -> Option<(usize, bool)> {
    let (mut node, mut length, mut is_bad) = (ROOT, 0, false);
    for byte in coded {
        for nibble in [byte >> 4, byte & 0x0F] {
            let step = (*STEPS.get(usize::from(node))?.get(usize::from(nibble))?)?;
            length += usize::from(step.ends);
            is_bad |= step.is_bad;
            node = step.node;
        }
    }
    // What is left of the last byte is filled with ones, fewer than eight.
    (node < 8).then_some((length, is_bad))
}

/// `:path`, in this code. Nothing else means it: padding has one form only.
pub(super) const PATH: &[u8] = &[0xB9, 0x58, 0xD3, 0x3F];

/// What four bits do.
#[derive(Clone, Copy)]
struct Step {
    /// Where they lead.
    node: u8,
    /// Whether a code ends in them. No two do: the shortest has five bits.
    ends: bool,
    /// Whether the byte that it stands for is one that no path holds.
    is_bad: bool,
}

/// Nodes of the code's tree are numbered as they are met, and the end of the string is looked for first: node `n` is what `n` ones
/// lead to, up to 29.
const ROOT: u8 = 0;

/// By node and bits; `None` leads to the end of the string, which none may hold.
static STEPS: [[Option<Step>; 16]; NODES] = steps(&tree(&codes()));

const SYMBOLS: usize = LENGTHS.len();
const NODES: usize = SYMBOLS - 1;
const END: usize = SYMBOLS - 1;

/// The code is canonical: of a length, they count up by symbol, and longer ones go on where shorter ones ended.
#[expect(clippy::indexing_slicing, reason = "the compiler runs it, and would say so")]
const fn codes() -> [u32; SYMBOLS] {
    let mut codes = [0; SYMBOLS];
    let (mut code, mut length) = (0, 1);
    while length <= LENGTHS[END] {
        let mut symbol = 0;
        while symbol < SYMBOLS {
            if LENGTHS[symbol] == length {
                codes[symbol] = code;
                code += 1;
            }
            symbol += 1;
        }
        code <<= 1;
        length += 1;
    }
    codes
}

/// For each node what a 0 and a 1 lead to: a node, or, behind those, a symbol.
#[expect(clippy::indexing_slicing, reason = "the compiler runs it, and would say so")]
const fn tree(codes: &[u32; SYMBOLS]) -> [[usize; 2]; NODES] {
    let mut tree = [[0; 2]; NODES];
    let mut nodes = 1;
    let mut symbol = SYMBOLS;
    while symbol > 0 {
        symbol -= 1;
        let (mut node, mut left) = (0, LENGTHS[symbol]);
        while left > 0 {
            left -= 1;
            let bit = (codes[symbol] >> left & 1) as usize;
            if left == 0 {
                tree[node][bit] = NODES + symbol;
            } else if tree[node][bit] == 0 {
                tree[node][bit] = nodes;
                nodes += 1;
            }
            node = tree[node][bit];
        }
    }
    tree
}

#[expect(clippy::indexing_slicing, reason = "the compiler runs it, and would say so")]
const fn steps(tree: &[[usize; 2]; NODES]) -> [[Option<Step>; 16]; NODES] {
    let mut steps = [[None; 16]; NODES];
    let mut node = 0;
    while node < NODES {
        let mut nibble = 0;
        while nibble < 16 {
            steps[node][nibble] = step(tree, node, nibble);
            nibble += 1;
        }
        node += 1;
    }
    steps
}

#[expect(clippy::indexing_slicing, reason = "the compiler runs it, and would say so")]
#[expect(clippy::cast_possible_truncation, reason = "there are 256 nodes and, without the end, 256 symbols")]
const fn step(tree: &[[usize; 2]; NODES], from: usize, nibble: usize) -> Option<Step> {
    let mut node = from;
    let (mut ends, mut is_bad) = (false, false);
    let mut left = 4;
    while left > 0 {
        left -= 1;
        node = tree[node][nibble >> left & 1];
        if node == NODES + END {
            return None;
        }
        if node >= NODES {
            ends = true;
            is_bad = is_foreign((node - NODES) as u8);
            node = 0;
        }
    }
    Some(Step { node: node as u8, ends, is_bad })
}

/// How many bits each byte's code has, and that of the end.
#[rustfmt::skip]
const LENGTHS: [u8; 257] = [
    13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 28,
    6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6, 5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10,
    13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6,
    15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5, 6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28,
    20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23, 24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24,
    22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23, 21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23,
    26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25, 19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27,
    20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23, 26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26,
    30,
];
