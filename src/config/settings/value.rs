//! The value of a setting: in TOML, and as the types that settings have.

use std::fmt;

use toml::de::{DeTable, DeValue};

use crate::media::{Point, Polygon, Zone};

/// Deepest nesting of a value; a list of zones has four levels.
const MAX_DEPTH: u32 = 6;

/// Decimal places of a [`Value::Decimal`].
const PLACES: usize = 4;

/// One, as a [`Value::Decimal`].
pub(super) const ONE: i64 = 10_000;

/// The value of a setting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// A whole number.
    Integer(i64),
    /// A number in ten-thousandths: four decimal places, and equal to what was written.
    Decimal(i64),
    /// True or false.
    Boolean(bool),
    /// Text, such as one of a few words.
    Text(String),
    /// Values in order.
    List(Vec<Value>),
    /// Values by their keys, in order.
    Table(Vec<(String, Value)>),
}

impl Value {
    /// The value in a TOML document. `None` for what no setting has: a date, a number of more than 64 bits, or one
    /// with an exponent, and values nested too deep.
    pub(in crate::config) fn from_toml(found: &DeValue<'_>) -> Option<Self> {
        from_toml(found, MAX_DEPTH)
    }

    /// A number with decimal places, rounded to those that a value has. `None` for one that is not finite, or too
    /// large.
    pub fn from_f64(number: f64) -> Option<Self> {
        let scaled = (number * ONE as f64).round();
        (scaled.abs() < (1_i64 << 52) as f64).then_some(Self::Decimal(scaled as i64))
    }

    /// The number that a [`Value::Decimal`] stands for.
    pub fn to_f64(ten_thousandths: i64) -> f64 {
        ten_thousandths as f64 / ONE as f64
    }

    /// The number of a [`super::Form`] that takes whole numbers.
    pub(in crate::config) fn number(&self) -> u32 {
        match self {
            Self::Integer(number) => u32::try_from(*number).unwrap_or(u32::MAX),
            other => unreachable!("{other} is no whole number"),
        }
    }

    /// The answer of a form that takes true and false.
    pub(super) fn is_true(&self) -> bool {
        matches!(self, Self::Boolean(true))
    }

    /// The text of a form that takes text or words.
    pub(in crate::config) fn text(&self) -> &str {
        match self {
            Self::Text(text) => text,
            other => unreachable!("{other} is no text"),
        }
    }

    /// The values of a form that takes a list.
    pub(super) fn list(&self) -> &[Value] {
        match self {
            Self::List(list) => list,
            other => unreachable!("{other} is no list"),
        }
    }

    /// The texts of a form that takes a list of texts.
    pub(super) fn texts(&self) -> Vec<String> {
        self.list().iter().map(|each| each.text().to_owned()).collect()
    }

    /// The value of a key of a table.
    pub(super) fn get(&self, key: &str) -> Option<&Value> {
        match self {
            Self::Table(entries) => entries.iter().find(|(name, _)| name == key).map(|(_, value)| value),
            _ => None,
        }
    }
}

/// For the setters of rows.
impl Value {
    /// The number of a form that takes decimals, in ten-thousandths.
    pub(super) fn ten_thousandths(&self) -> i64 {
        match self {
            Self::Decimal(number) => *number,
            other => unreachable!("{other} is no decimal"),
        }
    }

    /// The polygons of a form that takes a list of them.
    pub(super) fn polygons(&self) -> Vec<Polygon> {
        self.list().iter().map(Self::polygon).collect()
    }

    /// The zones of a form that takes a list of them.
    pub(super) fn zones(&self) -> Vec<Zone> {
        let zone = |each: &Value| Zone {
            name: each.get("name").map(|name| name.text().to_owned()).unwrap_or_default(),
            points: each.get("points").map(Self::polygon).unwrap_or_default(),
        };
        self.list().iter().map(zone).collect()
    }

    fn polygon(&self) -> Polygon {
        let side = |value: Option<&Value>| {
            value.and_then(|value| u16::try_from(value.ten_thousandths()).ok()).unwrap_or(Point::FULL)
        };
        let point = |pair: &Value| Point { x: side(pair.list().first()), y: side(pair.list().get(1)) };
        self.list().iter().map(point).collect()
    }
}

fn from_toml(found: &DeValue<'_>, depth: u32) -> Option<Value> {
    let depth = depth.checked_sub(1)?;
    Some(match found {
        DeValue::Integer(number) => {
            Value::Integer(i64::from_str_radix(number.as_str(), number.radix()).ok()?)
        }
        DeValue::Float(number) => Value::Decimal(decimal(number.as_str())?),
        DeValue::Boolean(is_on) => Value::Boolean(*is_on),
        DeValue::String(text) => Value::Text(text.to_string()),
        DeValue::Array(list) => {
            let values = list.iter().map(|each| from_toml(each.get_ref(), depth));
            Value::List(values.collect::<Option<_>>()?)
        }
        DeValue::Table(table) => Value::Table(entries(table, depth)?),
        DeValue::Datetime(_) => return None,
    })
}

/// In the order of the document.
fn entries(table: &DeTable<'_>, depth: u32) -> Option<Vec<(String, Value)>> {
    let mut entries: Vec<_> = table.iter().collect();
    entries.sort_by_key(|(name, _)| name.span().start);
    let entry = |(name, value): (&toml::Spanned<std::borrow::Cow<'_, str>>, &toml::Spanned<DeValue<'_>>)| {
        Some((name.get_ref().to_string(), from_toml(value.get_ref(), depth)?))
    };
    entries.into_iter().map(entry).collect()
}

/// Reads a number such as `-0.25`, in ten-thousandths; further places are rounded. `None` for an exponent.
fn decimal(text: &str) -> Option<i64> {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    let (whole, places) = digits.split_once('.').unwrap_or((digits, ""));
    if whole.is_empty() || !whole.bytes().chain(places.bytes()).all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let mut kept = places.bytes().chain(std::iter::repeat(b'0'));
    let kept_places = kept.by_ref().take(PLACES).fold(0, |sum, digit| sum * 10 + i64::from(digit - b'0'));
    let rounded = kept_places + i64::from(kept.next() >= Some(b'5'));
    let whole: i64 = whole.parse().ok()?;
    Some(sign * whole.checked_mul(ONE)?.checked_add(rounded)?)
}

impl From<u32> for Value {
    fn from(number: u32) -> Self {
        Self::Integer(number.into())
    }
}

impl From<i32> for Value {
    fn from(number: i32) -> Self {
        Self::Integer(number.into())
    }
}

impl From<bool> for Value {
    fn from(is_on: bool) -> Self {
        Self::Boolean(is_on)
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<&[String]> for Value {
    fn from(texts: &[String]) -> Self {
        Self::List(texts.iter().map(|text| text.as_str().into()).collect())
    }
}

impl From<&[Point]> for Value {
    /// A list of pairs.
    fn from(points: &[Point]) -> Self {
        let pair =
            |point: &Point| Self::List(vec![Self::Decimal(point.x.into()), Self::Decimal(point.y.into())]);
        Self::List(points.iter().map(pair).collect())
    }
}

impl From<&[Polygon]> for Value {
    fn from(polygons: &[Polygon]) -> Self {
        Self::List(polygons.iter().map(|polygon| polygon.as_slice().into()).collect())
    }
}

impl From<&[Zone]> for Value {
    fn from(zones: &[Zone]) -> Self {
        let table = |zone: &Zone| {
            Self::Table(vec![
                ("name".to_owned(), zone.name.as_str().into()),
                ("points".to_owned(), zone.points.as_slice().into()),
            ])
        };
        Self::List(zones.iter().map(table).collect())
    }
}

impl fmt::Display for Value {
    /// As TOML, on one line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Integer(number) => number.fmt(f),
            Self::Decimal(number) => f.write_str(&decimal_text(*number)),
            Self::Boolean(is_on) => is_on.fmt(f),
            Self::Text(text) => f.write_str(&quoted(text)),
            Self::List(list) => {
                f.write_str("[")?;
                for (at, value) in list.iter().enumerate() {
                    write!(f, "{}{value}", if at > 0 { ", " } else { "" })?;
                }
                f.write_str("]")
            }
            Self::Table(entries) => {
                f.write_str("{")?;
                for (at, (name, value)) in entries.iter().enumerate() {
                    write!(f, "{}{} = {value}", if at > 0 { ", " } else { " " }, key(name))?;
                }
                f.write_str(" }")
            }
        }
    }
}

/// A number of ten-thousandths, with as many places as it needs and at least one: TOML tells it from a whole number.
pub(super) fn decimal_text(number: i64) -> String {
    let (sign, size) = (if number < 0 { "-" } else { "" }, number.unsigned_abs());
    let places = format!("{:0PLACES$}", size % ONE.unsigned_abs());
    let places = places.trim_end_matches('0');
    format!("{sign}{}.{}", size / ONE.unsigned_abs(), if places.is_empty() { "0" } else { places })
}

/// A text as a basic string of TOML.
pub(in crate::config) fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            c if c.is_control() => quoted.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

/// A key of TOML, quoted where it must be.
pub(in crate::config) fn key(part: &str) -> String {
    let is_bare = !part.is_empty()
        && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
    if is_bare { part.to_owned() } else { quoted(part) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Option<Value> {
        Value::from_toml(DeValue::parse(text).unwrap().get_ref())
    }

    #[test]
    fn a_value_is_read_as_it_is_written() {
        for text in [
            "-7",
            "0.25",
            "-0.0001",
            "12.0",
            "true",
            "\"a \\\"b\\\"\"",
            "[]",
            "[[[0.1, 0.2], [0.4, 1.0]]]",
            "[{ name = \"door\", points = [[0.1, 0.2]] }]",
            "{ \"odd key\" = 1, a = [\"b\"] }",
            "{ }",
        ] {
            let value = read(text).expect(text);
            assert_eq!(value.to_string(), text);
            assert_eq!(read(&value.to_string()), Some(value));
        }
    }

    #[test]
    fn a_decimal_has_four_places() {
        for (text, expected) in
            [("0.12344", 1234), ("0.12345", 1235), ("-0.99996", -10_000), ("+1.5", 15_000), ("0_1.0", 0)]
        {
            let Ok(found) = DeValue::parse(text) else { continue };
            assert_eq!(Value::from_toml(found.get_ref()), Some(Value::Decimal(expected)), "{text}");
        }
        assert_eq!(Value::from_f64(0.1), Some(Value::Decimal(1000)));
        assert_eq!(Value::from_f64(-0.000_06), Some(Value::Decimal(-1)));
        assert_eq!((Value::from_f64(f64::NAN), Value::from_f64(1e300)), (None, None));
    }

    #[test]
    fn what_no_setting_has_is_no_value() {
        let deep = format!("{}1{}", "[".repeat(7), "]".repeat(7));
        for text in ["1e3", "inf", "nan", "2026-03-01", "99999999999999999.5", &deep] {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
