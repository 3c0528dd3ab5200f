//! A reader of Matroska after RFC 8794 and RFC 9559, that takes nothing on trust: every element must be known and must lie
//! exactly in what it is in, every checksum must fit, and every reference must lead to what it says.

use std::collections::BTreeMap;

/// What a file shows.
#[derive(Debug, Default, PartialEq)]
pub struct Film {
    pub duration_ms: Option<f64>,
    pub title: String,
    pub codecs: Vec<String>,
    /// CodecPrivate of the tracks that have one.
    pub privates: Vec<Vec<u8>>,
    pub blocks: Vec<Shown>,
    /// Times of the CuePoints.
    pub cues_ms: Vec<u64>,
}

/// A block.
#[derive(Clone, Debug, PartialEq)]
pub struct Shown {
    pub track: u64,
    pub at_ms: i64,
    pub bytes: Vec<u8>,
}

/// What eight bytes say of an element that has no known size, which a Segment may be (RFC 8794, section 6.2).
const UNKNOWN_SIZE: u64 = (1 << 56) - 1;

struct Element<'a> {
    id: u32,
    /// Where it begins in the file.
    at: usize,
    content_at: usize,
    content: &'a [u8],
}

/// Reads a whole file.
pub fn read(file: &[u8]) -> Result<Film, String> {
    let mut film = Film::default();
    let top = children(file, 0)?;
    let [head, segment] = &top[..] else { return Err("not one EBML head and one Segment".to_owned()) };
    if head.id != 0x1A45_DFA3 || segment.id != 0x1853_8067 {
        return Err(format!("top: {:x?}", top.iter().map(|element| element.id).collect::<Vec<_>>()));
    }
    let doc_type = inside(head)?.into_iter().find(|element| element.id == 0x4282);
    if doc_type.map(|doc_type| doc_type.content) != Some(b"matroska") {
        return Err("no DocType matroska".to_owned());
    }
    // Where each block begins, with its time.
    let mut places = BTreeMap::new();
    let mut cues = Vec::new();
    for element in children(segment.content, segment.content_at)? {
        match element.id {
            0xEC | 0x1254_C367 => {}
            0x114D_9B74 => seek_head(&element, segment)?,
            0x1549_A966 => info(&element, &mut film)?,
            0x1654_AE6B => tracks(&element, &mut film)?,
            0x1F43_B675 => cluster(&element, &mut film, &mut places)?,
            0x1C53_BB6B => cues.push(element),
            other => return Err(format!("element {other:x} at {}", element.at)),
        }
    }
    for element in cues {
        for point in inside(&element)? {
            film.cues_ms.push(cue_point(&point, segment, &places)?);
        }
    }
    Ok(film)
}

/// The elements in another one. A checksum at their begin must fit.
fn inside<'a>(parent: &Element<'a>) -> Result<Vec<Element<'a>>, String> {
    let mut elements = children(parent.content, parent.content_at)?;
    if elements.first().is_some_and(|first| first.id == 0xBF) {
        let rest = &parent.content[6..];
        if elements.remove(0).content != crc_32(rest).to_le_bytes() {
            return Err(format!("the checksum of {:x} at {}", parent.id, parent.at));
        }
    }
    Ok(elements)
}

/// The elements that fill `bytes` exactly.
fn children(bytes: &[u8], base: usize) -> Result<Vec<Element<'_>>, String> {
    let (mut elements, mut at) = (Vec::new(), 0);
    while at < bytes.len() {
        let start = at;
        let id = vint(bytes, &mut at, true).ok_or(format!("no identifier at {}", base + start))?;
        let mut size = vint(bytes, &mut at, false).ok_or(format!("no size at {}", base + start))?;
        if id == 0x1853_8067 && size == UNKNOWN_SIZE {
            // It ends with the file.
            size = (bytes.len() - at) as u64;
        }
        let content = usize::try_from(size).ok().and_then(|size| bytes.get(at..at.checked_add(size)?));
        let content = content.ok_or(format!("element {id:x} at {} is too long", base + start))?;
        elements.push(Element { id: id as u32, at: base + start, content_at: base + at, content });
        at += content.len();
    }
    Ok(elements)
}

fn vint(bytes: &[u8], at: &mut usize, is_id: bool) -> Option<u64> {
    let first = *bytes.get(*at)?;
    let length = first.leading_zeros() as usize + 1;
    if length > if is_id { 4 } else { 8 } {
        return None;
    }
    let all = number(bytes.get(*at..*at + length)?);
    *at += length;
    let mask = (1_u64 << (7 * length)) - 1;
    if is_id { Some(all) } else { Some(all & mask).filter(|value| *value != mask || length == 8) }
}

fn number(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0, |value, byte| value << 8 | u64::from(*byte))
}

/// Each entry leads to the element that it names, also where that is hidden still.
fn seek_head(element: &Element<'_>, segment: &Element<'_>) -> Result<(), String> {
    for seek in inside(element)? {
        if seek.id != 0x4DBB {
            continue;
        }
        let fields = inside(&seek)?;
        let field = |id| fields.iter().find(|field| field.id == id).map(|field| number(field.content));
        let (Some(id), Some(position)) = (field(0x53AB), field(0x53AC)) else {
            return Err("Seek".to_owned());
        };
        let there = segment.content.get(position as usize..position as usize + 4).map(number);
        if there != Some(id) {
            return Err(format!("SeekHead says {id:x} at {position}, there is {there:x?}"));
        }
    }
    Ok(())
}

fn info(element: &Element<'_>, film: &mut Film) -> Result<(), String> {
    for field in inside(element)? {
        match field.id {
            0x2A_D7B1 if number(field.content) != 1_000_000 => return Err("TimestampScale".to_owned()),
            0x4489 => film.duration_ms = field.content.try_into().ok().map(f64::from_be_bytes),
            0x7BA9 => film.title = String::from_utf8_lossy(field.content).into_owned(),
            _ => {}
        }
    }
    Ok(())
}

fn tracks(element: &Element<'_>, film: &mut Film) -> Result<(), String> {
    for entry in inside(element)?.iter().filter(|entry| entry.id == 0xAE) {
        for field in inside(entry)? {
            match field.id {
                0x86 => film.codecs.push(String::from_utf8_lossy(field.content).into_owned()),
                0x63A2 => film.privates.push(field.content.to_vec()),
                _ => {}
            }
        }
    }
    Ok(())
}

fn cluster(
    element: &Element<'_>,
    film: &mut Film,
    places: &mut BTreeMap<usize, (usize, i64)>,
) -> Result<(), String> {
    let mut timestamp = None;
    for field in inside(element)? {
        match field.id {
            0xE7 => timestamp = Some(number(field.content) as i64),
            0xA3 => {
                let timestamp = timestamp.ok_or("a block before the Timestamp")?;
                let [track, high, low, flags, bytes @ ..] = field.content else {
                    return Err(format!("a short block at {}", field.at));
                };
                if flags & 0x06 != 0 || track & 0x80 == 0 {
                    return Err(format!("lacing or a long track number at {}", field.at));
                }
                let at_ms = timestamp + i64::from(i16::from_be_bytes([*high, *low]));
                places.insert(field.at, (element.at, at_ms));
                film.blocks.push(Shown { track: u64::from(track & 0x7F), at_ms, bytes: bytes.to_vec() });
            }
            0xEC | 0xAB | 0xA7 => {}
            other => return Err(format!("element {other:x} in a Cluster at {}", field.at)),
        }
    }
    Ok(())
}

/// The time of a CuePoint, which leads to a block of that time.
fn cue_point(
    point: &Element<'_>,
    segment: &Element<'_>,
    places: &BTreeMap<usize, (usize, i64)>,
) -> Result<u64, String> {
    let fields = inside(point)?;
    let time = fields.iter().find(|field| field.id == 0xB3).map(|field| number(field.content));
    let positions = fields.iter().find(|field| field.id == 0xB7);
    let (Some(time), Some(positions)) = (time, positions) else { return Err("CuePoint".to_owned()) };
    let positions = inside(positions)?;
    let field =
        |id| positions.iter().find(|field| field.id == id).map(|field| number(field.content) as usize);
    let (Some(position), Some(relative)) = (field(0xF1), field(0xF0)) else {
        return Err("positions".to_owned());
    };
    let cluster_at = segment.content_at + position;
    let mut content_at = cluster_at.wrapping_sub(segment.content_at) + 4;
    vint(segment.content, &mut content_at, false).ok_or("no Cluster where a CuePoint says")?;
    match places.get(&(segment.content_at + content_at + relative)) {
        Some((cluster, at_ms)) if *cluster == cluster_at && *at_ms == time as i64 => Ok(time),
        found => Err(format!("the CuePoint of {time} ms leads to {found:?}")),
    }
}

/// The checksum of ISO 3309, bit by bit.
fn crc_32(bytes: &[u8]) -> u32 {
    let table: [u32; 256] = std::array::from_fn(|byte| {
        (0..8).fold(byte as u32, |crc, _| crc >> 1 ^ if crc & 1 == 1 { 0xEDB8_8320 } else { 0 })
    });
    !bytes.iter().fold(!0, |crc, byte| crc >> 8 ^ table[usize::from(crc as u8 ^ byte)])
}
