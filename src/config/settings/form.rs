//! What the values of a setting are: checked for defender.conf, overrides and the API alike.

use std::fmt;
use std::ops::RangeInclusive;

use super::value::{ONE, Value, decimal_text, quoted};
use crate::base::{did_you_mean, names};
use crate::config::quoted::shown;
use crate::media::{Armed, ArmedTime};

/// Most entries of a list.
const MOST_ENTRIES: usize = 128;

/// Most polygons or zones of a picture, and most corners of one: all are looked at for each frame.
const MOST_POLYGONS: usize = 32;

/// The word for a section that is not in use, in the settings of one that may be.
pub(in crate::config) const OFF: &str = "off";

/// The words of [`Form::Armed`].
const ARMED_WORDS: [&str; 3] = [Armed::ALWAYS, Armed::NEVER, OFF];

/// Corners of a polygon.
const CORNERS: RangeInclusive<usize> = 3..=32;

/// What the values of a setting are.
#[cfg_attr(not(test), expect(dead_code, reason = "not each form has a setting yet"))]
pub enum Form {
    /// A whole number of this range. The unit is in the key, as in `pre_s` and `max_gb`.
    Integer(RangeInclusive<u32>),
    /// A number with at most four decimal places; the range is in ten-thousandths.
    Decimal(RangeInclusive<i64>),
    /// True or false.
    Boolean,
    /// One of these words.
    Choice(fn() -> Vec<&'static str>),
    /// One of these numbers.
    Numbers(&'static [u32]),
    /// Text of at most so many characters, without control characters.
    Text(usize),
    /// As [`Form::Text`], with conversions that the function checks; it says what is wrong.
    Template(usize, fn(&str) -> Result<(), String>),
    /// A list of some of these words.
    Words(fn() -> Vec<&'static str>),
    /// A list of texts, each of which the function takes; with what the list looks like.
    Texts(&'static str, fn(&str) -> bool),
    /// A list of polygons `[[x, y], ...]`, in shares of the picture's width and height.
    Polygons,
    /// As [`Form::Polygons`], of which none crosses itself.
    PlainPolygons,
    /// A list of tables `{ name, points }`: such polygons with names.
    Zones,
    /// `always`, `never`, `off`, or a list of times of the week.
    Armed,
    /// What only defender.conf sets.
    FileOnly,
}

/// What is wrong with a value.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fault {
    /// Where in a list: the number of an entry, of an entry of that and so on, from 0. Empty for the whole value.
    pub within: Vec<usize>,
    /// What is there, such as `polygon 2 has 2 points`; empty where that is the whole value.
    pub found: String,
    /// What was expected.
    pub expected: String,
}

impl Form {
    /// The value in the form that setters take, if it has the form of this setting. A whole number is a decimal, too.
    ///
    /// # Errors
    /// What was expected, and which part of the value is not that.
    pub fn accept(&self, value: &Value) -> Result<Value, Fault> {
        let is_good = match (self, value) {
            (Self::Integer(range), Value::Integer(number)) => {
                u32::try_from(*number).is_ok_and(|number| range.contains(&number))
            }
            (Self::Decimal(range), Value::Integer(_) | Value::Decimal(_)) => {
                let number = scaled(value).filter(|number| range.contains(number));
                return number.map(Value::Decimal).ok_or_else(|| self.fault());
            }
            (Self::Boolean, Value::Boolean(_)) => true,
            (Self::Choice(words), Value::Text(word)) => words().contains(&word.as_str()),
            (Self::Numbers(numbers), Value::Integer(number)) => {
                u32::try_from(*number).is_ok_and(|number| numbers.contains(&number))
            }
            (Self::Text(most_chars) | Self::Template(most_chars, _), Value::Text(text)) => {
                if let Self::Template(_, check) = self
                    && let Err(found) = check(text)
                {
                    return Err(Fault { found, ..self.fault() });
                }
                text.chars().count() <= *most_chars && !text.contains(char::is_control)
            }
            (Self::Words(words), Value::List(list)) => {
                let words = words();
                return self.each(list, |word| words.contains(&word));
            }
            (Self::Texts(_, is_good), Value::List(list)) => return self.each(list, is_good),
            (Self::Polygons | Self::PlainPolygons, Value::List(list)) => return self.polygons(list),
            (Self::Armed, Value::Text(word)) => ARMED_WORDS.contains(&word.as_str()),
            (Self::Armed, Value::List(list)) => {
                return self.each(list, |time| ArmedTime::parse(time).is_some());
            }
            (Self::Zones, Value::List(list)) => return self.zones(list),
            _ => false,
        };
        if is_good { Ok(value.clone()) } else { Err(self.fault_of(value)) }
    }

    /// That the whole value is not what was expected.
    pub fn fault(&self) -> Fault {
        Fault { expected: self.expected(), ..Fault::default() }
    }

    /// What a value looks like, for a message.
    pub fn expected(&self) -> String {
        match self {
            Self::Integer(range) => format!("a whole number from {} to {}", range.start(), range.end()),
            Self::Decimal(range) => {
                format!("a number from {} to {}", decimal_text(*range.start()), decimal_text(*range.end()))
            }
            Self::Boolean => "true or false".to_owned(),
            Self::Choice(words) => format!("one of {}", listed(&words())),
            Self::Numbers(numbers) => {
                let numbers: Vec<_> = numbers.iter().map(ToString::to_string).collect();
                format!("one of {}", numbers.join(", "))
            }
            Self::Text(most) => format!("text of at most {most} characters on one line"),
            Self::Template(most, _) => format!(
                "text of at most {most} characters on one line, with {{camera}} and conversions of strftime such as \
                 %Y-%m-%d %H:%M:%S"
            ),
            Self::Words(words) => format!("a list of some of {}", listed(&words())),
            Self::Texts(expected, _) => format!("{expected}, of at most {MOST_ENTRIES}"),
            Self::Polygons | Self::PlainPolygons => {
                "a list of polygons such as [[[0.1, 0.2], [0.4, 0.2], [0.4, 0.9]]], in shares of \
                               the picture's width and height"
                    .to_owned()
            }
            Self::Zones => "a list of zones such as [{ name = \"door\", points = [[0.1, 0.2], [0.4, 0.2], \
                            [0.4, 0.9]] }], in shares of the picture's width and height"
                .to_owned(),
            Self::Armed => "\"always\", \"never\", or a list of local times such as [\"22:00-06:00\", \"mon-fri 08:00-18:00\"]"
                .to_owned(),
            Self::FileOnly => "no change: it can only be changed in defender.conf".to_owned(),
        }
    }

    /// As [`Form::fault`], with the word that may be meant.
    fn fault_of(&self, value: &Value) -> Fault {
        let mut fault = self.fault();
        if let (Self::Choice(words), Value::Text(word)) = (self, value) {
            fault.expected.push_str(&did_you_mean(word, &words()));
        }
        fault
    }

    /// Checks a list of texts.
    fn each(&self, list: &[Value], is_good: impl Fn(&str) -> bool) -> Result<Value, Fault> {
        if list.len() > MOST_ENTRIES {
            return Err(self.fault());
        }
        for (at, entry) in list.iter().enumerate() {
            match entry {
                Value::Text(text) if is_good(text) => {}
                other => {
                    let found = format!("entry {} is {}", at + 1, shown(&other.to_string()));
                    return Err(Fault { within: vec![at], found, ..self.fault() });
                }
            }
        }
        Ok(Value::List(list.to_vec()))
    }

    fn polygons(&self, list: &[Value]) -> Result<Value, Fault> {
        check_count("polygons", list.len())?;
        let polygon = |(at, found): (usize, &Value)| {
            let is_plain = matches!(self, Self::PlainPolygons);
            polygon(found, &format!("polygon {}", at + 1), is_plain).map_err(|fault| fault.inside(at))
        };
        Ok(Value::List(list.iter().enumerate().map(polygon).collect::<Result<_, _>>()?))
    }

    fn zones(&self, list: &[Value]) -> Result<Value, Fault> {
        check_count("zones", list.len())?;
        let mut taken: Vec<String> = Vec::new();
        let mut zones = Vec::new();
        for (at, found) in list.iter().enumerate() {
            let number = format!("zone {}", at + 1);
            let (name, points) = zone(found, &number, &taken).map_err(|fault| fault.inside(at))?;
            taken.push(name.to_ascii_lowercase());
            zones.push(Value::Table(vec![("name".to_owned(), name.into()), ("points".to_owned(), points)]));
        }
        Ok(Value::List(zones))
    }
}

impl Fault {
    /// The same, of the entry at `at` of a list.
    fn inside(mut self, at: usize) -> Self {
        self.within.insert(0, at);
        self
    }

    /// The whole message about a value of `subject`, such as `fps in [camera.front]`, that was written as `written`.
    pub fn message(&self, subject: &str, written: &str) -> String {
        let Self { found, expected, .. } = self;
        if found.is_empty() {
            format!("{subject} is {written}; expected {expected}")
        } else {
            format!("{subject}: {found}; expected {expected}")
        }
    }
}

impl fmt::Display for Fault {
    /// Without the value, which stands before it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let separator = if self.found.is_empty() { "" } else { "; " };
        write!(f, "{}{separator}expected {}", self.found, self.expected)
    }
}

/// Words as messages list them.
pub(in crate::config) fn listed(words: &[&str]) -> String {
    words.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(", ")
}

/// A number in ten-thousandths.
fn scaled(value: &Value) -> Option<i64> {
    match value {
        Value::Integer(number) => number.checked_mul(ONE),
        Value::Decimal(number) => Some(*number),
        _ => None,
    }
}

fn check_count(what: &str, count: usize) -> Result<(), Fault> {
    if count <= MOST_POLYGONS {
        return Ok(());
    }
    Err(fault(format!("there are {count} {what}"), format!("at most {MOST_POLYGONS}")))
}

fn fault(found: String, expected: String) -> Fault {
    Fault { within: Vec::new(), found, expected }
}

/// The points of one polygon, as decimals; one that crosses itself is refused with `is_plain`.
fn polygon(value: &Value, name: &str, is_plain: bool) -> Result<Value, Fault> {
    let Value::List(list) = value else {
        let found = format!("{name} is {}", shown(&value.to_string()));
        return Err(fault(found, "a list of points [x, y]".to_owned()));
    };
    if !CORNERS.contains(&list.len()) {
        let expected = format!("{} to {}", CORNERS.start(), CORNERS.end());
        return Err(fault(format!("{name} has {} points", list.len()), expected));
    }
    let mut points = Vec::new();
    for (at, pair) in list.iter().enumerate() {
        let sides = point(pair).ok_or_else(|| {
            let found = format!("point {} of {name} is {}", at + 1, shown(&pair.to_string()));
            fault(found, "[x, y] with two numbers from 0 to 1".to_owned()).inside(at)
        })?;
        points.push(sides);
    }
    if let Some((first, second)) = crossing(&points).filter(|_| is_plain) {
        let found = format!("{name} crosses itself: side {} meets side {}", first + 1, second + 1);
        return Err(fault(found, "corners in their order around it".to_owned()));
    }
    let decimals = |(x, y): (i64, i64)| Value::List(vec![Value::Decimal(x), Value::Decimal(y)]);
    Ok(Value::List(points.into_iter().map(decimals).collect()))
}

/// Two sides of a polygon that cross, by the numbers of the corners that they begin at.
fn crossing(points: &[(i64, i64)]) -> Option<(usize, usize)> {
    let count = points.len();
    let side = |at: usize| (points[at], points[(at + 1) % count]);
    // On which side of a line a point is.
    let turn = |((ax, ay), (bx, by)): ((i64, i64), (i64, i64)), (x, y): (i64, i64)| {
        ((bx - ax) * (y - ay) - (by - ay) * (x - ax)).signum()
    };
    let pairs = (0..count).flat_map(|first| (first + 1..count).map(move |second| (first, second)));
    pairs.into_iter().find(|&(first, second)| {
        let (one, other) = (side(first), side(second));
        turn(one, other.0) * turn(one, other.1) < 0 && turn(other, one.0) * turn(other, one.1) < 0
    })
}

fn point(pair: &Value) -> Option<(i64, i64)> {
    let Value::List(sides) = pair else { return None };
    let [x, y] = sides.as_slice() else { return None };
    let side = |value| scaled(value).filter(|side| (0..=ONE).contains(side));
    Some((side(x)?, side(y)?))
}

/// The name and the points of one zone; `taken` are the names before it, in lower case.
fn zone(value: &Value, number: &str, taken: &[String]) -> Result<(String, Value), Fault> {
    let Value::Table(entries) = value else {
        let found = format!("{number} is {}", shown(&value.to_string()));
        return Err(fault(found, "a table such as { name = \"door\", points = [...] }".to_owned()));
    };
    if let Some((key, _)) = entries.iter().find(|(key, _)| !["name", "points"].contains(&key.as_str())) {
        let near = did_you_mean(key, &["name", "points"]);
        return Err(fault(
            format!("{number} has an unknown key `{}`", shown(key)),
            format!("name and points{near}"),
        ));
    }
    let name = match value.get("name") {
        Some(Value::Text(name)) if names::is_name(name) => name,
        found => {
            let found =
                found.map_or("no name".to_owned(), |name| format!("the name {}", shown(&name.to_string())));
            return Err(fault(
                format!("{number} has {found}"),
                "a name of 1 to 32 letters, digits, - or _".to_owned(),
            ));
        }
    };
    if taken.contains(&name.to_ascii_lowercase()) {
        return Err(fault(
            format!("{number} is the second named \"{name}\""),
            "names that differ in more than upper and lower case".to_owned(),
        ));
    }
    let Some(points) = value.get("points") else {
        return Err(fault(format!("{number} has no points"), "points = [[x, y], ...]".to_owned()));
    };
    Ok((name.clone(), polygon(points, &format!("zone \"{name}\""), true)?))
}
