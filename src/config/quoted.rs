//! Pieces of configuration files as messages quote them.

/// Longest piece of the file that a message quotes, in characters.
const QUOTED_CHARS: usize = 60;

/// Longest piece of the file that a message may quote from, in bytes; for a longer one it gives the length.
const LOOKED_AT_BYTES: usize = 4096;

/// What every token begins with.
const TOKEN_PREFIX: &str = "dft_";

/// Stands for a secret.
pub(super) const HIDDEN: &str = "...";

/// A piece of the file as a message may quote it: on one line, without secrets and control characters, and
/// short.
pub(super) fn shown(piece: &str) -> String {
    if piece.len() > LOOKED_AT_BYTES {
        return format!("a text of {} bytes", piece.len());
    }
    let mut text = String::new();
    for (number, c) in without_secrets(piece).chars().enumerate() {
        if number == QUOTED_CHARS {
            text.push_str("...");
            break;
        }
        if c.is_control() { text.extend(c.escape_default()) } else { text.push(c) }
    }
    text
}

/// The piece without a token, without name and password before an `@`, and without the query of a URL, in which some
/// cameras have a password: messages go into logs.
fn without_secrets(piece: &str) -> String {
    if let Some(at) = piece.find(TOKEN_PREFIX) {
        return format!("{}{TOKEN_PREFIX}{HIDDEN}", &piece[..at]);
    }
    let (piece, query) = match piece.split_once('?') {
        Some((piece, query)) if !query.is_empty() => (piece, "?..."),
        _ => (piece, ""),
    };
    match piece.rfind('@') {
        Some(host) => {
            let scheme = piece[..host].find("://").map_or(0, |at| at + 3);
            format!("{}{HIDDEN}{}{query}", &piece[..scheme], &piece[host..])
        }
        None => format!("{piece}{query}"),
    }
}
