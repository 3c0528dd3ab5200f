//! Whether openapi.json describes what the server does.

use std::collections::{BTreeMap, BTreeSet};

use miniserde::json;

use crate::codec::sound::Codec;
use crate::config::{CAMERA, CAMERA_MOTION, CAMERA_RECORD, Form, Setting, Value};
use crate::http::api::value::Limits;
use crate::http::route::Route;
use crate::media::PixelFormat;

#[test]
fn openapi_has_the_media_types_and_formats_that_are_sent() {
    let text = include_str!("../openapi.json");
    let types: BTreeSet<&str> =
        text.split("\"audio/").skip(1).map(|rest| rest.split('"').next().unwrap()).collect();
    let sent = Codec::NAMES.map(|(_, codec)| codec.content_type().strip_prefix("audio/").unwrap());
    assert_eq!(types, BTreeSet::from(sent));
    let quoted =
        |names: &[&str]| names.iter().map(|name| format!("\"{name}\"")).collect::<Vec<_>>().join(",");
    let formats = PixelFormat::ALL.map(PixelFormat::name);
    for words in [
        format!("\"format\":{{\"enum\":[{},null]", quoted(&formats)),
        format!("\"chroma\":{{\"type\":\"string\",\"enum\":[{}]", quoted(&["auto", "420"])),
    ] {
        assert!(text.contains(&words), "{words} is missing");
    }
}

#[test]
fn openapi_has_each_setting_of_a_camera() {
    let text = include_str!("../openapi.json");
    let (_, change) = text.split_once("\"operationId\":\"changeCamera\"").unwrap();
    let change = change.split("\"save\":").next().unwrap();
    let (_, shown) = text.split_once("\"CameraSettings\":").unwrap();
    let (shown, required) = shown.lines().next().unwrap().split_once("\"required\":").unwrap();
    for setting in &CAMERA {
        let key = format!("\"{}\"", setting.key);
        assert!(shown.contains(&format!("{key}:{{")) && required.contains(&key), "{key} is not described");
        if setting.is_live {
            let changed = format!("{key}:{{{}", schema(&setting.form));
            assert!(change.contains(&changed), "{changed} is missing in the description of a change");
        }
    }
    describes_section(&CAMERA_RECORD, "CameraRecord", change.split_once("\"record\":").unwrap().1);
    describes_section(&CAMERA_MOTION, "CameraMotion", change.split_once("\"motion\":").unwrap().1);
}

/// Checks the schema `name` and the description of a change.
fn describes_section<S>(table: &'static [Setting<S>], name: &str, change: &str) {
    let (_, shown) = include_str!("../openapi.json").split_once(&format!("\"{name}\":")).unwrap();
    let (shown, required) = shown.lines().next().unwrap().split_once("\"required\":").unwrap();
    for setting in table {
        let key = format!("\"{}\"", setting.key);
        let described = format!("{key}:{{{}", schema(&setting.form));
        let is_described = shown.contains(&described) && change.contains(&described);
        assert!(is_described && required.contains(&key), "{described} is missing");
    }
}

/// The beginning of the schema of a value.
fn schema(form: &Form) -> String {
    let Limits { min, max, choices, .. } = Limits::of(form);
    let choices: Vec<String> = choices.iter().map(json::to_string).collect();
    let limit = |value: Option<Value>| value.map(|value| json::to_string(&value)).unwrap_or_default();
    let (min, max) = (limit(min), limit(max));
    match form {
        Form::Integer(_) => format!("\"type\":\"integer\",\"minimum\":{min},\"maximum\":{max}}}"),
        Form::Decimal(_) => format!("\"type\":\"number\",\"minimum\":{min},\"maximum\":{max}}}"),
        Form::Boolean => "\"type\":\"boolean\"".to_owned(),
        Form::Choice(_) => format!("\"type\":\"string\",\"enum\":[{}]", choices.join(",")),
        Form::Numbers(_) => format!("\"type\":\"integer\",\"enum\":[{}]", choices.join(",")),
        Form::Text(_) => format!("\"type\":\"string\",\"maxLength\":{max}"),
        Form::Template(..) => format!("\"type\":\"string\",\"maxLength\":{max},\"pattern\":\""),
        Form::Words(_) => {
            let items = format!("{{\"type\":\"string\",\"enum\":[{}]}}", choices.join(","));
            format!("\"type\":\"array\",\"items\":{items}")
        }
        Form::Texts(..) => "\"type\":\"array\",\"items\":{\"type\":\"string\"".to_owned(),
        Form::Polygons | Form::PlainPolygons => {
            "\"type\":\"array\",\"items\":{\"$ref\":\"#/components/schemas/Polygon\"}".to_owned()
        }
        Form::Zones => "\"type\":\"array\",\"items\":{\"$ref\":\"#/components/schemas/Zone\"}".to_owned(),
        Form::Armed => "\"$ref\":\"#/components/schemas/Armed\"".to_owned(),
        Form::FileOnly => "\"type\":\"string\"".to_owned(),
    }
}

#[test]
fn openapi_has_each_route_with_its_methods_and_no_other() {
    let text = include_str!("../openapi.json");
    let json::Value::Object(document) = json::from_str(text).unwrap() else { panic!("no object") };
    let Some(json::Value::Object(paths)) = document.get("paths") else { panic!("no paths") };
    let described: BTreeMap<String, Vec<String>> = paths
        .iter()
        .map(|(path, operations)| {
            let json::Value::Object(operations) = operations else { panic!("{path}") };
            (path.clone(), operations.keys().map(|method| method.to_uppercase()).collect())
        })
        .collect();
    let template = |path: String| match path.rsplit_once('/') {
        _ if path.contains("/front/motion/") => path.replace("/front", "/{name}"),
        Some((base, "front" | "eve" | "camera.front.fps")) => format!("{base}/{{name}}"),
        Some((base, "small")) => format!("{}/{{stream}}", base.replace("/front", "/{name}")),
        Some((base, part)) if base.ends_with("/recordings/front") => {
            format!("{}/{part}", base.replace("/front", "/{name}"))
        }
        Some((base, "0123456789abcdef" | "17")) => format!("{base}/{{id}}"),
        _ => path,
    };
    let routed: BTreeMap<String, Vec<String>> = Route::all()
        .into_iter()
        .filter(|route| !matches!(route, Route::Page(_) | Route::SignIn(_)))
        .map(|route| {
            // Every GET is a HEAD, too, as the document says once.
            let methods = route.methods().iter().filter(|method| **method != "HEAD");
            let mut methods: Vec<String> = methods.map(|method| (*method).to_owned()).collect();
            methods.sort();
            (template(route.path()), methods)
        })
        .collect();
    assert_eq!(described, routed);
}
